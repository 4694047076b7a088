// Homes for a model: numbers scaled, one column of text hashed into buckets.
import { Contract, Failure, tensors, transform } from './sdk/transform.js';

/** FNV-1a, 32 bits, over UTF-8. */
function hash(bytes) {
  let h = 0x811c9dc5;
  for (const byte of bytes) h = Math.imul(h ^ byte, 0x01000193);
  return h >>> 0;
}

class Homes {
  constructor({ numbers, text, buckets = 0 }) {
    for (const { name, scale } of numbers ?? []) {
      if (!(scale > 0)) {
        throw Failure.invalidSettings('bad-scale', 'scale must be greater than 0', { field: name });
      }
    }
    if (!numbers?.length || (text !== undefined && !(buckets > 0 && buckets <= 1024))) {
      throw Failure.invalidSettings('bad-settings', 'give numbers, and 1 to 1024 buckets with a text');
    }
    this.numbers = numbers;
    this.text = text;
    this.buckets = text === undefined ? 0 : buckets;
    this.width = numbers.length + this.buckets;
  }

  describe() {
    const contract = new Contract();
    for (const { name } of this.numbers) contract.input(name, 'f64');
    if (this.text !== undefined) contract.input(this.text, 'utf8');
    return contract.output('input', 'f32', [-1, this.width]);
  }

  apply(batch) {
    const out = new Float32Array(batch.rows * this.width);
    this.numbers.forEach(({ name, log, mean, scale }, field) => {
      const column = batch.column(field);
      for (let row = 0; row < batch.rows; row++) {
        let x = column[row];
        if (Number.isNaN(x)) continue; // Missing becomes the mean: 0 when scaled.
        if (log && x < 0) {
          throw Failure.invalidInput('negative', `${name} must not be negative`, { field: name, row });
        }
        if (log) x = Math.log(1 + x);
        out[row * this.width + field] = (x - mean) / scale;
      }
    });
    if (this.text !== undefined) {
      const first = this.numbers.length;
      batch.utf8(first).forEach((bytes, row) => {
        if (bytes) out[row * this.width + first + (hash(bytes) % this.buckets)] = 1;
      });
    }
    return [tensors.f32([batch.rows, this.width], out)];
  }
}

export const transformer = transform(Homes);

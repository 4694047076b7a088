// Columns scaled to mean 0 and deviation 1, as the model was trained on them.
import { Contract, Failure, tensors, transform } from './sdk/transform.js';

class Scale {
  constructor({ columns }) {
    if (!columns?.length) throw Failure.invalidSettings('bad-settings', 'give columns');
    for (const { name, scale } of columns) {
      if (!(scale > 0)) {
        throw Failure.invalidSettings('bad-scale', 'scale must be greater than 0', { field: name });
      }
    }
    this.columns = columns;
  }

  describe() {
    const contract = new Contract();
    for (const { name } of this.columns) contract.input(name, 'f64');
    return contract.output('input', 'f32', [-1, this.columns.length]);
  }

  apply(batch) {
    const width = this.columns.length;
    const out = new Float32Array(batch.rows * width); // row-major
    this.columns.forEach(({ name, mean, scale }, field) => {
      const column = batch.column(field);
      for (let row = 0; row < batch.rows; row++) {
        const x = column[row];
        if (Number.isNaN(x)) continue; // Missing becomes the mean: 0 when scaled.
        if (!Number.isFinite(x)) {
          throw Failure.invalidInput('not-finite', 'the value is infinite', { field: name, row });
        }
        out[row * width + field] = (x - mean) / scale;
      }
    });
    return [tensors.f32([batch.rows, width], out)];
  }
}

export const transformer = transform(Scale);

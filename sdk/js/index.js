/**
 * Plugins for Tollgate, in JavaScript: what all three kinds share. Each kind has
 * its own entry: `transform.js`, `detector.js`, `action.js`. What the host does
 * with a plugin is written in wit/0.1; types are in the `.d.ts` beside each file.
 *
 * There is no clock, no randomness (`Math.random` repeats), no console and no
 * network; use `log` below.
 */
import { emit } from 'tollgate:plugin/log@0.1.0';

/** Lines for the gateway's log. */
export const log = {
  debug: (message) => emit('debug', String(message)),
  info: (message) => emit('info', String(message)),
  warn: (message) => emit('warn', String(message)),
  error: (message) => emit('error', String(message)),
};

/** A refusal: throw it from any function of a plugin. */
export class Failure extends Error {
  constructor(fault, code, message, { field, row, retryable = false } = {}) {
    super(message);
    this.name = 'Failure';
    this.code = code;
    // What the generated bindings hand to the host.
    this.payload = { fault, code, message, field, row, retryable };
  }
  static invalidInput(code, message, at) {
    return new Failure('invalid-input', code, message, at);
  }
  static invalidSettings(code, message, at) {
    return new Failure('invalid-settings', code, message, at);
  }
  static unsupported(code, message, at) {
    return new Failure('unsupported', code, message, at);
  }
  static upstream(code, message, at) {
    return new Failure('upstream', code, message, at);
  }
  static internal(code, message, at) {
    return new Failure('internal', code, message, at);
  }
}

/**
 * Runs `f`; an exception that is no `Failure` is a defect: logged with its
 * stack, and told to the host as one.
 */
export function guarded(f) {
  try {
    return f();
  } catch (error) {
    if (error instanceof Failure) throw error;
    const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    log.error(said);
    for (const line of String(error?.stack ?? '').split('\n').slice(0, 8)) log.error(line);
    throw Failure.internal('exception', said);
  }
}

/** Settings as an object. */
export function parse(settings) {
  try {
    return JSON.parse(settings);
  } catch (error) {
    throw Failure.invalidSettings('not-json', `the settings are not JSON: ${error.message}`);
  }
}

/** The rows of one call. Columns are named, or numbered as in the contract. */
export class Batch {
  #fields = [];
  #names;

  /** `names` are those of the contract, in order. */
  constructor({ rows, blocks }, names) {
    this.rows = rows;
    this.#names = names;
    for (const block of blocks) {
      for (let field = 0; field < block.fields; field++) {
        this.#fields.push({ block, first: field * rows });
      }
    }
  }

  #find(field) {
    const index = typeof field === 'number' ? field : this.#names.indexOf(field);
    const found = this.#fields[index];
    if (found === undefined) {
      throw Failure.internal('no-such-field', `the batch has no field ${JSON.stringify(field)}`);
    }
    return found;
  }

  /** A column of numbers, as the typed array of its element. No copy. */
  column(field) {
    const { block, first } = this.#find(field);
    if (block.values.tag === 'utf8') {
      throw Failure.internal('other-element', `field ${JSON.stringify(field)} is text: use texts()`);
    }
    return block.values.val.subarray(first, first + this.rows);
  }

  /** Whether there is a value; a float's NaN counts as none. */
  isPresent(field, row) {
    const { block, first } = this.#find(field);
    const { tag, val } = block.values;
    if (tag === 'f32s' || tag === 'f64s') return !Number.isNaN(val[first + row]);
    const at = first + row;
    return block.validity === undefined || ((block.validity[at >> 3] >> (at & 7)) & 1) === 1;
  }

  /** A column of texts; `null` where there is none. */
  texts(field) {
    return this.utf8(field).map((bytes) => bytes && decoder.decode(bytes));
  }

  /** A column of texts as their UTF-8 bytes; `null` where there is none. No copy. */
  utf8(field) {
    const { block, first } = this.#find(field);
    if (block.values.tag !== 'utf8') {
      throw Failure.internal('other-element', `field ${JSON.stringify(field)} is not text: use column()`);
    }
    const { offsets, data } = block.values.val;
    return Array.from({ length: this.rows }, (_, row) =>
      this.isPresent(field, row) ? data.subarray(offsets[first + row], offsets[first + row + 1]) : null,
    );
  }
}

const decoder = new TextDecoder();

const ARRAYS = { f32: Float32Array, f64: Float64Array, s64: BigInt64Array, s32: Int32Array, u8: Uint8Array };

/** An output of that element: row-major values, as a typed array or any list. */
function tensor(element, shape, values) {
  const Type = ARRAYS[element];
  const val = values instanceof Type ? values : Type.from(values);
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (val.length !== count) {
    throw Failure.internal('wrong-shape', `a tensor of shape [${shape}] needs ${count} values, not ${val.length}`);
  }
  return { shape: Uint32Array.from(shape), values: { tag: `${element}s`, val } };
}

/** Makers of outputs, as in `tensors.f32([batch.rows, 3], values)`. */
export const tensors = {
  f32: (shape, values) => tensor('f32', shape, values),
  f64: (shape, values) => tensor('f64', shape, values),
  s64: (shape, values) => tensor('s64', shape, values),
  s32: (shape, values) => tensor('s32', shape, values),
  u8: (shape, values) => tensor('u8', shape, values),
};

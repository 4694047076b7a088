/** Transforms: rows of named columns become the tensors a model takes. */
import { Batch, guarded, parse } from './index.js';

export { Batch, Failure, log, tensors } from './index.js';

/** What goes in and comes out; each call adds to it. */
export class Contract {
  inputs = [];
  outputs = [];
  // Typed arrays are as fast.
  rawInputs = false;

  /** A column that may have missing values. */
  input(name, element) {
    this.inputs.push({ name, element, nullable: true });
    return this;
  }
  /** A column for which the gateway refuses missing values. */
  required(name, element) {
    this.inputs.push({ name, element, nullable: false });
    return this;
  }
  /** An output; -1 in `shape` is the row count and stands first. */
  output(name, element, shape) {
    this.outputs.push({ name, element, shape: BigInt64Array.from(shape, BigInt) });
    return this;
  }
}

/**
 * Makes a class a plugin: `export const transformer = transform(Mine)`. Its
 * constructor gets the settings; it has `describe()` and `apply(batch)`.
 */
export function transform(Plugin) {
  let plugin;
  let names;
  return {
    configure: (settings) =>
      guarded(() => {
        plugin = new Plugin(parse(settings));
        names = plugin.describe().inputs.map((input) => input.name);
      }),
    describe: () => guarded(() => plugin.describe()),
    apply: (batch) => guarded(() => plugin.apply(new Batch(batch, names))),
  };
}

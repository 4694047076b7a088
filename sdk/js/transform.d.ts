import { Batch, Element, Tensor } from './index.js';
export { Batch, Element, Failure, Tensor, log, tensors } from './index.js';

/** What goes in and comes out; each call adds to it and answers it. */
export class Contract {
  /** A column that may have missing values. */
  input(name: string, element: Element): this;
  /** A column for which the gateway refuses missing values. */
  required(name: string, element: Element): this;
  /** An output; -1 in `shape` is the row count and stands first. */
  output(name: string, element: Element, shape: number[]): this;
}

export interface Transform {
  /** Must depend on nothing but the settings. */
  describe(): Contract;
  /** One tensor for each output of the contract, in order. */
  apply(batch: Batch): Tensor[];
}

/** Makes a class a plugin: `export const transformer = transform(Mine)`. */
export function transform<S>(plugin: new (settings: S) => Transform): unknown;

/** Lines for the gateway's log: 64 of 512 bytes a call are kept. */
export const log: {
  debug(message: unknown): void;
  info(message: unknown): void;
  warn(message: unknown): void;
  error(message: unknown): void;
};

export type Fault = 'invalid-input' | 'invalid-settings' | 'unsupported' | 'upstream' | 'internal';

/** Where it went wrong, and whether the same call may succeed later. */
export interface At {
  field?: string;
  row?: number;
  retryable?: boolean;
}

/**
 * A refusal: throw it. `code` is a stable token of yours, `message` one
 * sentence: what is wrong, where, what to do.
 */
export class Failure extends Error {
  constructor(fault: Fault, code: string, message: string, at?: At);
  readonly code: string;
  static invalidInput(code: string, message: string, at?: At): Failure;
  static invalidSettings(code: string, message: string, at?: At): Failure;
  static unsupported(code: string, message: string, at?: At): Failure;
  static upstream(code: string, message: string, at?: At): Failure;
  static internal(code: string, message: string, at?: At): Failure;
}

/** Element of a column or tensor. */
export type Element = 'f32' | 'f64' | 's64' | 's32' | 'u8' | 'utf8';
export type Numbers = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array;

/** The rows of one call. A field is named, or numbered as in the contract. */
export class Batch {
  readonly rows: number;
  /** A column of numbers, as the typed array of its element. No copy. */
  column(field: string | number): Numbers;
  /** Whether there is a value; a float's NaN counts as none. */
  isPresent(field: string | number, row: number): boolean;
  /** A column of texts; `null` where there is none. */
  texts(field: string | number): (string | null)[];
  /** The same as UTF-8 bytes. No copy. */
  utf8(field: string | number): (Uint8Array | null)[];
}

/** One output, made by `tensors`. */
export interface Tensor {
  readonly shape: Uint32Array;
  readonly values: { tag: string; val: Numbers };
}

/** Makers of outputs: row-major values, as a typed array or any list. */
export const tensors: {
  f32(shape: number[], values: ArrayLike<number>): Tensor;
  f64(shape: number[], values: ArrayLike<number>): Tensor;
  s64(shape: number[], values: ArrayLike<bigint>): Tensor;
  s32(shape: number[], values: ArrayLike<number>): Tensor;
  u8(shape: number[], values: ArrayLike<number>): Tensor;
};

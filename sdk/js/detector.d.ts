import { Batch } from './index.js';
export { Batch, Failure, log } from './index.js';

/** `feature` is empty for a score over all of them. */
export interface Score {
  feature?: string;
  statistic: number;
  pValue?: number;
  drifted?: boolean;
}

export interface Detector<State> {
  /** Learns the reference. */
  fit(reference: Batch): void;
  /** Takes in one window and says how far it is from the reference. */
  observe(window: Batch): Score[];
  /** All state, as JSON can hold it; no rows. */
  snapshot(): State;
  /** Continues where `snapshot` was taken; called instead of `fit`. */
  restore(state: State): void;
}

/**
 * Makes a class a plugin: `export const drift = detector(Mine)`. `features` of
 * the settings names the columns: `[{"name": "age", "element": "f64"}]`.
 */
export function detector<S, State>(plugin: new (settings: S) => Detector<State>): unknown;

export { Failure, log } from './index.js';

/** One rollback, after it happened: traffic is already back. */
export interface Event {
  /** The same for every try. */
  id: string;
  endpoint: string;
  /** The version that was taken out, as in `churn/7`. */
  from: string;
  /** The version that serves again. */
  to: string;
  cause: 'health' | 'quality' | 'drift' | 'manual';
  reason: string;
  /** Milliseconds since the Unix epoch. */
  at: number;
  /** Which try this is, from 1. */
  attempt: number;
}

export interface Request {
  /** Name of a grant. */
  target: string;
  method?: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** Path and query below the grant's prefix. */
  path?: string;
  headers?: Record<string, string>;
  /** Text, bytes, or anything to be sent as JSON. */
  body?: unknown;
}

export interface Response {
  status: number;
  ok: boolean;
  headers: Record<string, string>;
  body: Uint8Array;
  text(): string;
  json(): unknown;
}

/** Sends one request. A refusal is thrown as a `Failure` whose code it is. */
export function send(request: Request): Response;

export interface Outcome {
  tag: 'done' | 'skipped';
  val: string;
}
/** The action did it; the text says what, for the ledger. */
export function done(text: string): Outcome;
/** There was nothing to do; the text says why. */
export function skipped(text: string): Outcome;

export interface Action {
  /** May be called again with the same id, and must then not act twice. */
  run(event: Event): Outcome;
}

/** Makes a class a plugin: `export const rollback = action(Mine)`. */
export function action<S>(plugin: new (settings: S) => Action): unknown;

// Tells a hook, as chat tools take it, that a rollout was rolled back.
import { Failure, action, done, log, send } from './sdk/action.js';

class Notify {
  constructor({ target, path }) {
    if (!target || !path) throw Failure.invalidSettings('bad-settings', 'give target and path');
    this.target = target;
    this.path = path;
  }

  run({ endpoint, from, to, reason }) {
    const text = `${endpoint}: ${from} was rolled back to ${to}: ${reason}`;
    // The host adds an idempotency key, the same for every try of an event.
    const { ok, status } = send({ target: this.target, path: this.path, body: { text } });
    if (!ok) {
      throw Failure.upstream('bad-status', `it answered ${status}`, { retryable: status >= 500 });
    }
    log.info(`${this.target} answered ${status}`);
    return done(`${this.target} answered ${status}`);
  }
}

export const rollback = action(Notify);

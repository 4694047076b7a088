/** Detectors: windows of live data are compared with a reference. */
import { Batch, Failure, guarded, parse } from './index.js';

export { Batch, Failure, log } from './index.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Makes a class a plugin: `export const drift = detector(Mine)`. Its constructor
 * gets the settings, whose `features` name the columns; it has `fit(batch)`,
 * `observe(batch)` with an array of scores, `snapshot()` with its state as
 * anything that JSON can hold, and `restore(state)`.
 */
export function detector(Plugin) {
  class Detector {
    #settings;
    #names = [];
    #plugin;

    constructor(settings) {
      // Wrong settings are reported by `fit`: a constructor cannot refuse.
      this.#settings = settings;
    }

    #make() {
      const settings = parse(this.#settings);
      this.#names = (settings.features ?? []).map((feature) => feature.name);
      return new Plugin(settings);
    }

    #fitted() {
      if (this.#plugin === undefined) {
        throw Failure.internal('not-fitted', 'the detector was used before fit');
      }
      return this.#plugin;
    }

    fit(reference) {
      return guarded(() => {
        const plugin = this.#make();
        plugin.fit(new Batch(reference, this.#names));
        this.#plugin = plugin;
      });
    }

    observe(window) {
      return guarded(() =>
        this.#fitted()
          .observe(new Batch(window, this.#names))
          .map(({ feature = '', statistic, pValue, drifted = false }) => ({ feature, statistic, pValue, drifted })),
      );
    }

    snapshot() {
      return guarded(() => encoder.encode(JSON.stringify(this.#fitted().snapshot())));
    }

    static restore(settings, state) {
      return guarded(() => {
        const detector = new Detector(settings);
        const plugin = detector.#make();
        plugin.restore(JSON.parse(decoder.decode(state)));
        detector.#plugin = plugin;
        return detector;
      });
    }
  }
  return { Detector };
}

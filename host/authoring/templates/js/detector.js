// Watches the mean of each feature: how many standard errors a window's mean is
// away from the reference's.
import { Failure, detector } from './sdk/detector.js';

/** Count, mean and deviation of the values that are there. */
function moments(values) {
  const present = Array.from(values).filter((x) => !Number.isNaN(x));
  const n = present.length;
  const mean = present.reduce((sum, x) => sum + x, 0) / n;
  const variance = present.reduce((sum, x) => sum + (x - mean) * (x - mean), 0) / n;
  return { n, mean, deviation: Math.sqrt(variance) };
}

class MeanShift {
  constructor({ features, threshold }) {
    if (!features?.length || !(threshold > 0)) {
      throw Failure.invalidSettings('bad-settings', 'give features and a threshold');
    }
    this.features = features.map(({ name }) => name);
    this.threshold = threshold;
  }

  fit(reference) {
    this.moments = this.features.map((name, field) => {
      const { mean, deviation } = moments(reference.column(field));
      if (!(deviation > 0)) {
        throw Failure.invalidInput('no-spread', 'its values do not vary', { field: name });
      }
      return [mean, deviation];
    });
  }

  observe(window) {
    return this.features.map((feature, field) => {
      const [mean, deviation] = this.moments[field];
      const { n, mean: seen } = moments(window.column(field));
      if (n === 0) {
        throw Failure.invalidInput('no-values', 'the window has no values', { field: feature });
      }
      const statistic = Math.abs(seen - mean) / (deviation / Math.sqrt(n));
      return { feature, statistic, drifted: statistic > this.threshold };
    });
  }

  snapshot() {
    return this.moments;
  }

  restore(state) {
    this.moments = state;
  }
}

export const drift = detector(MeanShift);

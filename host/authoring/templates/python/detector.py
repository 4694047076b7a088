"""Watches the mean of each feature: how many standard errors a window's mean is
away from the reference's."""

from math import sqrt

from tollgate_plugin.detector import Detector as Base
from tollgate_plugin.detector import Failure, Score, detector


def moments(values):
    """Count, mean and deviation of the values that are there."""
    present = [x for x in values if x == x]
    n = len(present)
    if n == 0:
        return 0, 0.0, 0.0
    mean = sum(present) / n
    return n, mean, sqrt(sum((x - mean) * (x - mean) for x in present) / n)


class MeanShift(Base):
    def __init__(self, settings):
        self.features = [feature["name"] for feature in settings.get("features") or []]
        self.threshold = settings.get("threshold") or 0
        if not self.features or not self.threshold > 0:
            raise Failure.invalid_settings("bad-settings", "give features and a threshold")

    def fit(self, reference):
        self.moments = []
        for field, name in enumerate(self.features):
            _, mean, deviation = moments(reference.column(field))
            if not deviation > 0:
                raise Failure.invalid_input("no-spread", "its values do not vary", field=name)
            self.moments.append((mean, deviation))

    def observe(self, window):
        scores = []
        for field, name in enumerate(self.features):
            mean, deviation = self.moments[field]
            n, seen, _ = moments(window.column(field))
            if n == 0:
                raise Failure.invalid_input("no-values", "the window has no values", field=name)
            statistic = abs(seen - mean) / (deviation / sqrt(n))
            scores.append(Score(name, statistic, drifted=statistic > self.threshold))
        return scores

    def snapshot(self):
        return self.moments

    def restore(self, state):
        self.moments = state


Detector = detector(MeanShift)

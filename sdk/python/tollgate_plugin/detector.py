"""Detectors: windows of live data are compared with a reference."""

import json
from typing import Any, List, Optional, Type

from wit_world.exports import drift

from .batch import Batch
from .failure import Failure, guarded
from .log import log
from .settings import parse

__all__ = ["Batch", "Detector", "Failure", "Score", "detector", "log"]


def Score(
    feature: str, statistic: float, p_value: Optional[float] = None, drifted: bool = False
) -> drift.Score:
    """What was found in one feature; its name is empty for all of them together."""
    return drift.Score(feature, float(statistic), p_value, bool(drifted))


class Detector:
    """Your class: its `__init__` gets the settings, whose `features` name the
    columns: `[{"name": "age", "element": "f64"}]`."""

    def __init__(self, settings: dict):
        pass

    def fit(self, reference: Batch) -> None:
        """Learns the reference."""
        raise NotImplementedError

    def observe(self, window: Batch) -> List[drift.Score]:
        """Takes in one window and says how far it is from the reference."""
        raise NotImplementedError

    def snapshot(self) -> Any:
        """All state, as JSON can hold it; no rows."""
        raise NotImplementedError

    def restore(self, state: Any) -> None:
        """Continues where `snapshot` was taken; called instead of `fit`."""
        raise NotImplementedError


def detector(plugin: Type[Detector]) -> type:
    """Makes a class a plugin: `Detector = detector(Mine)`."""

    class Wrapped(drift.Detector):
        def __init__(self, settings: str) -> None:
            # Wrong settings are reported by `fit`: a constructor cannot refuse.
            self.settings = settings
            self.plugin: Optional[Detector] = None

        def _make(self) -> Detector:
            settings = parse(self.settings)
            features = settings.get("features", [])
            self.names = [feature["name"] for feature in features]
            self.elements = [feature.get("element", "f64") for feature in features]
            return plugin(settings)

        def _batch(self, batch) -> Batch:
            return Batch(batch, self.names, self.elements)

        def _fitted(self) -> Detector:
            if self.plugin is None:
                raise Failure.internal("not-fitted", "the detector was used before fit")
            return self.plugin

        def fit(self, reference) -> None:
            def run():
                made = self._make()
                made.fit(self._batch(reference))
                self.plugin = made

            guarded(run)

        def observe(self, window) -> List[drift.Score]:
            return guarded(lambda: self._fitted().observe(self._batch(window)))

        def snapshot(self) -> bytes:
            return guarded(lambda: json.dumps(self._fitted().snapshot()).encode())

        @classmethod
        def restore(cls, settings: str, state: bytes):
            def run():
                self = cls(settings)
                made = self._make()
                made.restore(json.loads(state))
                self.plugin = made
                return self

            return guarded(run)

    Wrapped.__name__ = "Detector"
    return Wrapped

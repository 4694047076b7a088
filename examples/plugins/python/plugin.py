"""Homes for a model: numbers scaled, one column of text hashed into buckets."""

import math
from array import array

from tollgate_plugin.transform import Contract, Failure, Transform, tensor, transform


def hash32(data: bytes) -> int:
    """FNV-1a, 32 bits, over UTF-8."""
    h = 0x811C9DC5
    for byte in data:
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return h


class Homes(Transform):
    def __init__(self, settings):
        self.numbers = settings.get("numbers") or []
        self.text = settings.get("text")
        self.buckets = settings.get("buckets", 0) if self.text is not None else 0
        for number in self.numbers:
            if not number["scale"] > 0:
                raise Failure.invalid_settings(
                    "bad-scale", "scale must be greater than 0", field=number["name"]
                )
        if not self.numbers or (self.text is not None and not 1 <= self.buckets <= 1024):
            raise Failure.invalid_settings(
                "bad-settings", "give numbers, and 1 to 1024 buckets with a text"
            )
        self.width = len(self.numbers) + self.buckets

    def describe(self):
        contract = Contract()
        for number in self.numbers:
            contract.input(number["name"], "f64")
        if self.text is not None:
            contract.input(self.text, "utf8")
        return contract.output("input", "f32", [-1, self.width])

    def apply(self, batch):
        width = self.width
        out = array("f", bytes(4 * batch.rows * width))
        for field, number in enumerate(self.numbers):
            name, log = number["name"], number.get("log", False)
            mean, scale = number["mean"], number["scale"]
            for row, x in enumerate(batch.column(field)):
                if x != x:
                    continue  # Missing becomes the mean: 0 when scaled.
                if log and x < 0:
                    raise Failure.invalid_input(
                        "negative", f"{name} must not be negative", field=name, row=row
                    )
                out[row * width + field] = ((math.log(1 + x) if log else x) - mean) / scale
        if self.text is not None:
            first = len(self.numbers)
            for row, data in enumerate(batch.utf8(first)):
                if data is not None:
                    out[row * width + first + hash32(data) % self.buckets] = 1
        return [tensor("f32", [batch.rows, width], out)]


Transformer = transform(Homes)

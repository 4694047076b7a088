"""Columns scaled to mean 0 and deviation 1, as the model was trained on them."""

from array import array
from math import isinf

from tollgate_plugin.transform import Contract, Failure, Transform, tensor, transform


class Scale(Transform):
    def __init__(self, settings):
        self.columns = settings.get("columns") or []
        if not self.columns:
            raise Failure.invalid_settings("bad-settings", "give columns")
        for column in self.columns:
            if not column["scale"] > 0:
                raise Failure.invalid_settings(
                    "bad-scale", "scale must be greater than 0", field=column["name"]
                )

    def describe(self):
        contract = Contract()
        for column in self.columns:
            contract.input(column["name"], "f64")
        return contract.output("input", "f32", [-1, len(self.columns)])

    def apply(self, batch):
        width = len(self.columns)
        out = array("f", bytes(4 * batch.rows * width))  # row-major
        for field, column in enumerate(self.columns):
            name, mean, scale = column["name"], column["mean"], column["scale"]
            for row, x in enumerate(batch.column(field)):
                if x != x:
                    continue  # Missing becomes the mean: 0 when scaled.
                if isinf(x):
                    raise Failure.invalid_input(
                        "not-finite", "the value is infinite", field=name, row=row
                    )
                out[row * width + field] = (x - mean) / scale
        return [tensor("f32", [batch.rows, width], out)]


Transformer = transform(Scale)

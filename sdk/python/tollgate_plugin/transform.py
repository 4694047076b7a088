"""Transforms: rows of named columns become the tensors a model takes."""

from array import array
from typing import Iterable, List, Sequence, Type

from wit_world.exports import Transformer as World
from wit_world.exports.transformer import Contract as WitContract, FieldSpec, OutputSpec
from wit_world.imports import tensors as wit

from .batch import CODES, Batch
from .failure import Failure, guarded
from .log import log
from .settings import parse

__all__ = ["Batch", "Contract", "Failure", "Transform", "log", "tensor", "transform"]


class Contract:
    """What goes in and comes out; each call adds to it and answers it.

    Numbers arrive as raw bytes and are read without becoming Python objects;
    `raw_inputs=False` asks for lists instead, which are slower to make.
    """

    def __init__(self, raw_inputs: bool = True):
        self.inputs: List[tuple] = []
        self.outputs: List[tuple] = []
        self.raw_inputs = raw_inputs

    def input(self, name: str, element: str) -> "Contract":
        """A column that may have missing values."""
        self.inputs.append((name, element, True))
        return self

    def required(self, name: str, element: str) -> "Contract":
        """A column for which the gateway refuses missing values."""
        self.inputs.append((name, element, False))
        return self

    def output(self, name: str, element: str, shape: Sequence[int]) -> "Contract":
        """An output; -1 in `shape` is the row count and stands first."""
        self.outputs.append((name, element, list(shape)))
        return self

    def to_wit(self) -> WitContract:
        """As the generated bindings want it."""
        return WitContract(
            [FieldSpec(name, wit.Element[of.upper()], null) for name, of, null in self.inputs],
            [OutputSpec(name, wit.Element[of.upper()], shape) for name, of, shape in self.outputs],
            self.raw_inputs,
        )


class Transform:
    """Your class: its `__init__` gets the settings."""

    def __init__(self, settings: dict):
        pass

    def describe(self) -> Contract:
        """Must depend on nothing but the settings."""
        raise NotImplementedError

    def apply(self, batch: Batch) -> List[wit.Tensor]:
        """One tensor for each output of the contract, in order."""
        raise NotImplementedError


def tensor(element: str, shape: Sequence[int], values: Iterable) -> wit.Tensor:
    """An output: row-major values, at best an `array` of the element's code."""
    code = CODES[element]
    data = values if isinstance(values, array) and values.typecode == code else array(code, values)
    count = 1
    for dim in shape:
        count *= dim
    if len(data) != count:
        raise Failure.internal(
            "wrong-shape", f"a tensor of shape {list(shape)} needs {count} values, not {len(data)}"
        )
    return wit.Tensor(list(shape), wit.Buffer_Raw(data.tobytes()))


def transform(plugin: Type[Transform]) -> type:
    """Makes a class a plugin: `Transformer = transform(Mine)`."""

    # Not on the object: each of its functions is given an object of its own.
    made: List[Transform] = []
    fields: List[tuple] = []

    class Transformer(World):
        def configure(self, settings: str) -> None:
            def run():
                made[:] = [plugin(parse(settings))]
                fields[:] = made[0].describe().inputs

            guarded(run)

        def describe(self) -> WitContract:
            return guarded(lambda: made[0].describe().to_wit())

        def apply(self, batch) -> List[wit.Tensor]:
            def run():
                names = [name for name, _, _ in fields]
                elements = [element for _, element, _ in fields]
                return made[0].apply(Batch(batch, names, elements))

            return guarded(run)

    return Transformer

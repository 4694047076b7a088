"""Reading the rows of a call."""

from typing import Dict, List, Optional, Sequence, Union

from wit_world.imports import tensors

from .failure import Failure

# Of an element: its code in `memoryview` and `array`.
CODES = {"f32": "f", "f64": "d", "s64": "q", "s32": "i", "u8": "B"}
FLOATS = (tensors.Buffer_F32s, tensors.Buffer_F64s)

Field = Union[str, int]


class Batch:
    """`rows` rows. A field is named, or numbered as in the contract."""

    def __init__(self, batch, names: Sequence[str], elements: Sequence[str]):
        self.rows: int = batch.rows
        self._index: Dict[str, int] = {name: at for at, name in enumerate(names)}
        self._elements = elements
        self._fields = []
        for block in batch.blocks:
            values = block.values
            element = elements[len(self._fields)] if len(self._fields) < len(elements) else None
            if isinstance(values, tensors.Buffer_Raw):
                # A view: the bytes are not turned into Python numbers one by one.
                data = memoryview(values.value).cast(CODES[element])
            else:
                data = values.value
            is_float = isinstance(values, FLOATS) or (
                isinstance(values, tensors.Buffer_Raw) and element in ("f32", "f64")
            )
            for field in range(block.fields):
                self._fields.append((data, field * batch.rows, block.validity, is_float))

    def _find(self, field: Field):
        at = field if isinstance(field, int) else self._index.get(field, -1)
        if not 0 <= at < len(self._fields):
            raise Failure.internal("no-such-field", f"the batch has no field {field!r}")
        return self._fields[at]

    def column(self, field: Field) -> Sequence:
        """A column of numbers: a `memoryview` of the contract's element (or, in
        detectors, a list). No copy of raw input."""
        data, first, _, _ = self._find(field)
        if isinstance(data, tensors.Text):
            raise Failure.internal("other-element", f"field {field!r} is text: use texts()")
        return data[first : first + self.rows]

    def is_present(self, field: Field, row: int) -> bool:
        """Whether there is a value; a float's NaN counts as none."""
        data, first, validity, is_float = self._find(field)
        at = first + row
        if is_float:
            return data[at] == data[at]
        return validity is None or validity[at >> 3] >> (at & 7) & 1 == 1

    def utf8(self, field: Field) -> List[Optional[bytes]]:
        """A column of texts as bytes; `None` where there is none."""
        data, first, validity, _ = self._find(field)
        if not isinstance(data, tensors.Text):
            raise Failure.internal("other-element", f"field {field!r} is not text: use column()")
        offsets, text = data.offsets, data.data
        return [
            text[offsets[at] : offsets[at + 1]]
            if validity is None or validity[at >> 3] >> (at & 7) & 1
            else None
            for at in range(first, first + self.rows)
        ]

    def texts(self, field: Field) -> List[Optional[str]]:
        """A column of texts; `None` where there is none."""
        return [None if text is None else text.decode() for text in self.utf8(field)]

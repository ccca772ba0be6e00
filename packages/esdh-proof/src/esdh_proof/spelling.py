"""Values that were read, as the columns that a format's writer takes, and the bytes it makes of them."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core.columns import Coded, Column, Date, FixedText, Integer, Vocabulary, day_number
from esdh_core.constants import REFERENCE_DATE
from esdh_core.rules import Entity
from esdh_export import FORMATS, BlockArrays
from esdh_export.formats import Writer

__all__ = ["Memory", "columns_of", "text_of"]

_YEARS = range(1800, REFERENCE_DATE.year + 1)
_DAYS = (
    day_number(REFERENCE_DATE.replace(year=_YEARS[0], month=1, day=1)),
    day_number(REFERENCE_DATE.replace(month=12, day=31)),
)
_WIDE = 10  # characters: a text of one width from here on is an identifier, not a word
_IDENTIFIER = r"^[0-9A-Za-z-]+$"


class Memory:
    """A sink that keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes | memoryview] = []

    def write(self, data: bytes | memoryview) -> int:
        """Keep bytes and return how many."""
        self._pieces.append(data)  # nobody writes into it: a text writer gives each block once
        return len(data)

    def take(self) -> memoryview:
        """Return what was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))


def columns_of(arrays: Mapping[str, pa.Array]) -> dict[str, Column] | None:
    """Return arrays as columns, or None when a value is one that no column holds.

    That is a null that is no text, an integer that is no year and a date of other centuries.
    """
    columns = {name: _column(values) for name, values in arrays.items()}
    kept = {name: column for name, column in columns.items() if column is not None}
    return kept if len(kept) == len(columns) else None


def _column(values: pa.Array) -> Column | None:
    if pa.types.is_string(values.type):
        return _fixed(values) or _coded(values)
    if values.null_count or not len(values):
        return None
    numbers = (values.view(pa.int32()) if pa.types.is_date32(values.type) else values).to_numpy()
    low, high = int(numbers.min()), int(numbers.max())
    if pa.types.is_date32(values.type):
        return Date(numbers, low, high) if _DAYS[0] <= low and high <= _DAYS[1] else None
    return Integer(numbers, low, high) if low in _YEARS and high in range(_YEARS[0], 2200) else None


def _fixed(values: pa.Array) -> FixedText | None:
    """Return a column of identifiers of one width, None for anything else."""
    lengths = pc.min_max(pc.binary_length(values)).as_py()
    width = lengths["min"]
    if values.null_count or width is None or width < _WIDE or lengths["max"] != width:
        return None
    if not pc.all(pc.match_substring_regex(values, _IDENTIFIER)).as_py():
        return None
    data = pa.concat_arrays([values]).cast(pa.binary(width)).buffers()[1]
    return FixedText(np.frombuffer(data, np.uint8)[: len(values) * width].reshape(-1, width))


def _coded(values: pa.Array) -> Coded:
    encoded = values.dictionary_encode(null_encoding="encode")
    return Coded(encoded.indices.to_numpy(), Vocabulary(encoded.dictionary.to_pylist()))


def text_of(name: str, entity: Entity, columns: dict[str, Column], seed: int) -> memoryview:
    """Return the rows that a text format writes for some columns, without its header."""
    sink = Memory()
    writer: Writer = FORMATS[name].Writer(sink, entity, seed=seed)
    sink.take()
    writer.write(BlockArrays({entity.plural: columns}))
    return sink.take()

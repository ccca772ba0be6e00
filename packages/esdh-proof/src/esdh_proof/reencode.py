"""Values that were read, as the columns that a format's writer takes, and the bytes it makes of them."""

import datetime as dt
from collections.abc import Mapping
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core import Dataset, Table
from esdh_core.columns import Categorical, Categories, Column, Date, FixedText, Integer, day_number
from esdh_export import FORMATS, EncodedBlock
from esdh_export.formats import Writer

__all__ = ["BytesSink", "columns_of", "text_of"]

_YEARS = range(1800, 2200)  # a column of integers or dates is as wide as its range, so that is bounded
_DAYS = (day_number(dt.date(_YEARS[0], 1, 1)), day_number(dt.date(_YEARS[-1], 12, 31)))
_IDENTIFIER = r"^[0-9A-Za-z-]+$"


class BytesSink:
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


def columns_of(dataset: Dataset, table: Table, arrays: Mapping[str, pa.Array]) -> dict[str, Column] | None:
    """Return a table's arrays as columns of the kinds that its rules make, or None when a value fits none.

    That is a null that is no text, an integer that is no year and a date of other centuries.
    """
    widths = _widths(dataset, table)
    columns = {name: _column(values, widths.get(name)) for name, values in arrays.items()}
    kept = {name: column for name, column in columns.items() if column is not None}
    return kept if len(kept) == len(columns) else None


@cache
def _widths(dataset: Dataset, table: Table) -> dict[str, int]:
    """Return the width of each field whose texts have one width, from the columns of no rows."""
    columns = table.columns(dataset.block(0, 0))
    return {name: each.matrix.shape[1] for name, each in columns.items() if isinstance(each, FixedText)}


def _column(values: pa.Array, width: int | None) -> Column | None:
    if pa.types.is_string(values.type):
        return (_fixed(values, width) if width else None) or _coded(values)
    if values.null_count or not len(values):
        return None
    numbers = (values.view(pa.int32()) if pa.types.is_date32(values.type) else values).to_numpy()
    low, high = int(numbers.min()), int(numbers.max())
    if pa.types.is_date32(values.type):
        return Date(numbers, low, high) if _DAYS[0] <= low and high <= _DAYS[1] else None
    return Integer(numbers, low, high) if low in _YEARS and high in _YEARS else None


def _fixed(values: pa.Array, width: int) -> FixedText | None:
    """Return texts of one width as such a column, None when one has another, or characters of no identifier."""
    lengths = pc.min_max(pc.binary_length(values)).as_py()
    if values.null_count or (lengths["min"], lengths["max"]) != (width, width):
        return None
    if not pc.all(pc.match_substring_regex(values, _IDENTIFIER)).as_py():
        return None
    data = pa.concat_arrays([values]).cast(pa.binary(width)).buffers()[1]
    return FixedText(np.frombuffer(data, np.uint8)[: len(values) * width].reshape(-1, width))


def _coded(values: pa.Array) -> Categorical:
    encoded = values.dictionary_encode(null_encoding="encode")
    return Categorical(encoded.indices.to_numpy(), Categories(encoded.dictionary.to_pylist()))


def text_of(name: str, dataset: Dataset, table: Table, columns: dict[str, Column], seed: int) -> memoryview:
    """Return the rows that a text format writes for some columns, without its header."""
    sink = BytesSink()
    writer: Writer = FORMATS[name].Writer(sink, table, dataset=dataset, seed=seed)
    sink.take()
    writer.write(EncodedBlock({table.name: columns}))
    return sink.take()

"""Values that were read: their digests, as the columns that a format's writer takes, and the bytes it makes of them."""

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core import Dataset, Table
from esdh_core.columns import (
    Boolean,
    Categorical,
    Categories,
    Column,
    Date,
    Decimal,
    FixedText,
    Integer,
    Numbers,
    Timestamp,
    day_number,
)
from esdh_export import FORMATS, EncodedBlock, array_digest
from esdh_export.formats import Writer
from numpy.typing import NDArray

from esdh_proof.reading.rows import kinds_of

__all__ = ["BytesSink", "column_digests", "columns_of", "text_of"]

_YEARS = (1800, 2199)  # a column may be as costly as its range is wide, so that is bounded
_DAYS = (day_number(dt.date(_YEARS[0], 1, 1)), day_number(dt.date(_YEARS[1], 12, 31)))
_SECONDS = (_DAYS[0] * 86_400, (_DAYS[1] + 1) * 86_400 - 1)
_MICROSECONDS = 1_000_000
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

    That is a null where there can be none (a text aside), a part of a second, and a number, a date or an instant
    that is neither within the bounds of its rule nor of the years 1800 to 2199.
    """
    kinds = kinds_of(dataset, table)
    nullable = {field.name for field in table.schema if field.nullable}
    columns = {
        name: _column(values, kinds[name], nullable=name in nullable) for name, values in arrays.items()
    }
    present = {name: column for name, column in columns.items() if column is not None}
    return present if len(present) == len(columns) else None


def _column(values: pa.Array, kind: Column, *, nullable: bool) -> Column | None:
    if isinstance(kind, Numbers):
        return _numbers(values, kind, nullable=nullable)
    return (_fixed(values, kind.matrix.shape[1]) if isinstance(kind, FixedText) else None) or _coded(values)


def _numbers(values: pa.Array, kind: Numbers, *, nullable: bool) -> Column | None:
    """Return numbers as a column, within the bounds of its rule where they are: these decide how JSON writes them."""
    if (values.null_count and not nullable) or not len(values):
        return None
    valid = values.is_valid().to_numpy(zero_copy_only=False) if values.null_count else None
    numbers, bounds = _column_numbers(values, kind)
    if numbers is None:
        return None
    low, high = kind.low, kind.high
    some = numbers if valid is None else numbers[valid]
    if len(some):
        low, high = min(low, int(some.min())), max(high, int(some.max()))
        if low < min(kind.low, bounds[0]) or high > max(kind.high, bounds[1]):
            return None
    if valid is not None:
        numbers = np.where(valid, numbers, numbers.dtype.type(low))
    match kind:
        case Decimal():
            return Decimal(numbers, low, high, valid, kind.scale)
        case Integer():
            return Integer(numbers, low, high, valid)
        case Boolean() | Date() | Timestamp():
            return type(kind)(numbers, low, high, valid)
    raise TypeError(f"no column is made of values as {type(kind).__name__}")


def _column_numbers(values: pa.Array, kind: Numbers) -> tuple[NDArray[np.integer] | None, tuple[int, int]]:
    """Return the numbers that a column keeps, nulls as any, and the bounds within which it is cheap whatever its rule.

    No numbers for an instant that isn't of a whole second.
    """
    if isinstance(kind, Boolean):
        return pc.fill_null(values, False).to_numpy(zero_copy_only=False), (0, 1)
    if isinstance(kind, Date):
        return pc.fill_null(values.view(pa.int32()), 0).to_numpy(), _DAYS
    if isinstance(kind, Timestamp):
        seconds, rest = np.divmod(pc.fill_null(values.view(pa.int64()), 0).to_numpy(), _MICROSECONDS)
        return None if rest.any() else seconds, _SECONDS
    if isinstance(kind, Decimal):
        halves = np.frombuffer(pa.concat_arrays([values]).buffers()[1], dtype=np.int64)
        return halves[: 2 * len(values) : 2], (kind.low, kind.high)  # the lower half: 18 digits fit 64 bits
    return pc.fill_null(values, 0).to_numpy(), _YEARS


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


def column_digests(arrays: Mapping[str, pa.Array], table: Table) -> Iterator[bytes]:
    """Yield the digest of each column; one that holds a null where there can be none has one of its own."""
    for field in table.schema:
        values = arrays[field.name]
        try:
            yield array_digest(values, nullable=field.nullable)
        except ValueError:
            yield hashlib.sha256(repr(values.to_pylist()).encode()).digest()

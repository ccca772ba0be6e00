"""Every kind of column, with nulls and without, in few rows and in many: as text, as Arrow, in the digest."""

import datetime as dt
import decimal
import hashlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from esdh_core.columns import (
    Boolean,
    Categorical,
    Categories,
    Column,
    Concat,
    Date,
    Decimal,
    FixedText,
    Integer,
    Text,
    Timestamp,
    concatenate,
)
from esdh_export.encoding.arrow import array, array_digest
from esdh_export.encoding.digest import column_digest
from esdh_export.encoding.rows import RowRenderer
from esdh_export.formats.csv import CSV
from esdh_export.formats.ndjson import NDJSON
from hypothesis import given
from hypothesis import strategies as st
from oracle.expressions import Type
from oracle.forms import csv_line, ndjson_line

EPOCH = dt.date(1970, 1, 1)
AWKWARD = ["", "plain", 'quo"te', "com,ma", "café", "back\\slash", " "]


def numbers(rng: np.random.Generator, count: int, low: int, high: int) -> Any:
    """Return so many numbers, the bounds among them."""
    values = rng.integers(low, high, size=count, endpoint=True, dtype=np.int64)
    values[:2] = [low, high][: len(values)]
    return values


def fixed(rng: np.random.Generator, count: int) -> FixedText:
    """Return texts of four letters."""
    return FixedText(rng.integers(65, 91, size=(count, 4)).astype(np.uint8))


KINDS: dict[str, Callable[[np.random.Generator, int], Column]] = {
    "few integers": lambda rng, n: Integer(numbers(rng, n, -3, 900), -3, 900),
    "integers": lambda rng, n: Integer(numbers(rng, n, -(10**9), 10**12), -(10**9), 10**12),
    "wide integers": lambda rng, n: Integer(
        numbers(rng, n, -(1 << 63), (1 << 63) - 1), -(1 << 63), (1 << 63) - 1
    ),
    "few decimals": lambda rng, n: Decimal(numbers(rng, n, -150, 250), -150, 250, scale=2),
    "decimals": lambda rng, n: Decimal(numbers(rng, n, -5, 10**11), -5, 10**11, scale=3),
    "wide decimals": lambda rng, n: Decimal(
        numbers(rng, n, -(10**18) + 1, 10**18 - 1), -(10**18) + 1, 10**18 - 1, scale=18
    ),
    "decimals without digits": lambda rng, n: Decimal(numbers(rng, n, 0, 10**9), 0, 10**9, scale=0),
    "truths": lambda rng, n: Boolean(numbers(rng, n, 0, 1)),
    "dates": lambda rng, n: Date(numbers(rng, n, -25_000, 20_000).astype(np.int32), -25_000, 20_000),
    "dates of all years": lambda rng, n: Date(
        numbers(rng, n, -719_162, 2_932_896).astype(np.int32), -719_162, 2_932_896
    ),
    "instants": lambda rng, n: Timestamp(numbers(rng, n, -(10**9), 2 * 10**9), -(10**9), 2 * 10**9),
    "codes": lambda rng, n: Categorical(rng.integers(0, 7, size=n), Categories(AWKWARD)),
    "texts of one width": fixed,
    "texts": lambda rng, n: Text.of([AWKWARD[at] for at in rng.integers(0, 7, size=n)]),
    "plain texts": lambda rng, n: Text.of(["x" * at + "é" for at in rng.integers(0, 9, size=n)]),
    "parts": lambda rng, n: Concat(
        (Categorical(rng.integers(0, 2, size=n), Categories(["ä", "b"])), "-", fixed(rng, n))
    ),
    "parts that need quotes": lambda rng, n: Concat(
        (Categorical(rng.integers(0, 7, size=n), Categories(AWKWARD)), fixed(rng, n))
    ),
    "parts that may be empty": lambda rng, n: Concat(
        (Categorical(rng.integers(0, 2, size=n), Categories(["", "b"])),)
    ),
}
TYPES = {Integer: "integer", Decimal: "decimal", Boolean: "boolean", Date: "date", Timestamp: "timestamp"}


def type_of(column: Column, *, nullable: bool) -> Type:
    """Return the oracle's type of a column."""
    kind = TYPES.get(type(column), "string")
    scale = column.scale if isinstance(column, Decimal) else 0
    low, high = (column.low, column.high) if isinstance(column, Integer | Decimal) else (0, 0)
    unit = 10**scale
    return Type(kind, scale=scale, nullable=nullable, low=Fraction(low, unit), high=Fraction(high, unit))


def made(kind: str, count: int, *, nulls: bool) -> Column:
    """Return a column of a kind; with nulls, a third of its rows are null."""
    rng = np.random.default_rng(count)
    column = KINDS[kind](rng, count)
    return column.masked(rng.random(count) < 2 / 3) if nulls else column


def first_difference(expected: str, found: str) -> tuple[str, str] | None:
    """Return the first lines that differ; pytest would look for all, for minutes."""
    if expected == found:
        return None
    pairs = zip(expected.split("\n"), found.split("\n"), strict=False)
    return next(((a, b) for a, b in pairs if a != b), ("the end", "the end"))


SHAPES = [
    (kind, count, nulls) for kind in KINDS for count in (0, 1, 50, 5_000, 20_000) for nulls in (False, True)
]


@pytest.mark.parametrize(("kind", "count", "nulls"), SHAPES)
def test_text_is_the_oracles(kind: str, count: int, nulls: bool) -> None:
    """A column between two others is written in CSV and NDJSON as section 4 of the plans' contract has it."""
    column = made(kind, count, nulls=nulls)
    number = Integer(np.arange(count) % 5, 0, 4)
    columns: dict[str, Column] = {"a": number, "b": column, "c": column, "d": number}
    rows = list(zip(*(each.tolist() for each in columns.values()), strict=True))
    types = [type_of(each, nullable=nulls) for each in columns.values()]
    for dialect, expected in (
        (CSV, [csv_line(row) for row in rows]),
        (NDJSON, [ndjson_line("abcd", row, types) for row in rows]),
    ):
        found = b"".join(RowRenderer(dialect).render(columns)).decode()
        assert first_difference("".join(f"{line}\n" for line in expected), found) is None


def test_rows_follow_blocks_that_grow() -> None:
    """A renderer that is kept writes each block's rows, whether their texts are longer or shorter than before."""
    renderer = RowRenderer(CSV)
    for size in (3, 40, 1, 90):
        column = Text.of(["x" * (at % size) + "y" for at in range(9_000)])
        rows = b"".join(bytes(part) for part in renderer.render({"a": column, "b": column}))
        expected = "".join(f"{text},{text}\n" for text in column.tolist())
        assert first_difference(expected, rows.decode()) is None


@pytest.mark.parametrize(("kind", "count", "nulls"), SHAPES)
def test_arrow_has_the_values_and_the_digest(kind: str, count: int, nulls: bool) -> None:
    """A column's Arrow array has its values, and either has the digest that its values give by the contract's words."""
    column = made(kind, count, nulls=nulls)
    values = column.tolist()
    stored = array(column)
    stored.validate(full=True)
    assert [] == [pair for pair in zip(values, stored.to_pylist(), strict=True) if pair[0] != pair[1]][:3]
    expected = digest_by_words(values, type_of(column, nullable=nulls))
    assert expected == column_digest(column, nullable=nulls) == array_digest(stored, nullable=nulls)
    assert expected == array_digest(pa.array(values, stored.type), nullable=nulls)


def digest_by_words(values: list[Any], of: Type) -> bytes:
    """Return the SHA-256 of a column as sections 8 and 4 of the contracts write it."""
    if of.kind == "string":
        texts = [None if value is None else value.encode() for value in values]
        lengths = [0xFFFFFFFF if text is None else len(text) for text in texts]
        data = b"".join(length.to_bytes(4, "little") for length in lengths)
        return hashlib.sha256(data + b"".join(text or b"" for text in texts)).digest()
    validity = bytes(value is not None for value in values) if of.nullable else b""
    width = {"boolean": 1, "date": 4}.get(of.kind, 8)
    numbers = b"".join(as_number(value).to_bytes(width, "little", signed=True) for value in values)
    return hashlib.sha256(validity + numbers).digest()


def as_number(value: Any) -> int:
    """Return a value as the whole number that is hashed for it."""
    if value is None:
        return 0
    if isinstance(value, dt.datetime):
        return int(value.timestamp()) * 1_000_000
    if isinstance(value, dt.date):
        return (value - EPOCH).days
    if isinstance(value, decimal.Decimal):
        _, digits, _ = value.as_tuple()
        return int("".join(map(str, digits))) * (-1 if value < 0 else 1)
    return int(value)


def test_what_stands_for_a_null_is_not_read() -> None:
    """A null may stand on any number, of a day that there isn't, say."""
    valid, days = np.array([True, False]), np.array([0, 1 << 30], dtype=np.int32)
    assert [EPOCH, None] == Date(days, 0, 9, valid).tolist()
    instants = Timestamp(np.array([0, 1 << 62]), 0, 9, valid)
    assert (
        b"1970-01-01T00:00:00Z,\n"
        == b"".join(RowRenderer(CSV).render({"a": instants, "b": instants})).split(b",")[0] + b",\n"
    )
    assert [dt.datetime(1970, 1, 1, tzinfo=dt.UTC), None] == instants.tolist()


@given(st.data())
def test_parts_of_a_column_make_it_whole(data: st.DataObject) -> None:
    """Some rows of a column, and columns put together again, have its values."""
    kind, count = data.draw(st.sampled_from(sorted(KINDS))), data.draw(st.integers(0, 30))
    column = made(kind, count, nulls=data.draw(st.booleans()))
    cut = data.draw(st.integers(0, count))
    first, second = column.take(np.arange(cut)), column.take(np.arange(cut, count))
    assert column.tolist() == first.tolist() + second.tolist() == concatenate([first, second]).tolist()

"""What a plan says of values that follow from others: rollups and running values are added up again, rows counted, uniques inverted.

It is read from the plan as the recipe holds it, not from what the plan compiled to, and nothing is drawn.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache, partial
from math import prod
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core import Dataset, Table
from esdh_core.columns import day_number
from esdh_core.dataset import Block
from esdh_core.permutations import unpermute_below
from esdh_core.streams import key_word
from esdh_export import array
from esdh_export.encoding.buffers import bits, integer_array, null_mask, number_buffer
from esdh_export.encoding.buffers import numbers as numbers_of
from numpy.typing import NDArray

from esdh_proof.checks.finding import Finding, Mask, Ranges, Read, Tables, below, differing, texts_of
from esdh_proof.reading import Rows

__all__ = ["derived", "is_emptied"]

_AGGREGATE = re.compile(
    r"\s*(sum|count|min|max|first|last)\s*\(\s*([a-z0-9_]*)\s*(?:\.\s*([a-z0-9_]+)\s*)?\)\s*"
)
_TOKEN = re.compile(r"(?:\[([^\]]+)\]|\\(.)|([^\[\]{}\\]))(?:\{([0-9]+)\})?", re.DOTALL)
_MAX_CAPACITY = 1 << 62  # values of a pattern
_MOST_PLACES = 1_000  # of a pattern, and characters that a place can have
_DIGITS = "0123456789"
_VIN = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
# The rules of esdh-plan's own: which places of a VIN (6, 8, 11, 12 and 13 to 17) and of a licence hold the number.
_OFFERED = {
    "vin": (*[""] * 5, _VIN, "", _VIN, "", "", _VIN, _VIN, *[_DIGITS] * 5),
    "license_number": ("", "", *[_DIGITS] * 11),
}

Words = NDArray[np.uint64]
Positions = NDArray[np.intp]
Expected = tuple[pa.Array | None, tuple[Read, ...]]
"""What each row should hold, None where that isn't known, and the cells that say so."""


def derived(block: Block, table: Table, rows: Rows, tables: Tables) -> Iterator[Finding]:
    """Check the fields of a table's rows that follow from other rows, or from the row's own number."""
    for name, words in _fields(block.dataset, table).items():
        if isinstance(words.get("rollup"), str):
            expected, reads = _rollup(words["rollup"], block, table, tables)
        elif isinstance(words.get("running"), str):
            expected, reads = _running(words["running"], block, table, rows)
        elif isinstance(words.get("sequence"), dict):
            expected, reads = _sequence(words["sequence"], block, table), ()
        else:
            yield from _unique(block, table, rows, name, words)
            continue
        found = rows.arrays[name]
        if expected is None or len(expected) < len(found) or expected.type != found.type:
            continue
        expected = expected.slice(0, len(found))
        wrong = differing(found, expected)
        if is_emptied(block.dataset, table, name):
            wrong &= ~null_mask(found)
        yield Finding(rows, name, wrong, texts_of(expected), reads=reads)


def is_emptied(dataset: Dataset, table: Table, name: str) -> bool:
    """Return whether a plan makes a field null in some rows, by `when` or `missing`, whatever its rule gives there."""
    words = _fields(dataset, table).get(name, {})
    return "when" in words or "missing" in words


@lru_cache(maxsize=16)
def _plan(dataset: Dataset) -> dict[str, Any]:
    """Return a dataset's plan as it is written, nothing for one without."""
    return _part(dataset, "plan")


@lru_cache(maxsize=16)
def _part(dataset: Dataset, name: str) -> dict[str, Any]:
    """Return a part of a dataset's recipe, empty where it has none."""
    try:
        content = msgspec.json.decode(dataset.recipe or b"{}", type=dict[str, msgspec.Raw])
        part = msgspec.json.Decoder(float_hook=Decimal).decode(content.get(name, msgspec.Raw(b"{}")))
    except msgspec.DecodeError:  # a recipe in another form has no parts to be read
        return {}
    return part if isinstance(part, dict) else {}


def _fields(dataset: Dataset, table: Table) -> dict[str, dict[str, Any]]:
    """Return the fields of a table whose rule has words: a plain text is an expression."""
    tables = _plan(dataset).get("tables", {})
    words = tables.get(table.name, {}) if isinstance(tables, dict) else {}
    fields = words.get("fields", {}) if isinstance(words, dict) else {}
    return {name: rule for name, rule in fields.items() if isinstance(rule, dict) and name in table.fields}


def _sequence(words: dict[str, Any], block: Block, table: Table) -> pa.Array:
    """Return the numbers of a table's rows in their order."""
    return integer_array(block.level(table).slots.astype(np.int64) + int(words.get("start", 1)))


# --- rollups and running values ----------------------------------------------------------------------


def _rollup(text: str, block: Block, table: Table, tables: Tables) -> Expected:
    """Return a rollup of each row of a table, out of the rows below as they were read, else made again."""
    aggregate = _AGGREGATE.fullmatch(text)
    child = {each.name: each for each in block.dataset.tables}.get(aggregate[2]) if aggregate else None
    if aggregate is None or child is None:
        return None, ()
    rows, count = len(block.level(table).slots), len(block.level(child).slots)
    owners = block.rows_of(child, table)
    if owners is None:
        owners = np.arange(count)
    if aggregate[1] == "count":
        return integer_array(np.bincount(owners, minlength=rows).astype(np.int64)), ()
    values = _values(block, child, aggregate[3], tables)
    if len(values) != count:
        return None, ()
    reads = (below(tables[child.name], aggregate[3], owners, rows),) if child.name in tables else ()
    return _gathered(aggregate[1], values, owners, rows), reads


def _values(block: Block, table: Table, field: str, tables: Tables) -> pa.Array:
    """Return a field of a table's rows: as it was read or, of a table that a filter left out, made again."""
    if table.name in tables:
        return tables[table.name].arrays[field]
    return array(next(rule for rule in table.rules if rule.name == field).column(block))


def _gathered(function: str, values: pa.Array, owners: Positions, rows: int) -> pa.Array:
    """Return the sum, least, greatest, first or last of the values of each owner; nulls are passed over."""
    if function == "sum":
        sums = np.zeros(rows, dtype=np.int64)
        np.add.at(sums, owners, _unscaled(values))
        return _scaled(sums, values.type)
    present = np.flatnonzero(~null_mask(values))
    if function in ("min", "max"):
        order = "ascending" if function == "min" else "descending"
        by = pa.table({"owner": integer_array(owners), "value": values}).take(integer_array(present))
        sorted_ = pc.sort_indices(by, sort_keys=[("owner", "ascending"), ("value", order)])
        present = present.take(numbers_of(sorted_).astype(np.intp))
    if function == "last":
        present = present[::-1]
    some, firsts = np.unique(owners.take(present), return_index=True)
    places = np.full(rows, -1, dtype=np.int64)
    places[some] = present.take(firsts)
    return values.take(_places_or_null(places))


def _running(text: str, block: Block, table: Table, rows: Rows) -> Expected:
    """Return the aggregate of each row and its siblings before it, nulls passed over."""
    aggregate = _AGGREGATE.fullmatch(text)
    if aggregate is None:
        return None, ()
    parents = block.level(table).parents
    parents = np.arange(len(rows)) if parents is None else parents[: len(rows)]
    if len(parents) != len(rows) or not len(rows):
        return None, ()
    firsts = np.flatnonzero(np.concatenate([[True], parents[1:] != parents[:-1]]))
    before = np.arange(len(parents)) - np.repeat(firsts, np.diff(np.append(firsts, len(parents))))
    if aggregate[1] == "count":
        return integer_array(before.astype(np.int64) + 1), ()
    values = rows.arrays[aggregate[2]]
    reads = (Read(rows, aggregate[2], partial(_so_far, before)),)
    if aggregate[1] == "sum":
        each = _unscaled(values)
        totals = np.cumsum(each)  # which may wrap; differences don't
        starts = np.arange(len(parents)) - before
        return _scaled(totals - totals.take(starts) + each.take(starts), values.type), reads
    places = _places_so_far(aggregate[1], values, before)
    return values.take(_places_or_null(places)), reads


def _so_far(before: Positions) -> Ranges:
    """Return the range of each row and the `before` siblings before it."""
    rows = np.arange(len(before))
    return rows - before, rows + 1


def _places_so_far(function: str, values: pa.Array, before: Positions) -> Positions:
    """Return where the least, greatest, first or last value stands of each row and the `before` siblings before it.

    -1 stands for no value. Among equal values any does.
    """
    order = np.arange(len(values))
    if function in ("min", "max"):
        encoded = values.dictionary_encode()
        codes = pc.fill_null(encoded.indices, 0).to_numpy()
        dictionary = encoded.dictionary
        if pa.types.is_boolean(dictionary.type):
            dictionary = dictionary.cast(pa.int8())  # which can be sorted
        ranks = np.empty(len(dictionary), dtype=np.int64)
        ranks[pc.sort_indices(dictionary).to_numpy()] = np.arange(len(dictionary))
        order = ranks.take(codes) if len(ranks) else order
    present = ~null_mask(values)
    sign = -1 if function in ("max", "last") else 1
    none = np.iinfo(np.int64).max
    best = np.where(present, sign * order, none)
    known, where = np.unique(best, return_index=True)
    step = 1
    while step <= before.max():  # each row knows of twice as many siblings as before
        earlier = np.minimum(best[step:], best[:-step])
        best[step:] = np.where(before[step:] >= step, earlier, best[step:])
        step *= 2
    return np.where(best == none, -1, where.take(np.searchsorted(known, best)))


def _places_or_null(places: Positions) -> pa.Array:
    """Return places to take from, a null for -1."""
    validity = bits(places >= 0)
    return pa.Array.from_buffers(pa.int64(), len(places), [validity, number_buffer(places, np.int64)])


def _unscaled(values: pa.Array) -> NDArray[np.int64]:
    """Return integers or unscaled decimals, 0 for a null."""
    found = numbers_of(values).astype(np.int64, copy=False)
    if pa.types.is_decimal(values.type):
        found = found[::2]  # the lower half of 128 bits
    return np.where(null_mask(values), 0, found) if values.null_count else found


def _scaled(values: NDArray[np.int64], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_decimal(kind):
        return integer_array(values)
    halves = np.stack([values, values >> 63], axis=1)  # the lower one first
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(halves))])


# --- uniques -----------------------------------------------------------------------------------------


class _Numbered(NamedTuple):
    """How a unique field holds a number: how many there are, and from values to numbers and which of them hold one."""

    capacity: int
    numbers: Callable[[pa.Array], tuple[Words, Mask]]


def _unique(block: Block, table: Table, rows: Rows, name: str, words: dict[str, Any]) -> Iterator[Finding]:
    """Check that each value gives back the slot of its row; siblings that are `ordered` hold their slots between them."""
    rule = next(each for each in table.rules if each.name == name)
    held = _numbered(block.dataset, table, name, words)
    if held is None or not rule.permutation:
        return
    key = np.uint64(block.seed ^ key_word(rule.permutation))
    slots = block.level(table).slots[: len(rows)]
    found = rows.arrays[name]
    numbers, holds = held.numbers(found)
    holds &= numbers < held.capacity
    slots_held = unpermute_below(key, np.where(holds, numbers, np.uint64(0)), held.capacity)
    wrong = ~holds
    here, emptied = slots_held[: len(slots)], is_emptied(block.dataset, table, name)
    reads: tuple[Read, ...] = ()
    if words.get("ordered") is not True:
        wrong[: len(slots)] |= here != slots
    elif emptied:
        room = np.uint64(table.room)
        wrong[: len(slots)] |= here // room != slots // room
    else:
        wrong[: len(slots)] |= _sorted_below(block, table, here) != slots
        reads = (Read(rows, name, partial(_siblings, block, table)),)
    if emptied:
        wrong &= ~null_mask(found)

    def describe(text: str) -> str:
        at = pc.index(found.cast(pa.string()), text).as_py()
        if at < 0 or not holds[at]:
            return f"{text}, which holds no row's number"
        return f"{text}, which holds the number of row {slots_held[at]}"

    yield Finding(
        rows, name, wrong, lambda row: f"a value that holds the number of row {slots[row]}", describe, reads
    )


def _siblings(block: Block, table: Table) -> Ranges:
    """Return the range of each row's siblings, itself among them."""
    parents = block.level(table).parents
    if parents is None:
        parents = np.arange(len(block.level(table).slots))
    return np.searchsorted(parents, parents), np.searchsorted(parents, parents, side="right")


def _sorted_below(block: Block, table: Table, slots: Words) -> Words:
    """Return the slots that the rows of each parent hold in ascending order."""
    parents = block.level(table).parents
    return slots if parents is None else slots[np.lexsort((slots, parents[: len(slots)]))]


def _numbered(dataset: Dataset, table: Table, name: str, words: dict[str, Any]) -> _Numbered | None:
    """Return how a field's values hold numbers, None where they hold none or that takes more than the recipe says."""
    for word, places in _OFFERED.items():
        if word in words and "esdh-plan" in _plan(dataset).get("uses", ()):
            return _of_places(places)
    if words.get("unique") is not True:
        return None
    if isinstance(words.get("pattern"), str):
        return _of_pattern(words["pattern"])
    if isinstance(words.get("faker"), dict):
        pool = words["faker"]
        return _of_pool(dataset, f"{pool.get('provider')}/{pool.get('locale')}/{pool.get('pool')}")
    for kind in ("integer", "decimal", "date"):
        if isinstance(words.get(kind), dict):
            return _of_range(kind, words[kind], _bounds(dataset, table.name, name))
    return None


@lru_cache(maxsize=16)
def _of_pool(dataset: Dataset, name: str) -> _Numbered | None:
    """Return how the values of a pool hold numbers: by their places in it."""
    pool = _part(dataset, "pools").get(name)
    if not isinstance(pool, list) or len(set(pool)) < len(pool):
        return None
    known = pa.array(pool, pa.string())

    def numbers(values: pa.Array) -> tuple[Words, Mask]:
        places = pc.index_in(values, value_set=known)
        holds = ~null_mask(places)
        return pc.fill_null(places, 0).to_numpy().astype(np.uint64), holds

    return _Numbered(len(pool), numbers)


def _bounds(dataset: Dataset, table: str, field: str) -> tuple[int | None, int | None]:
    """Return the least and the greatest value of a field in units, as its plan was compiled."""
    compiled = _part(dataset, "compiled").get("tables", {}).get(table, {}).get("fields", {}).get(field, {})
    low, high = (compiled.get(end) for end in ("low", "high"))
    return (None if low is None else int(low)), (None if high is None else int(high))


def _of_range(kind: str, words: dict[str, Any], compiled: tuple[int | None, int | None]) -> _Numbered | None:
    scale = words.get("scale", 0) if kind == "decimal" else 0
    ends = [_units(kind, words.get(end), scale) for end in ("from", "to")]
    # A bound that is an expression is known by what it was compiled to.
    first, last = (end if known is None else known for known, end in zip(ends, compiled, strict=True))
    if first is None or last is None:
        return None

    def numbers(values: pa.Array) -> tuple[Words, Mask]:
        plain = values.view(pa.int32()) if kind == "date" else values
        found = _unscaled(plain)
        holds = ~null_mask(values) & (found >= first) & (found <= last)
        return np.where(holds, found - first, 0).astype(np.uint64), holds

    return _Numbered(last - first + 1, numbers)


def _units(kind: str, value: Any, scale: int) -> int | None:
    """Return a bound in units, None for one that is an expression."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    if kind != "date":
        return None if isinstance(value, str) else int(Decimal(value).scaleb(scale))
    try:
        return day_number(dt.date.fromisoformat(str(value)))
    except ValueError:
        return None


@lru_cache(maxsize=64)
def _of_pattern(pattern: str) -> _Numbered | None:
    """Return how texts of a pattern hold a number: a digit a class, the most significant first."""
    places = _places(pattern)
    return _of_places(places) if places and 1 < prod(map(len, places)) <= _MAX_CAPACITY else None


def _of_places(places: Sequence[str]) -> _Numbered:
    """Return how texts hold a number by the characters of their places; a place without any holds nothing of it."""

    def numbers(values: pa.Array) -> tuple[Words, Mask]:
        shaped = (numbers_of(pc.utf8_length(values)) == len(places)) & ~null_mask(values)
        even = (
            values if shaped.all() else pc.if_else(pa.array(shaped), values, "0" * len(places))
        ).to_pylist()
        characters = np.array(even, dtype=f"U{len(places)}").view(np.uint32).reshape(-1, len(places))
        number, holds = np.zeros(len(values), dtype=np.uint64), shaped.copy()
        for place, column in zip(places, characters.T, strict=True):
            if not place:
                continue
            known = np.frombuffer(place.encode("utf-32-le"), dtype=np.uint32)
            order = np.argsort(known)
            at = np.minimum(np.searchsorted(known, column, sorter=order), len(known) - 1)
            digit = order[at]
            holds &= known[digit] == column
            number = number * np.uint64(len(known)) + digit.astype(np.uint64)
        return number, holds

    return _Numbered(prod(len(each) or 1 for each in places), numbers)


def _places(pattern: str) -> list[str]:
    """Return the characters that can stand in each place of a pattern's texts, in order; none for another form."""
    places: list[str] = []
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            return []
        inside, escaped, literal, repeat = token.groups()
        times = int(repeat or 1)
        if len(places) + times > _MOST_PLACES:
            return []
        characters = _characters(inside) if inside else _DIGITS if escaped == "d" else escaped or literal
        if not characters:
            return []
        places += [characters] * times
        at = token.end()
    return places


def _characters(inside: str) -> str:
    """Return the characters of a class, in the order written; none for one that needs a closer look."""
    found = ""
    if "\\" in inside:
        return found
    for first, last in re.findall("(.)(?:-(.))?", inside, re.DOTALL):
        if last and ord(last) - ord(first) >= _MOST_PLACES:
            return ""
        found += "".join(map(chr, range(ord(first), ord(last) + 1))) if last else first
    return found

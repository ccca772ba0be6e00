"""A dataset of related tables, written in Python: every type, nulls of every kind, counts, and a fixed table."""

import datetime as dt
import decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

import numpy as np
from esdh_core.columns import (
    Boolean,
    Categorical,
    Categories,
    Column,
    Date,
    Decimal,
    FixedText,
    Integer,
    Text,
    Timestamp,
)
from esdh_core.dataset import Block, Dataset, Table
from esdh_core.ids import TaggedIds
from esdh_core.permutations import permute_below
from esdh_core.stats import Statistic, ValueTally
from esdh_core.streams import bounded, high32, key_word
from msgspec import Meta, Struct
from numpy.typing import NDArray

__all__ = ["TREE"]

VERSION = "tree v1"
MARKER = f"enterprise-synthetic-data-hub {VERSION}"
KINDS = ("oak", "ash", 'elm, "wych"', "", "yew")
NOTES = ("plain", 'with "quotes"', "with, comma", "", "brackets [{}]", "Straße")
_SECOND_0 = int(dt.datetime(2020, 1, 1, tzinfo=dt.UTC).timestamp())
_DAY_0 = dt.date(2000, 1, 1).toordinal() - dt.date(1970, 1, 1).toordinal()


class Soil(Struct, frozen=True):
    """A row of the fixed table."""

    soil_id: Annotated[int, Meta(ge=1, le=300)]
    soil: str
    synthetic_source: str


class Tree(Struct, frozen=True):
    """A row of the root table."""

    tree_id: str
    kind: Literal["oak", "ash", 'elm, "wych"', "", "yew"]
    planted: dt.date
    value: Annotated[decimal.Decimal, Meta(extra={"scale": 2})] | None
    old: bool | None
    seen: dt.datetime | None
    rings: Annotated[int, Meta(ge=-500, le=500)] | None
    code: int
    soil_id: int
    tag: Annotated[str, Meta(pattern="^T-[0-9]{3}[A-F]{2}$")]
    branch_count: int
    leaf_area: int
    first_fall: dt.datetime | None
    synthetic_source: str


class Label(Struct, frozen=True):
    """A row of a table that has exactly one row a tree."""

    label_id: str
    tree_id: str
    kind: str
    synthetic_source: str


class Branch(Struct, frozen=True):
    """A row of a table of 0 to 5 rows a tree."""

    branch_id: str
    tree_id: str
    kind: str
    note: str | None
    weight: Annotated[decimal.Decimal, Meta(extra={"scale": 3})]
    synthetic_source: str


class Leaf(Struct, frozen=True):
    """A row of a table of 0 to 3 rows a branch."""

    leaf_id: str
    branch_id: str
    tree_id: str
    planted: dt.date
    fell_at: dt.datetime
    green: bool
    area: int
    area_so_far: int
    synthetic_source: str


def _words(table: Table, stream: str, block: Block) -> NDArray[np.uint64]:
    return block.words(table, f"tree:{stream}")


def _bounded(table: Table, stream: str, block: Block, below: int) -> NDArray[np.int64]:
    return bounded(high32(_words(table, stream, block)), below).astype(np.int64)


def _valid(table: Table, stream: str, block: Block) -> NDArray[np.bool_]:
    return _bounded(table, f"{stream}.missing", block, 4) > 0


SOILS = Table("soils", Soil, "Kinds of soil, always the same.", rows=300)
TREES = Table(
    "trees",
    Tree,
    "The root.",
    statistics=(
        Statistic(
            "kinds",
            "kind",
            ValueTally,
            expected=lambda: {kind: Fraction(1, len(KINDS)) for kind in KINDS},
        ),
    ),
)
LABELS = Table("labels", Label, "One a tree.", parent=TREES)
BRANCHES = Table(
    "branches",
    Branch,
    "0 to 5 a tree.",
    parent=TREES,
    count=lambda block: _bounded(TREES, "branches#count", block, 6),
    room=8,
    mean=Fraction(5, 2),
)
LEAVES = Table(
    "leaves",
    Leaf,
    "0 to 3 a branch.",
    parent=BRANCHES,
    count=lambda block: _bounded(BRANCHES, "leaves#count", block, 4),
    room=4,
    mean=Fraction(15, 4),
)
TABLES = (SOILS, TREES, LABELS, BRANCHES, LEAVES)
_MARKERS = Categories([MARKER])


def _mark(table: Table) -> None:
    table.rule("synthetic_source", "the marker", role="marker")(
        lambda block: Categorical(np.zeros(len(block.level(table).slots), np.int32), _MARKERS)
    )


def _identify(table: Table, name: str) -> None:
    table.rule(name, "the id", role="id")(lambda block: FixedText(block.ids(table)))


def _copy(table: Table, name: str, source: Table, field: str | None = None) -> None:
    """Make a field a copy of one of a table above."""
    path = f"{source.name}.{field or name}"

    def column(block: Block) -> Column:
        values: Any = block.dataset.field(path).rule.column(block)
        rows = block.rows_of(table, source)
        column: Column = values if rows is None else values.take(rows)
        return column

    table.rule(name, f"that of its {source.name}", role="copy", depends_on=(path,))(column)


for _table in TABLES:
    _mark(_table)
SOILS.rule("soil_id", "the row's number, from 1")(
    lambda block: Integer(block.level(SOILS).slots.astype(np.int64) + 1, 1, 300)
)
SOILS.rule("soil", "a text")(
    lambda block: Text.of([f"soil, no. {slot}" for slot in block.level(SOILS).slots.tolist()])
)
for _table, _name in ((TREES, "tree_id"), (LABELS, "label_id"), (BRANCHES, "branch_id"), (LEAVES, "leaf_id")):
    _identify(_table, _name)
_KINDS = Categories(KINDS)
_NOTES = Categories(NOTES)
TREES.rule("kind", "a choice")(
    lambda block: Categorical(_bounded(TREES, "trees.kind", block, len(KINDS)), _KINDS)
)
TREES.rule("planted", "a date")(
    lambda block: Date(
        (_DAY_0 + _bounded(TREES, "trees.planted", block, 8_000)).astype(np.int32), _DAY_0, _DAY_0 + 7_999
    )
)
TREES.rule("value", "a decimal, or null")(
    lambda block: Decimal(
        _bounded(TREES, "trees.value", block, 2_000_001) - 1_000_000, -1_000_000, 1_000_000, scale=2
    ).masked(_valid(TREES, "trees.value", block))
)
TREES.rule("old", "a truth, or null")(
    lambda block: Boolean(_bounded(TREES, "trees.old", block, 2)).masked(_valid(TREES, "trees.old", block))
)
TREES.rule("seen", "an instant, or null")(
    lambda block: Timestamp(
        _SECOND_0 + _bounded(TREES, "trees.seen", block, 10**8), _SECOND_0, _SECOND_0 + 10**8
    ).masked(_valid(TREES, "trees.seen", block))
)
TREES.rule("rings", "an integer, or null")(
    lambda block: Integer(_bounded(TREES, "trees.rings", block, 1_001) - 500, -500, 500).masked(
        _valid(TREES, "trees.rings", block)
    )
)
TREES.rule("code", "an integer of up to 19 digits")(
    lambda block: Integer(
        (_words(TREES, "trees.code", block) >> np.uint64(1)).astype(np.int64), 0, (1 << 63) - 1
    )
)


@TREES.rule("soil_id", "that of a soil", role="copy", depends_on=("soils.soil_id",))
def _soil(block: Block) -> Column:
    return Integer(_bounded(TREES, "trees@soil", block, 300) + 1, 1, 300)


for _table in (LABELS, BRANCHES):
    _copy(_table, "tree_id", TREES)
    _copy(_table, "kind", TREES)
BRANCHES.rule("note", "a text, or null")(
    lambda block: Categorical(_bounded(BRANCHES, "branches.note", block, len(NOTES)), _NOTES).masked(
        _valid(BRANCHES, "branches.note", block)
    )
)
BRANCHES.rule("weight", "a decimal of up to 18 digits")(
    lambda block: Decimal(
        (_words(BRANCHES, "branches.weight", block) % np.uint64(10**18)).astype(np.int64),
        0,
        10**18 - 1,
        scale=3,
    )
)
_copy(LEAVES, "branch_id", BRANCHES)
_copy(LEAVES, "tree_id", BRANCHES)
_copy(LEAVES, "planted", TREES)
LEAVES.rule("fell_at", "an instant")(
    lambda block: Timestamp(
        _SECOND_0 + _bounded(LEAVES, "leaves.fell_at", block, 10**8), _SECOND_0, _SECOND_0 + 10**8
    )
)
LEAVES.rule("green", "a truth")(lambda block: Boolean(_bounded(LEAVES, "leaves.green", block, 2)))
LEAVES.rule("area", "an integer")(
    lambda block: Integer(_bounded(LEAVES, "leaves.area", block, 50_000), 0, 49_999)
)


def _digits(numbers: NDArray[np.uint64]) -> FixedText:
    """Return the numbers as texts of the pattern `T-[0-9]{3}[A-F]{2}`."""
    texts = [
        f"T-{number // 36:03}{'ABCDEF'[number // 6 % 6]}{'ABCDEF'[number % 6]}" for number in numbers.tolist()
    ]
    return FixedText(np.array(texts, dtype="S7").view(np.uint8).reshape(-1, 7))


_CAPACITY = 36_000
_TAG = "tree:trees.tag"


@TREES.rule("tag", "a pattern, unique up to 36,000 records", role="unique", permutation=_TAG)
def _tag(block: Block) -> Column:
    key = np.uint64(block.seed ^ key_word(_TAG))
    return _digits(permute_below(key, block.level(TREES).slots % np.uint64(_CAPACITY), _CAPACITY))


def _area(block: Block) -> NDArray[np.int64]:
    values: Any = next(rule for rule in LEAVES.rules if rule.name == "area").column(block)
    area: NDArray[np.int64] = values.values
    return area


@TREES.rule("branch_count", "how many branches it has")
def _branch_count(block: Block) -> Column:
    assert BRANCHES.count is not None
    return Integer(BRANCHES.count(block), 0, 5)


@TREES.rule("leaf_area", "the area of its leaves")
def _leaf_area(block: Block) -> Column:
    totals: dict[int, int] = {}
    rows = block.rows_of(LEAVES, TREES)
    assert rows is not None
    for row, area in zip(rows.tolist(), _area(block).tolist(), strict=True):
        totals[row] = totals.get(row, 0) + area
    sums = [totals.get(row, 0) for row in range(len(block.level(TREES).slots))]
    return Integer(np.array(sums, dtype=np.int64), 0, 15 * 49_999)


@TREES.rule("first_fall", "when its first leaf fell")
def _first_fall(block: Block) -> Column:
    first: dict[int, int] = {}
    rows = block.rows_of(LEAVES, TREES)
    assert rows is not None
    values: Any = next(rule for rule in LEAVES.rules if rule.name == "fell_at").column(block)
    for row, second in zip(rows.tolist(), values.values.tolist(), strict=True):
        first[row] = min(second, first.get(row, second))
    seconds = [first.get(row, _SECOND_0) for row in range(len(block.level(TREES).slots))]
    valid = np.array([row in first for row in range(len(seconds))], dtype=np.bool_)
    return Timestamp(np.array(seconds, dtype=np.int64), _SECOND_0, _SECOND_0 + 10**8, valid)


@LEAVES.rule("area_so_far", "the area of the leaves up to it")
def _area_so_far(block: Block) -> Column:
    sums: list[int] = []
    k = block.level(LEAVES).k
    assert k is not None
    for number, area in zip(k.tolist(), _area(block).tolist(), strict=True):
        sums.append(area + (sums[-1] if number else 0))
    return Integer(np.array(sums, dtype=np.int64), 0, 3 * 49_999)


_RECIPE = b"""{"esdh":"recipe/1","plan":{"tables":{
"trees":{"fields":{
"tag":{"pattern":"T-[0-9]{3}[A-F]{2}","unique":true},
"branch_count":{"rollup":"count(branches)"},
"leaf_area":{"rollup":"sum(leaves.area)"},
"first_fall":{"rollup":"min(leaves.fell_at)"}}},
"leaves":{"fields":{"area_so_far":{"running":"sum(area)"}}}}}}
"""

TREE = Dataset(
    dataset_version=VERSION,
    marker=MARKER,
    reference_date=dt.date(2024, 6, 1),
    tables=TABLES,
    ids=TaggedIds(VERSION, [table.name for table in TABLES]),
    location="trees:TREE",
    recipe=_RECIPE,
)

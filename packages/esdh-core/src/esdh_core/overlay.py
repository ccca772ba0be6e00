"""Defects laid over the rows of a dataset: which cells are wrong, what stands in them, and the label of each.

The clean rows are made as ever; an overlay says, for some rows of a table, which cells have another value. Whether a
defect strikes a row follows from the row's clean values and from a word of the defect's own stream, and from no
other defect, so that switching one off changes the labels of no other. Where several strike one cell, they are
applied in the order in which they are written; one that would bring the clean value back is passed over there.
"""

import datetime as dt
import decimal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from threading import Lock
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
from msgspec import Meta, Struct, defstruct, structs
from numpy.typing import NDArray

from esdh_core.columns import Categorical, Categories, Column, Integer, Text
from esdh_core.dataset import Block, Dataset, Table
from esdh_core.errors import RequestError
from esdh_core.ids import SLOT_BITS
from esdh_core.mixing import GOLDEN_GAMMA, MASK_64, mix64
from esdh_core.plan import EntityPlan, describe_table
from esdh_core.stats import Statistic, ValueTally

__all__ = [
    "KIND",
    "LABELS",
    "LABELS_PLAN",
    "Defect",
    "Dice",
    "Edits",
    "Label",
    "LabelRow",
    "Overlay",
    "defective_rows",
    "label_columns",
    "value_text",
]

_MOST_SEARCHES: Final = (
    64  # for first places, of a defect and a seed each: a server is asked about any number of seeds
)

Values = tuple[Any, ...]
Edit = Callable[[Values, "Dice", Values], Values]
"""From the values of a defect's fields, its dice and its evidence to the values that stand there instead."""


class Dice:
    """What one occurrence of a defect draws: SplitMix64 over the lower half of its row's word."""

    __slots__ = ("_state",)

    def __init__(self, word: int) -> None:
        self._state = word & 0xFFFFFFFF

    def below(self, bound: int) -> int:
        """Return an integer from 0 to `bound - 1`; `bound` is at least 1."""
        self._state = self._state + GOLDEN_GAMMA & MASK_64
        return mix64(self._state) * bound >> 64

    def choose(self, values: Sequence[Any]) -> Any:
        """Return one of some values, each with the same odds."""
        return values[self.below(len(values))]


@dataclass(frozen=True, eq=False, kw_only=True)
class Defect:
    """One defect, as it is applied.

    It strikes the rows of `table` where its word's upper half is below `share` * 2^32 or, with `exactly`, the first
    so many rows; of both only those on which `where` holds and on which `edit` changes something. `evidence`
    are functions from a block to columns of more values of each row that `edit` looks at. What it writes `may_be_null`
    in fields that have no null, or `needs_text` and so fits no typed format.
    """

    kind: str
    name: str
    table: Table
    fields: tuple[str, ...]
    stream: str
    edit: Edit
    share: Fraction | None = None
    exactly: int | None = None
    where: Callable[[Block], NDArray[np.bool_]] | None = None
    evidence: tuple[Callable[[Block], Column], ...] = ()
    may_be_null: bool = False
    needs_text: bool = False

    @property
    def key(self) -> str:
        """What stands before the slot in the ids of its labels: `accounts.type!typo`."""
        return f"{self.table.name}.{self.fields[0]}!{self.name}"

    def id_of(self, name: str, slot: int) -> str:
        """Return the id of the label of one of its fields in a row."""
        return f"{self.table.name}.{name}!{self.name}#{slot}"


class _Occurrence(NamedTuple):
    """A defect in one row of a block: the row's position, the word and the evidence, the clean values and the wrong."""

    row: int
    word: int
    evidence: Values
    clean: Values
    wrong: Values


class Label(NamedTuple):
    """What is known of one wrong cell. In this order labels sort: by record, table, slot, defect and field."""

    record: int
    table_number: int
    slot: int
    defect_number: int
    field_number: int
    defect_id: str
    table: str
    field: str
    kind: str
    found: str | None
    clean: str | None
    cluster: str | None


@dataclass(frozen=True)
class Edits:
    """The wrong cells of some rows of a table: field to the row's position to the value that stands there.

    A value may be null in a field that has none, and a text in one that holds none.
    """

    cells: dict[str, dict[int, Any]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.cells)

    @property
    def rows(self) -> NDArray[np.intp]:
        """The positions of the rows with a wrong cell, in ascending order."""
        return np.array(sorted({row for of in self.cells.values() for row in of}), dtype=np.intp)

    def window(self, start: int, stop: int) -> "Edits":
        """Return the edits of rows `start` to `stop - 1`, counted from `start`."""
        cells = {
            name: {row - start: value for row, value in of.items() if start <= row < stop}
            for name, of in self.cells.items()
        }
        return Edits({name: of for name, of in cells.items() if of})

    @classmethod
    def concatenate(cls, parts: Iterable[tuple[int, "Edits"]]) -> "Edits":
        """Return the edits of parts that stand one after another, each with its number of rows."""
        cells: dict[str, dict[int, Any]] = {}
        first = 0
        for rows, part in parts:
            for name, of in part.cells.items():
                cells.setdefault(name, {}).update((first + row, value) for row, value in of.items())
            first += rows
        return cls(cells)


class DefectiveRows(NamedTuple):
    """Rows of a table: their clean columns, what is wrong with them, and the labels, which aren't sorted."""

    columns: dict[str, Column]
    edits: Edits
    labels: list[Label]


class Overlay:
    """Some defects of a dataset, in the order in which they are written.

    `recipe` are the bytes that they were read from, and `remake` the function that makes the overlay of them: an
    overlay is pickled by these. Two overlays of one dataset and one recipe are equal.
    """

    def __init__(
        self,
        dataset: Dataset,
        defects: Sequence[Defect],
        *,
        recipe: bytes,
        remake: Callable[[Dataset, bytes], "Overlay"],
    ) -> None:
        self.dataset = dataset
        self.defects = tuple(defects)
        self.recipe = recipe
        self._remake = remake
        self._firsts: dict[tuple[Defect, int], _FirstPlaces] = {}
        self._lock = Lock()
        self._written = {table.name: _written(table, self._may_be_null(table)) for table in dataset.tables}

    def of_table(self, table: Table) -> list[tuple[int, Defect]]:
        """Return the defects of a table, each with its number among all."""
        return [(number, each) for number, each in enumerate(self.defects) if each.table is table]

    def written(self, table: Table) -> Table:
        """Return a table as files hold it: fields that have no null when they are clean, and may have one now, have one."""
        return self._written.get(table.name, table)

    def _may_be_null(self, table: Table) -> frozenset[str]:
        return frozenset(name for _, each in self.of_table(table) if each.may_be_null for name in each.fields)

    def apply(self, table: Table, block: Block) -> DefectiveRows:
        """Return the rows of a table over a block, as they are made and with what is wrong with them."""
        columns = table.columns(block)
        cells: dict[str, dict[int, Any]] = {}
        struck: list[tuple[int, Defect, _Occurrence]] = []
        for number, defect in self.of_table(table):
            own = [cells.setdefault(name, {}) for name in defect.fields]
            for occurrence in self._occurrences(defect, block):
                struck.append((number, defect, occurrence))
                row, _, evidence, clean, wrong = occurrence
                if any(row in of_field for of_field in own):  # an earlier defect was here
                    present = tuple(
                        of_field.get(row, value) for of_field, value in zip(own, clean, strict=True)
                    )
                    later = defect.edit(present, Dice(occurrence.word), evidence)
                    # What would bring the clean value back is passed over: what is labelled is wrong.
                    wrong = tuple(
                        each if not _same(each, value) else alone if _same(before, value) else before
                        for each, before, alone, value in zip(later, present, wrong, clean, strict=True)
                    )
                for of_field, value, before in zip(own, wrong, clean, strict=True):
                    if not _same(value, before):
                        of_field[row] = value
        labels = list(self._labels(table, block, struck, cells)) if struck else []
        return DefectiveRows(columns, Edits({name: of for name, of in cells.items() if of}), labels)

    def _labels(
        self,
        table: Table,
        block: Block,
        struck: list[tuple[int, Defect, _Occurrence]],
        cells: dict[str, dict[int, Any]],
    ) -> Iterator[Label]:
        table_number, span = self.dataset.tables.index(table), table.span
        slots = block.level(table).slots.take([occurrence.row for _, _, occurrence in struck]).tolist()
        for (number, defect, occurrence), slot in zip(struck, slots, strict=True):
            several = len(defect.fields) > 1
            for at, name in enumerate(defect.fields):
                if several and _same(occurrence.clean[at], occurrence.wrong[at]):
                    continue
                yield Label(
                    slot // span,
                    table_number,
                    slot,
                    number,
                    at,
                    defect.id_of(name, slot),
                    table.name,
                    name,
                    defect.kind,
                    value_text(cells[name][occurrence.row]),
                    value_text(occurrence.clean[at]),
                    f"{defect.key}#{slot}" if several else None,
                )

    def fixed_labels(self, tables: Iterable[Table], seed: int) -> list[Label]:
        """Return the labels of the fixed ones among some tables, sorted."""
        nothing = self.dataset.block(0, 0, seed)
        return sorted(
            label
            for table in tables
            if table.is_fixed
            for label in self.apply(table, self.dataset.block_of(table, nothing)).labels
        )

    def check_places(self, tables: Sequence[Table], records: int, seed: int) -> None:
        """Raise RequestError unless there are as many places in some records as each `exactly` says.

        Defects of other tables are passed over.
        """
        for defect in self.defects:
            if defect.exactly is None or defect.table not in tables:
                continue
            places = self._first_places(defect, seed).below(records)
            if len(places) < defect.exactly:
                admitted = " that `where` admits and" if defect.where else ""
                remedy = f", or write {len(places)} at most" if len(places) else ""
                raise RequestError(
                    f"{defect.key} is for exactly {defect.exactly:,} rows, and there are only {len(places):,} in these records"
                    f"{admitted} that it can change; ask for more records{remedy}"
                )

    def check_reach(self, tables: Sequence[Table], records: int, seed: int, most: int) -> None:
        """Raise RequestError unless the first `most` records say what strikes the first `records`.

        They do where each `exactly` of some tables has found all its places in them; to find the others every record before
        would be looked through.
        """
        if records <= most:
            return
        for defect in self.defects:
            if defect.exactly is None or defect.table not in tables or defect.table.is_fixed:
                continue
            found = len(self._first_places(defect, seed).below(most))
            if found < defect.exactly:
                raise RequestError(
                    f"{defect.key} is for exactly {defect.exactly:,} rows, of which {found:,} are in the first {most:,} records, and "
                    f"no further ones are looked through; ask for records before {most:,}, or give it a `rate`"
                )

    def _first_places(self, defect: Defect, seed: int) -> "_FirstPlaces":
        with self._lock:
            places = self._firsts.pop((defect, seed), None) or _FirstPlaces(self.dataset, defect, seed)
            self._firsts[defect, seed] = places  # the last that was asked for stands last
            if len(self._firsts) > max(_MOST_SEARCHES, 2 * len(self.defects)):
                del self._firsts[next(iter(self._firsts))]
            return places

    def _occurrences(self, defect: Defect, block: Block) -> list[_Occurrence]:
        """Return where a defect strikes the rows of its table in a block."""
        if defect.share is not None:
            threshold = np.uint64((defect.share.numerator << 32) // defect.share.denominator)
            drawn = block.words(defect.table, defect.stream) >> np.uint64(32) < threshold
            if defect.where is not None and drawn.any():
                drawn = drawn & defect.where(block)
            return list(_changes(defect, block, np.flatnonzero(drawn)))
        places = self._first_places(defect, block.seed).below(block.start + block.count)
        slots = block.level(defect.table).slots
        return list(_changes(defect, block, np.flatnonzero(np.isin(slots, places))))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Overlay):
            return NotImplemented
        return self.dataset is other.dataset and self.recipe == other.recipe

    def __hash__(self) -> int:
        return hash((self.dataset, self.recipe))

    def __reduce__(self) -> tuple[Callable[[Dataset, bytes], "Overlay"], tuple[Dataset, bytes]]:
        return self._remake, (self.dataset, self.recipe)

    def __repr__(self) -> str:
        return f"<Overlay of {len(self.defects)} defects>"


class _FirstPlaces:
    """The first rows that a defect with `exactly` can strike; looked for no further than it is asked about.

    Safe to use from several threads.
    """

    def __init__(self, dataset: Dataset, defect: Defect, seed: int) -> None:
        self._dataset, self._defect, self._seed = dataset, defect, seed
        self._slots: list[int] = []
        self._looked_at = 0
        self._lock = Lock()

    def below(self, records: int) -> NDArray[np.uint64]:
        """Return the slots of those among the first `records` records; all there are in a fixed table."""
        with self._lock:
            return self._below(records)

    def _below(self, records: int) -> NDArray[np.uint64]:
        table, most = self._defect.table, self._defect.exactly or 0
        while self._looked_at < (1 if table.is_fixed else records) and len(self._slots) < most:
            if table.is_fixed:
                block, step = self._dataset.block_of(table, self._dataset.block(0, 0, self._seed)), 1
            else:
                step = min(table.block_records, records - self._looked_at)
                block = self._dataset.block(self._looked_at, step, self._seed)
            slots = block.level(table).slots
            where = self._defect.where
            rows = np.arange(len(slots)) if where is None else np.flatnonzero(where(block))
            for start in range(0, len(rows), max(most, 1)):
                found = _changes(self._defect, block, rows[start : start + max(most, 1)])
                self._slots += [int(slots[each.row]) for each in found]
                if len(self._slots) >= most:
                    break
            self._looked_at += step
        return np.array(self._slots[:most], dtype=np.uint64)


def _changes(defect: Defect, block: Block, rows: NDArray[np.integer]) -> Iterator[_Occurrence]:
    """Yield the occurrences of a defect in some rows of a block, but for those that it wouldn't change."""
    if not len(rows):
        return
    rules = {rule.name: rule for rule in defect.table.rules}
    words = block.words(defect.table, defect.stream).take(rows).tolist()
    clean = [rules[name].column(block).take(rows).tolist() for name in defect.fields]
    evidence = [read(block).take(rows).tolist() for read in defect.evidence]
    beside = zip(*evidence, strict=True) if evidence else ((),) * len(rows)
    for row, word, values, more in zip(rows.tolist(), words, zip(*clean, strict=True), beside, strict=True):
        wrong = defect.edit(values, Dice(word), more)
        if not all(map(_same, wrong, values)):
            yield _Occurrence(row, word, more, values, wrong)


def _written(table: Table, names: frozenset[str]) -> Table:
    """Return a table some of whose fields may be null."""
    own = {each.name for each in table.schema if each.nullable}
    if names <= own:
        return table
    fields: list[Any] = [
        (each.name, each.type | None if each.name in names - own else each.type)
        for each in structs.fields(table.record)
    ]
    return replace(table, record=defstruct(table.record.__name__, fields, frozen=True))


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are one: a text is no number, and a truth is none either."""
    return type(one) is type(other) and bool(one == other)


def defective_rows(overlay: Overlay | None, table: Table, block: Block) -> DefectiveRows:
    """Return the rows of a table over a block with what an overlay, if there is one, makes wrong of them."""
    return (
        DefectiveRows(table.columns(block), Edits(), []) if overlay is None else overlay.apply(table, block)
    )


def value_text(value: Any) -> str | None:
    """Return a value as CSV writes it, without quotes; None for a null."""
    if value is None or isinstance(value, str):
        return value
    match value:
        case bool():
            return "true" if value else "false"
        case decimal.Decimal():
            return f"{value:f}"
        case dt.datetime():
            return f"{value.replace(tzinfo=None).isoformat()}Z"
        case dt.date():
            return value.isoformat()
    return str(value)


# --- the table of labels


class LabelRow(Struct, frozen=True):
    """A label: one wrong cell, and why."""

    defect_id: Annotated[
        str, Meta(description="The label's own name: the cell's field, the defect and the row's slot")
    ]
    table: Annotated[str, Meta(description="The table of the wrong row")]
    slot: Annotated[
        int,
        Meta(
            ge=0,
            le=(1 << SLOT_BITS) - 1,
            description="The row's number, as its id holds it: the index or the slot",
        ),
    ]
    field: Annotated[str, Meta(description="The field that is wrong")]
    kind: Annotated[str, Meta(description="The kind of the defect")]
    found: Annotated[
        str | None, Meta(description="What stands in the cell, as CSV writes it; null for a null")
    ]
    clean: Annotated[str | None, Meta(description="What would stand there without any defect")]
    cluster: Annotated[
        str | None,
        Meta(description="What labels that belong together have in common: two fields that are swapped"),
    ]


def _any_number(_: Block) -> NDArray[np.int64]:
    raise TypeError("labels are counted by an overlay, not by a block")


KIND: Final = "kind"
"""The statistic of the labels' kinds."""
LABELS: Final = Table(
    "defects",
    LabelRow,
    "Each wrong cell of the snapshot, with what stands in it, what would stand there, and why.",
    count=_any_number,
    primary_key=("defect_id",),
    statistics=(Statistic(KIND, KIND, ValueTally),),
)
"""The table of a snapshot's labels, which no dataset has: a block alone has no rows of it."""


def label_columns(labels: Sequence[Label]) -> dict[str, Column]:
    """Return labels as the columns of `LABELS`."""
    values = dict(zip(Label._fields, map(list, zip(*labels, strict=True)), strict=True)) if labels else {}
    return {name: _column(name, values.get(name, [])) for name in LABELS.fields}


def _column(name: str, values: list[Any]) -> Column:
    if name == "slot":
        return Integer(np.array(values, dtype=np.int64), 0, (1 << SLOT_BITS) - 1)
    if name in ("table", "field", KIND):
        distinct = sorted(set(values))
        codes = {value: code for code, value in enumerate(distinct)}
        return Categorical(np.array([codes[value] for value in values], dtype=np.int32), Categories(distinct))
    return Text.of(values)


def _declare(name: str) -> None:
    def column(block: Block) -> Column:
        if block.count:
            raise TypeError("labels are made by an overlay, not by a block")
        return _column(name, [])

    LABELS.rule(name, "Written beside the defect that it tells of")(column)


for _name in LABELS.fields:
    _declare(_name)

LABELS_PLAN: Final[EntityPlan] = describe_table(
    name=LABELS.entity,
    plural=LABELS.name,
    description=LABELS.description,
    record=LABELS.record,
    rules=LABELS.rules,
    statistics=LABELS.statistics,
)
"""What the table of labels is, as descriptors say it."""

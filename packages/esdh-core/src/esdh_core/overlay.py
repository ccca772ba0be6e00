"""Defects laid over the rows of a dataset: which cells and rows are wrong, what stands there, and the label of each.

The clean rows are made as ever; an overlay says, for some rows of a table, which cells have another value, and which
rows are there twice, aren't there, or stand elsewhere. Whether a defect strikes a row follows from the row's clean
values and from a word of the defect's own stream, and from no other defect, so that switching one off changes the
labels of no other. Where several strike one cell, they are applied in the order in which they are written; one that
would bring the clean value back is passed over there.
"""

import datetime as dt
import decimal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial, reduce
from operator import or_
from threading import Lock
from typing import Annotated, Any, Final, Literal, NamedTuple

import numpy as np
from msgspec import Meta, Struct, defstruct, structs
from numpy.typing import NDArray

from esdh_core.columns import Categorical, Categories, Column, Integer, Text, take_rows
from esdh_core.dataset import Block, Dataset, Table
from esdh_core.errors import RequestError
from esdh_core.ids import SLOT_BITS
from esdh_core.mixing import GOLDEN_GAMMA, MASK_64, mix64
from esdh_core.plan import EntityPlan, describe_table
from esdh_core.stats import Statistic, ValueTally
from esdh_core.streams import draws

__all__ = [
    "KIND",
    "LABELS",
    "LABELS_PLAN",
    "Damage",
    "Defect",
    "Dice",
    "Edits",
    "FileShape",
    "Label",
    "LabelRow",
    "Overlay",
    "defective_rows",
    "label_columns",
    "value_text",
    "written_slots",
]

# Searches for first places, of a defect and a seed each: a server is asked about any number of seeds.
_MOST_SEARCHES: Final = 64

Values = tuple[Any, ...]
Edit = Callable[[Values, "Dice", Values], Values]
"""From the values of a defect's fields, its dice and its evidence to the values that stand there instead.

Of `earlier` it gives one number, of places; of `twice` and `absent` nothing. Of `bytes` it gives one `Damage`, or what it was
given where there is none; of `file` one `FileShape`."""
Evidence = Callable[[Block, NDArray[np.integer]], Column]
"""From a block and the positions of some rows of the defect's table to a column of these rows."""
Effect = Literal["cells", "twice", "second", "absent", "earlier", "bytes", "file"]
"""What a defect does: other values in cells; or the row is there once more behind itself, is followed by a second one with
other values, isn't there, or stands some places earlier; or the row is written with bytes that its text format forbids, or
the file is another than its schema says."""
MOVES: Final = frozenset(("twice", "second", "absent", "earlier"))
"""The effects by which other rows are written than the clean ones, or in another order."""


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


WINDOWS: Final = "cp1252"
"""The encoding in which a text is written where UTF-8 is due."""


class Damage(NamedTuple):
    """What is wrong with the bytes of a row in a text format, whichever that is.

    `encoding`: the cell of `field` has the bytes of `text` in Windows-1252. `quoting`: the cell, with `text` in it, is ill
    quoted in the way of number `way`. `fewer`: the row has no cell of `field`. `more`: it has one more cell, behind that of `field`.
    """

    what: Literal["encoding", "quoting", "fewer", "more"]
    field: str
    text: str = ""
    way: int = 0

    @property
    def rival(self) -> tuple[str, ...]:
        """What it has in common with damage that it can't stand beside."""
        return (self.what, self.field) if self.is_of_cell else ("cells",)

    @property
    def is_of_cell(self) -> bool:
        """Whether it is one cell that is wrong, not how many there are."""
        return self.what in ("encoding", "quoting")

    @property
    def found(self) -> str | None:
        """What a reader sees in the cell that has U+FFFD for what isn't UTF-8; None where readers differ."""
        if self.what != "encoding":
            return None
        return self.text.encode(WINDOWS, "replace").decode("utf-8", "replace")


class FileShape(NamedTuple):
    """How the files of a table differ from what its schema says.

    `names` are those of columns that have another there; `extra` the place and the name of each column that the schema
    doesn't have, which holds nulls alone. Where it `ends_early`, the last file ends in its last row.
    """

    names: tuple[tuple[str, str], ...] = ()
    extra: tuple[tuple[int, str], ...] = ()
    ends_early: bool = False

    def __or__(self, other: "FileShape") -> "FileShape":
        """Return the shape of a file that has what either has."""
        return FileShape(
            self.names + other.names, self.extra + other.extra, self.ends_early or other.ends_early
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Defect:
    """One defect, as it is applied.

    It strikes the rows of `table` where its word's upper half is below `share` * 2^32 or, with `exactly`, the first
    so many rows; of both only those on which `where` holds and on which `edit` changes something. `evidence`
    are columns of more values of each row that `edit` looks at. What it writes `may_be_null`
    in fields that have no null, or `needs_text` and so fits no typed format.

    A `second` row has the values of its row, but for those of `fields`, which `edit` changes, and of `fresh`, which are its
    evidence. With `reaches_far` values are those of records that no snapshot may have, then: see `far_slot`.
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
    evidence: tuple[Evidence, ...] = ()
    may_be_null: bool = False
    needs_text: bool = False
    effect: Effect = "cells"
    fresh: tuple[str, ...] = ()
    reaches_far: bool = False

    @property
    def key(self) -> str:
        """What stands before the slot in the ids of its labels: `accounts.type!typo`, of rows `accounts!missing_row`."""
        return self.key_of(None if self.effect in MOVES or not self.fields else self.fields[0])

    def key_of(self, name: str | None) -> str:
        """Return what stands before the slot in the ids of the labels of one of its fields, or of rows."""
        return f"{self.table.name}{'' if name is None else f'.{name}'}!{self.name}"

    @property
    def is_of_files(self) -> bool:
        """Whether it is wrong with bytes or files, and not with values or rows."""
        return self.effect in ("bytes", "file")

    def changes(self, clean: Values, wrong: Values) -> bool:
        """Return whether what stands there instead of some values is anything else."""
        if self.effect in ("cells", "second"):
            return not all(map(_same, wrong, clean))
        if self.effect == "bytes":
            return any(isinstance(each, Damage) for each in wrong)
        return self.effect != "earlier" or any(wrong)


class _Occurrence(NamedTuple):
    """A defect in one row of a block: the row's position, the word and the evidence, the clean values and the wrong."""

    row: int
    word: int
    evidence: Values
    clean: Values
    wrong: Values


class Label(NamedTuple):
    """What is known of one wrong cell, or without a field of a row. In this order labels sort.

    That is by record, table, slot, defect and field; a row comes before its cells, and a second row stands in the record of
    the first. Of a file, which has no slot, the record is -1.
    """

    record: int
    table_number: int
    slot: int | None
    defect_number: int
    field_number: int
    defect_id: str
    table: str
    field: str | None
    kind: str
    found: str | None
    clean: str | None
    cluster: str | None


@dataclass(frozen=True)
class Edits:
    """What is wrong with some rows of a table: field to the row's position to the value that stands there.

    A value may be null in a field that has none, and a text in one that holds none. Where rows are there twice, aren't
    there or stand elsewhere, `order` has, for each row that is written, the position of the clean row that it has its
    other values of; positions of cells are of written rows. `seconds` are the positions of rows that are a second one of
    their clean row, with an id of their own. `damage` is by the positions of written rows too: of text formats alone.
    """

    cells: dict[str, dict[int, Any]] = field(default_factory=dict)
    order: NDArray[np.intp] | None = None
    seconds: frozenset[int] = frozenset()
    damage: dict[int, list[Damage]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.cells) or self.order is not None or bool(self.damage)

    @property
    def rows(self) -> NDArray[np.intp]:
        """The positions of the written rows with a wrong cell or wrong bytes, in ascending order."""
        return np.array(
            sorted({row for of in self.cells.values() for row in of}.union(self.damage)), dtype=np.intp
        )

    def written(self, columns: dict[str, Column]) -> dict[str, Column]:
        """Return the columns of clean rows as those of the rows that are written, which still have no wrong cell."""
        return columns if self.order is None else take_rows(columns, self.order)

    def window(self, start: int, stop: int) -> "Edits":
        """Return the edits of clean rows `start` to `stop - 1`, counted from `start`; no row leaves or enters them."""
        first, last, order = start, stop, None
        if self.order is not None:
            inside = np.flatnonzero((self.order >= start) & (self.order < stop))
            first, last = (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, 0)
            order = self.order[inside] - start
        cells = {
            name: {row - first: value for row, value in of.items() if first <= row < last}
            for name, of in self.cells.items()
        }
        return Edits(
            {name: of for name, of in cells.items() if of},
            order,
            frozenset(row - first for row in self.seconds if first <= row < last),
            {row - first: of for row, of in self.damage.items() if first <= row < last},
        )

    @classmethod
    def concatenate(cls, parts: Iterable[tuple[int, "Edits"]]) -> "Edits":
        """Return the edits of parts that stand one after another, each with its number of clean rows."""
        cells: dict[str, dict[int, Any]] = {}
        damage: dict[int, list[Damage]] = {}
        seconds: set[int] = set()
        orders: list[NDArray[np.intp]] = []
        first = written = 0
        moved = False
        for rows, part in parts:
            for name, of in part.cells.items():
                cells.setdefault(name, {}).update((written + row, value) for row, value in of.items())
            damage.update((written + row, each) for row, each in part.damage.items())
            seconds.update(written + row for row in part.seconds)
            order = np.arange(rows, dtype=np.intp) if part.order is None else part.order
            orders.append(order + first)
            moved |= part.order is not None
            first, written = first + rows, written + len(order)
        return cls(cells, np.concatenate(orders) if moved else None, frozenset(seconds), damage)


class _WrittenRows:
    """Which of a block's rows are written, how often and where, and the second rows between them."""

    def __init__(self) -> None:
        self._copies: dict[int, int] = {}
        self._places: dict[int, int] = {}
        self._seconds: list[tuple[int, dict[str, Any]]] = []
        self.absent: set[int] = set()

    def add(self, defect: Defect, occurrences: Iterable[_Occurrence]) -> None:
        """Take what a defect of rows does."""
        for row, _, evidence, _, wrong in occurrences:
            match defect.effect:
                case "twice":
                    self._copies[row] = self._copies.get(row, 0) + 1
                case "absent":
                    self.absent.add(row)
                case "earlier":
                    self._places[row] = max(self._places.get(row, 0), *wrong)
                case "second":
                    values = zip((*defect.fields, *defect.fresh), (*wrong, *evidence), strict=True)
                    self._seconds.append((row, dict(values)))

    def edits(self, count: int, cells: dict[str, dict[int, Any]], damage: dict[int, list[Damage]]) -> Edits:
        """Return the edits of `count` rows, of which some cells and bytes are wrong, by the positions of clean rows."""
        cells = {name: of for name, of in cells.items() if of}
        if not (self._copies or self.absent or self._places or self._seconds):
            return Edits(cells, damage=damage)
        rows, seconds = self._arranged(count)
        written: dict[str, dict[int, Any]] = {}
        written_damage: dict[int, list[Damage]] = {}
        at = np.flatnonzero(np.isin(rows, Edits(cells, damage=damage).rows) & (seconds < 0))
        for position, row in zip(at.tolist(), rows[at].tolist(), strict=True):
            for name, of in cells.items():
                if row in of:
                    written.setdefault(name, {})[position] = of[row]
            if row in damage:
                written_damage[position] = damage[row]
        at = np.flatnonzero(seconds >= 0)
        for position, second in zip(at.tolist(), seconds[at].tolist(), strict=True):
            for name, value in self._seconds[second][1].items():
                written.setdefault(name, {})[position] = value
        return Edits(written, rows, frozenset(at.tolist()), written_damage)

    def _arranged(self, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return, of each row that is written, the position of its clean row, and the number of the second row that it is or -1."""
        often = np.ones(count, dtype=np.intp)
        for row, copies in self._copies.items():
            often[row] += copies
        often[list(self.absent)] = 0
        place = np.arange(count, dtype=np.float64)
        for row, places in self._places.items():
            place[row] = row - places - 0.5  # before the row that stands there
        rows = np.repeat(np.arange(count, dtype=np.intp), often)
        seconds = np.full(len(rows), -1, dtype=np.intp)
        if self._seconds:
            rows = np.append(rows, np.array([row for row, _ in self._seconds], dtype=np.intp))
            seconds = np.append(seconds, np.arange(len(self._seconds)))
        arranged = np.lexsort((seconds, rows, place[rows]))
        return rows[arranged], seconds[arranged]


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

    def of_rows(self) -> "Overlay":
        """Return the overlay without what is wrong with bytes and files, for rows that aren't written as text: all else is the same."""
        rows = [each for each in self.defects if not each.is_of_files]
        return Overlay(self.dataset, rows, recipe=self.recipe, remake=partial(_remake_of_rows, self._remake))

    def of_table(self, table: Table) -> list[tuple[int, Defect]]:
        """Return the defects of a table, each with its number among all."""
        return [(number, each) for number, each in enumerate(self.defects) if each.table is table]

    def written(self, table: Table) -> Table:
        """Return a table as files hold it: fields that have no null when they are clean, and may have one now, have one."""
        return self._written.get(table.name, table)

    def _may_be_null(self, table: Table) -> frozenset[str]:
        return frozenset(name for _, each in self.of_table(table) if each.may_be_null for name in each.fields)

    def moves_rows(self, table: Table) -> bool:
        """Return whether a table may be written with other rows than the clean ones, or in another order."""
        return any(each.effect in MOVES for _, each in self.of_table(table))

    def shape(self, table: Table, seed: int) -> FileShape:
        """Return how the files of a table differ from what its schema says."""
        return reduce(or_, (shape for _, _, shape in self._shapes(table, seed)), FileShape())

    def _shapes(self, table: Table, seed: int) -> Iterator[tuple[int, Defect, FileShape]]:
        """Yield the defects of a table's files, each with its number and what it draws."""
        for number, defect in self.of_table(table):
            if defect.effect == "file":
                (shape,) = defect.edit((), Dice(int(draws(seed, defect.stream, 0, 1)[0])), ())
                yield number, defect, shape

    def far_slot(self, table: Table, slot: int) -> int:
        """Return the slot that is as far from the end of what can be asked for as a slot is from the beginning.

        A second row is named by it: where records are a quarter of the most there can be, or fewer, it is of no other row.
        Of the far slot it returns the near one.
        """
        record, rest = divmod(slot, table.span)
        return (self.dataset.max_records - 1 - record) * table.span + rest

    def apply(self, table: Table, block: Block) -> DefectiveRows:
        """Return the rows of a table over a block, as they are made and with what is wrong with them."""
        columns = table.columns(block)
        cells: dict[str, dict[int, Any]] = {}
        rows = _WrittenRows()
        struck: list[tuple[int, Defect, list[_Occurrence]]] = []
        for number, defect in self.of_table(table):
            if defect.effect == "file":
                continue
            occurrences = self._occurrences(defect, block)
            struck.append((number, defect, occurrences))
            if defect.effect == "cells":
                _strike(cells, defect, occurrences)
            elif defect.effect in MOVES:
                rows.add(defect, occurrences)
        if not any(occurrences for *_, occurrences in struck):
            return DefectiveRows(columns, Edits(), [])
        damage = _damage(cells, struck)
        labels = list(self._labels(table, block, struck, _Found(cells, damage, rows.absent)))
        return DefectiveRows(columns, rows.edits(len(next(iter(columns.values()))), cells, damage), labels)

    def written_slots(self, table: Table, slots: NDArray[np.uint64], edits: Edits) -> NDArray[np.uint64]:
        """Return the slot of each row that is written of some, in their order; of a second row its own.

        `slots` are those of the clean rows, and `edits` what is wrong with them.
        """
        if edits.order is None:
            return slots
        written = slots.take(edits.order)
        for row in edits.seconds:
            written[row] = self.far_slot(table, int(written[row]))
        return written

    def _labels(
        self,
        table: Table,
        block: Block,
        struck: list[tuple[int, Defect, list[_Occurrence]]],
        found_in: "_Found",
    ) -> Iterator[Label]:
        table_number, span = self.dataset.tables.index(table), table.span
        slots_of_rows = block.level(table).slots
        for number, defect, occurrences in struck:
            kind, second = defect.kind, defect.effect == "second"
            several = second or len(defect.fields) > 1
            of_rows = defect.effect in MOVES or not defect.fields
            keys = [defect.key_of(name) for name in defect.fields]
            slots = slots_of_rows.take([occurrence.row for occurrence in occurrences]).tolist()
            for (row, _, _, clean, wrong), original in zip(occurrences, slots, strict=True):
                record = original // span
                slot = self.far_slot(table, original) if second else original
                cluster = f"{defect.key}#{original}" if several else None
                if of_rows:
                    own = f"{defect.key_of(None)}#{slot}"
                    yield Label(
                        *(record, table_number, slot, number, -1, own, table.name, None, kind),
                        *(None, None, cluster),
                    )
                for at, (name, key) in enumerate(zip(defect.fields, keys, strict=True)):
                    if several and _same(clean[at], wrong[at]):
                        continue
                    found = wrong[at] if second else found_in.cell(name, row)
                    yield Label(
                        *(record, table_number, slot, number, at, f"{key}#{slot}", table.name, name, kind),
                        *(value_text(found), value_text(clean[at]), cluster),
                    )

    def labels_of_no_record(self, tables: Iterable[Table], seed: int) -> list[Label]:
        """Return the labels of the files of some tables, and of the rows of the fixed ones among them, sorted."""
        nothing = self.dataset.block(0, 0, seed)
        labels: list[Label] = []
        for table in tables:
            labels += self._file_labels(table, seed)
            if table.is_fixed:
                labels += self.apply(table, self.dataset.block_of(table, nothing)).labels
        return sorted(labels)

    def _file_labels(self, table: Table, seed: int) -> Iterator[Label]:
        for number, defect, shape in self._shapes(table, seed):
            clean, found = next(
                iter((*shape.names, *((None, name) for _, name in shape.extra))), (None, None)
            )
            yield Label(
                record=-1,
                table_number=self.dataset.tables.index(table),
                slot=None,
                defect_number=number,
                field_number=-1,
                defect_id=defect.key,
                table=table.name,
                field=clean,
                kind=defect.kind,
                found=found,
                clean=clean,
                cluster=None,
            )

    def check_places(self, tables: Sequence[Table], records: int, seed: int) -> None:
        """Raise RequestError unless some records have as many places as each `exactly` says, and leave room for second rows.

        Defects of other tables are passed over.
        """
        for defect in self.defects:
            if defect.table not in tables:
                continue
            self._check_far(defect, records)
            if defect.exactly is None:
                continue
            places = self._first_places(defect, seed).below(records)
            if len(places) < defect.exactly:
                admitted = " that `where` admits and" if defect.where else ""
                remedy = f", or write {len(places)} at most" if len(places) else ""
                raise RequestError(
                    f"{defect.key} is for exactly {defect.exactly:,} rows, and there are only {len(places):,} in these records"
                    f"{admitted} that it can change; ask for more records{remedy}"
                )

    def _check_far(self, defect: Defect, records: int) -> None:
        if defect.reaches_far and records > self.dataset.max_records // 4:
            raise RequestError(
                f"{defect.key} takes its values from records that the snapshot doesn't have, and with {records:,} records of at most "
                f"{self.dataset.max_records:,} too few are left; ask for {self.dataset.max_records // 4:,} at most"
            )

    def check_reach(self, tables: Sequence[Table], records: int, seed: int, most: int) -> None:
        """Raise RequestError unless the first `most` records say what strikes those before `records`, which leave room for second rows.

        They do where each `exactly` of some tables has found all its places in them; to find the others every record before
        would be looked through.
        """
        for defect in self.defects:
            if defect.table not in tables or defect.table.is_fixed:
                continue
            self._check_far(defect, records)
            if defect.exactly is None or records <= most:
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
        same_list = self.dataset is other.dataset and self.recipe == other.recipe
        return same_list and len(self.defects) == len(other.defects)

    def __hash__(self) -> int:
        return hash((self.dataset, self.recipe))

    def __reduce__(self) -> tuple[Callable[[Dataset, bytes], "Overlay"], tuple[Dataset, bytes]]:
        return self._remake, (self.dataset, self.recipe)

    def __repr__(self) -> str:
        return f"<Overlay of {len(self.defects)} defects>"


def _remake_of_rows(remake: Callable[[Dataset, bytes], Overlay], dataset: Dataset, recipe: bytes) -> Overlay:
    return remake(dataset, recipe).of_rows()


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


def _strike(cells: dict[str, dict[int, Any]], defect: Defect, occurrences: Iterable[_Occurrence]) -> None:
    """Put what a defect of cells writes into the cells of its fields, whatever stands there already."""
    own = [cells.setdefault(name, {}) for name in defect.fields]
    for row, word, evidence, clean, alone in occurrences:
        wrong = alone
        if any(row in of_field for of_field in own):  # an earlier defect was here
            present = tuple(of_field.get(row, value) for of_field, value in zip(own, clean, strict=True))
            later = defect.edit(present, Dice(word), evidence)
            # What would bring the clean value back is passed over: what is labelled is wrong.
            wrong = tuple(
                each if not _same(each, value) else first if _same(before, value) else before
                for each, before, first, value in zip(later, present, alone, clean, strict=True)
            )
        for of_field, value, before in zip(own, wrong, clean, strict=True):
            if not _same(value, before):
                of_field[row] = value


def _damage(
    cells: dict[str, dict[int, Any]], struck: Iterable[tuple[int, Defect, list[_Occurrence]]]
) -> dict[int, list[Damage]]:
    """Return what is wrong with the bytes of rows, by their positions: of the values that stand in their cells in the end.

    Of several defects that do the same to a cell, or of several that change a row's number of cells, the first counts: two might
    give the clean row.
    """
    damage: dict[int, list[Damage]] = {}
    for defect, occurrences in ((defect, each) for _, defect, each in struck if defect.effect == "bytes"):
        own = [cells.get(name, {}) for name in defect.fields]
        for row, word, evidence, clean, alone in occurrences:
            found = alone
            if any(row in of_field for of_field in own):  # a defect of cells was here
                present = tuple(of_field.get(row, value) for of_field, value in zip(own, clean, strict=True))
                found = defect.edit(present, Dice(word), evidence)
            of_row = damage.setdefault(row, [])
            if isinstance(found[0], Damage) and all(found[0].rival != each.rival for each in of_row):
                of_row.append(found[0])
    return {row: of_row for row, of_row in damage.items() if of_row}


class _Found(NamedTuple):
    """What stands in cells in the end."""

    cells: dict[str, dict[int, Any]]
    damage: dict[int, list[Damage]]
    absent: set[int]

    def cell(self, name: str, row: int) -> Any:
        """Return the value of a field in a row, None where there is no row or no cell, and where readers differ."""
        damage = [each for each in self.damage.get(row, ()) if each.field == name and each.what != "more"]
        if row in self.absent or any(each.found is None for each in damage):
            return None
        return damage[-1].found if damage else self.cells[name][row]


def _changes(defect: Defect, block: Block, rows: NDArray[np.integer]) -> Iterator[_Occurrence]:
    """Yield the occurrences of a defect in some rows of a block, but for those that it wouldn't change."""
    if not len(rows):
        return
    rules = {rule.name: rule for rule in defect.table.rules}
    words = block.words(defect.table, defect.stream).take(rows).tolist()
    clean = [rules[name].column(block).take(rows).tolist() for name in defect.fields]
    evidence = [read(block, rows).tolist() for read in defect.evidence]
    beside = zip(*evidence, strict=True) if evidence else ((),) * len(rows)
    values_of_rows = zip(*clean, strict=True) if clean else ((),) * len(rows)
    for row, word, values, more in zip(rows.tolist(), words, values_of_rows, beside, strict=True):
        wrong = defect.edit(values, Dice(word), more)
        if defect.changes(values, wrong):
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


def written_slots(overlay: Overlay | None, table: Table, block: Block) -> NDArray[np.uint64]:
    """Return the slot of each row of a table over a block that is written, where an overlay, if there is one, may move rows."""
    slots = block.level(table).slots
    if overlay is None or not overlay.moves_rows(table):
        return slots
    return overlay.written_slots(table, slots, overlay.apply(table, block).edits)


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
    """A label: one cell, row or file that is wrong, and why."""

    defect_id: Annotated[
        str, Meta(description="The label's own name: the cell's field, the defect and the row's slot")
    ]
    table: Annotated[str, Meta(description="The table that it is of")]
    slot: Annotated[
        Annotated[int, Meta(ge=0, le=(1 << SLOT_BITS) - 1)] | None,
        Meta(description="The row's number, as its id holds it: the index or the slot; null of a file"),
    ]
    field: Annotated[
        str | None, Meta(description="The field that is wrong; null of a row or a file as a whole")
    ]
    kind: Annotated[str, Meta(description="The kind of the defect")]
    found: Annotated[
        str | None,
        Meta(description="What stands in the cell, as CSV writes it; null for a null, and where no row is"),
    ]
    clean: Annotated[str | None, Meta(description="What would stand there without any defect")]
    cluster: Annotated[
        str | None,
        Meta(
            description="What labels that belong together have in common: two fields that are swapped, two rows that are one"
        ),
    ]


def _any_number(_: Block) -> NDArray[np.int64]:
    raise TypeError("labels are counted by an overlay, not by a block")


KIND: Final = "kind"
"""The statistic of the labels' kinds."""
LABELS: Final = Table(
    "defects",
    LabelRow,
    "Each cell, row and file of the snapshot that is wrong, with what stands there, what would, and why.",
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
        known = np.array([each is not None for each in values], dtype=np.bool_)
        slots = np.array([each or 0 for each in values], dtype=np.int64)
        return Integer(slots, 0, (1 << SLOT_BITS) - 1, valid=None if known.all() else known)
    if name in ("table", "field", KIND):
        distinct = sorted(set(values), key=lambda each: (each is None, each or ""))
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

"""Some defects of a dataset, laid over its rows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial, reduce
from operator import or_
from threading import Lock
from typing import Any, Final

import numpy as np
from msgspec import defstruct, structs
from numpy.typing import NDArray

from esdh_core.dataset import Block, Dataset, Table
from esdh_core.errors import RequestError
from esdh_core.overlay.defect import MOVES, Defect, Dice, FileShape, Occurrence, occurrences_at, same
from esdh_core.overlay.edits import DefectiveRows, Edits, Found, WrittenRows, damage_of, strike
from esdh_core.overlay.labels import Label, value_text
from esdh_core.streams import draws

__all__ = ["Overlay", "defective_rows", "written_slots"]

# Searches for first places, of a defect and a seed each: a server is asked about any number of seeds.
_MOST_SEARCHES: Final = 64


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
        self._firsts: dict[tuple[Defect, int], FirstPlaces] = {}
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
        rows = WrittenRows()
        struck: list[tuple[int, Defect, list[Occurrence]]] = []
        for number, defect in self.of_table(table):
            if defect.effect == "file":
                continue
            occurrences = self._occurrences(defect, block)
            struck.append((number, defect, occurrences))
            if defect.effect == "cells":
                strike(cells, defect, occurrences)
            elif defect.effect in MOVES:
                rows.add(defect, occurrences)
        if not any(occurrences for *_, occurrences in struck):
            return DefectiveRows(columns, Edits(), [])
        damage = damage_of(cells, struck)
        labels = list(self._labels(table, block, struck, Found(cells, damage, rows.absent)))
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
        struck: list[tuple[int, Defect, list[Occurrence]]],
        found_in: "Found",
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
                    if several and same(clean[at], wrong[at]):
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
                where = "its table" if defect.table.is_fixed else "these records"
                admitted = " that `where` admits and" if defect.where else ""
                remedies = [] if defect.table.is_fixed else ["ask for more records"]
                remedies += [f"write {len(places):,} at most"] if len(places) else []
                raise RequestError(
                    f"{defect.key} is for exactly {defect.exactly:,} rows, and there are only {len(places):,} in {where}"
                    f"{admitted} that it can change; {', or '.join(remedies) or 'leave it out'}"
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

    def _first_places(self, defect: Defect, seed: int) -> "FirstPlaces":
        with self._lock:
            places = self._firsts.pop((defect, seed), None) or FirstPlaces(self.dataset, defect, seed)
            self._firsts[defect, seed] = places  # the last that was asked for stands last
            if len(self._firsts) > max(_MOST_SEARCHES, 2 * len(self.defects)):
                del self._firsts[next(iter(self._firsts))]
            return places

    def _occurrences(self, defect: Defect, block: Block) -> list[Occurrence]:
        """Return where a defect strikes the rows of its table in a block."""
        if defect.share is not None:
            threshold = np.uint64((defect.share.numerator << 32) // defect.share.denominator)
            drawn = block.words(defect.table, defect.stream) >> np.uint64(32) < threshold
            if defect.where is not None and drawn.any():
                drawn = drawn & defect.where(block)
            return list(occurrences_at(defect, block, np.flatnonzero(drawn)))
        places = self._first_places(defect, block.seed).below(block.start + block.count)
        slots = block.level(defect.table).slots
        return list(occurrences_at(defect, block, np.flatnonzero(np.isin(slots, places))))

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


class FirstPlaces:
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
                found = occurrences_at(self._defect, block, rows[start : start + max(most, 1)])
                self._slots += [int(slots[each.row]) for each in found]
                if len(self._slots) >= most:
                    break
            self._looked_at += step
        return np.array(self._slots[:most], dtype=np.uint64)


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

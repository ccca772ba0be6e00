"""Holds the rows of a table, in whatever order a database gives them, against those that the seed gives.

A row with an id says itself where it belongs: its slot is decoded, and blocks are compared as soon as they are
whole. Of other tables both sides are put into a temporary DuckDB file and joined there: by the table's key, or,
where it has none, by all fields, as multisets.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core.ids import Origins
from esdh_export import entity_digest, schema
from esdh_proof.checks.finding import differing, to_mask
from esdh_proof.findings import first_true
from numpy.typing import NDArray

from esdh_load.buckets import Buckets
from esdh_load.expected import ExpectedBlock, ExpectedTable, id_origins
from esdh_load.findings import TableFindings

__all__ = ["Comparison", "compare_table"]

_DUPLICATE = "one row with this key"
_NO_LOAD = "a row of a load: it says that it is generated, and no load has it"
_OWN = "nothing: it is a row of the testers' own"
_MEMORY = "256MB"  # of the temporary DuckDB, which goes to disk past it


class Comparison(ABC):
    """The comparison of one table, which takes its rows by `add` and ends with `finish`."""

    def __init__(self, expected: ExpectedTable, others: Sequence[ExpectedTable] = ()) -> None:
        """Take the table of the load that is verified, and the same table of other loads, whose rows are passed over."""
        self.expected = expected
        self.others = others
        self.findings = TableFindings(expected.table.name)
        self._marker = expected.table.field_with("marker")

    @abstractmethod
    def add(self, rows: pa.RecordBatch) -> None:
        """Take rows as they are in the database; fields are the table's, in order."""

    @abstractmethod
    def finish(self) -> TableFindings:
        """Return what was found, once all rows were added."""

    def _record(self, slot: int) -> int | None:
        table = self.expected.table
        return None if table.is_fixed else slot // table.span

    def _bears_marker(self, rows: pa.RecordBatch) -> NDArray[np.bool_]:
        if self._marker is None:
            return np.zeros(len(rows), dtype=np.bool_)
        same = pc.equal(rows.column(self._marker), self.expected.dataset.marker)
        return to_mask(pc.fill_null(same, False))

    def _meet(self, rows: pa.RecordBatch, key: Sequence[str], forged: NDArray[np.bool_], reason: str) -> None:
        """Note rows of no load, those that say that they are generated and the others."""
        for kind, why in ((True, reason), (False, _OWN)):
            some = rows.filter(pa.array(forged == kind))
            if len(some):
                at = pc.index(some.column(key[0]), pc.min(some.column(key[0]))).as_py()
                first = some.slice(max(at, 0), 1).to_pylist()[0]
                self.findings.meet(
                    len(some),
                    key={name: first[name] for name in key},
                    marker=first.get(self._marker or ""),
                    forged=kind,
                    reason=why,
                )


def compare_table(expected: ExpectedTable, others: Sequence[ExpectedTable] = ()) -> Comparison:
    """Return the comparison that suits a table."""
    by_id = expected.table.field_with("id") is not None
    return _BySlot(expected, others) if by_id else _ByKey(expected, others)


class _BySlot(Comparison):
    """The rows of a table with an id. A block that is whole and right is let go of at once, any other at the end."""

    def __init__(self, expected: ExpectedTable, others: Sequence[ExpectedTable] = ()) -> None:
        super().__init__(expected, others)
        self._id = str(expected.table.field_with("id"))
        self._buckets = Buckets()
        self._digests: dict[int, list[bytes]] = {}  # of blocks that are done
        self._wrong: set[int] = set()  # blocks that have as many rows as they should, and not those

    def add(self, rows: pa.RecordBatch) -> None:
        """Take rows as they are in the database; fields are the table's, in order."""
        expected = self.expected
        self.findings.rows += len(rows)
        ids = rows.column(self._id)
        origins = id_origins(expected.dataset, expected.table, ids)
        numbers = np.where(origins.seeds == expected.load.seed, expected.block_numbers(origins.slots), -1)
        strangers = numbers < 0
        if strangers.any():
            self._others(rows, origins, strangers)
        done = (
            np.isin(numbers, list(self._digests)) & ~strangers
            if self._digests
            else np.zeros(len(rows), dtype=np.bool_)
        )
        if done.any():
            second = rows.filter(pa.array(done))
            self._meet(second, [self._id], np.ones(len(second), dtype=np.bool_), _DUPLICATE)
        here = ~strangers & ~done
        if not here.all():
            mask = pa.array(here)
            rows, numbers, slots = rows.filter(mask), numbers[here], origins.slots[here]
        else:
            slots = origins.slots
        for number in self._sort_in(rows, numbers, slots):
            if number not in self._wrong and self._buckets.count(number) >= expected.count(number):
                self._try(number)

    def _sort_in(
        self, rows: pa.RecordBatch, numbers: NDArray[np.int64], slots: NDArray[np.int64]
    ) -> list[int]:
        """Put rows into the buckets of their blocks, with their slots; return the blocks."""
        if not len(rows):
            return []
        rows = pa.RecordBatch.from_arrays(
            [pa.array(slots), *rows.columns], names=["slot", *map(str, range(rows.num_columns))]
        )
        if (np.diff(numbers) < 0).any():
            order = np.argsort(numbers, kind="stable")
            rows, numbers = rows.take(pa.array(order)), numbers[order]
        starts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
        for start, stop in pairwise(starts):
            self._buckets.add(int(numbers[start]), rows.slice(start, stop - start))
        return [int(numbers[start]) for start in starts[:-1]]

    def _others(self, rows: pa.RecordBatch, origins: Origins, strangers: NDArray[np.bool_]) -> None:
        """Pass over rows of other loads, and note those that are of none."""
        expected = self.expected
        forged = origins.seeds >= 0
        for other in self.others:
            theirs = (
                origins
                if other.dataset is expected.dataset
                else id_origins(other.dataset, other.table, rows.column(self._id))
            )
            strangers = strangers & ~(
                (theirs.seeds == other.load.seed) & (other.block_numbers(theirs.slots) >= 0)
            )
            forged = forged | (theirs.seeds >= 0)
        if strangers.any():
            mask = pa.array(strangers)
            self._meet(
                rows.filter(mask), [self._id], (forged | self._bears_marker(rows))[strangers], _NO_LOAD
            )

    def _take(self, number: int) -> tuple[NDArray[np.int64], pa.RecordBatch]:
        """Return slots and rows of a block as they were read, in the order of slots."""
        names = self.expected.table.fields
        pieces = self._buckets.take(number)
        if not pieces:
            return np.empty(0, dtype=np.int64), self.expected.block(number).rows.slice(0, 0)
        rows = pa.Table.from_batches(pieces).combine_chunks().to_batches()[0]
        slots = rows.column(0).to_numpy(zero_copy_only=False)
        if (np.diff(slots) < 0).any():
            order = np.argsort(slots, kind="stable")
            rows, slots = rows.take(pa.array(order)), slots[order]
        return slots, pa.RecordBatch.from_arrays(rows.columns[1:], names=list(names))

    def _try(self, number: int) -> None:
        """Let go of a block that has all its rows, as they should be; another one stays until the end."""
        slots, rows = self._take(number)
        expected = self.expected.block(number)
        if _same(slots, rows, expected):
            self.findings.expected_rows += len(expected.slots)
            self._digests[number] = self.expected.digests(rows)
        else:
            self._wrong.add(number)
            self._sort_in(rows, np.full(len(rows), number), slots)

    def finish(self) -> TableFindings:
        """Return what was found, once all rows were added."""
        expected_digests = dict(self._digests)
        for number in range(self.expected.blocks):
            if number not in self._digests:
                slots, rows = self._take(number)
                expected = self.expected.block(number)
                self.findings.expected_rows += len(expected.slots)
                expected_digests[number] = self.expected.digests(expected.rows)
                self._digests[number] = self.expected.digests(rows)
                if not _same(slots, rows, expected):
                    self._explain(slots, rows, expected)
        self._buckets.close()
        self.findings.digest = _joined(self._digests)
        self.findings.expected_digest = _joined(expected_digests)
        return self.findings

    def _explain(self, slots: NDArray[np.int64], rows: pa.RecordBatch, expected: ExpectedBlock) -> None:
        """Note which rows of a block differ, are missing, or aren't the seed's."""
        _, firsts = np.unique(slots, return_index=True)
        second = np.ones(len(slots), dtype=np.bool_)
        second[firsts] = False
        known = np.isin(slots, expected.slots)
        for extra, why in ((second & known, _DUPLICATE), (~known, _NO_LOAD)):
            if extra.any():
                some = rows.filter(pa.array(extra))
                self._meet(some, [self._id], np.ones(len(some), dtype=np.bool_), why)
        there = np.isin(expected.slots, slots)
        if not there.all():
            at = int(first_true(~there) or 0)
            slot = int(expected.slots[at])
            key = {self._id: expected.rows.column(self._id)[at].as_py()}
            self.findings.miss(int((~there).sum()), slot, key=key, record=self._record(slot))
        self._differ(
            rows.filter(pa.array(known & ~second)),
            expected.rows.filter(pa.array(there)),
            expected.slots[there],
        )

    def _differ(self, found: pa.RecordBatch, expected: pa.RecordBatch, slots: NDArray[np.int64]) -> None:
        """Note the first of rows that stand side by side which differ, and how many do."""
        wrong = np.zeros(len(slots), dtype=np.bool_)
        first: tuple[int, str] | None = None
        for name in self.expected.table.fields:
            mask = differing(found.column(name), expected.column(name))
            row = first_true(mask)
            if row is not None and (first is None or row < first[0]):
                first = row, name
            wrong |= mask
        if first is not None:
            at, field = first
            slot = int(slots[at])
            self.findings.differ(
                int(wrong.sum()),
                slot,
                key={self._id: found.column(self._id)[at].as_py()},
                record=self._record(slot),
                field=field,
                found=found.column(field)[at].as_py(),
                expected=expected.column(field)[at].as_py(),
            )


def _same(slots: NDArray[np.int64], rows: pa.RecordBatch, expected: ExpectedBlock) -> bool:
    return np.array_equal(slots, expected.slots) and all(
        a.equals(b) for a, b in zip(rows.columns, expected.rows.columns, strict=True)
    )


def _joined(digests: dict[int, list[bytes]]) -> str:
    return entity_digest(each for number in sorted(digests) for each in digests[number])


class _ByKey(Comparison):
    """The rows of a table without an id, joined with the seed's outside memory."""

    def __init__(self, expected: ExpectedTable, others: Sequence[ExpectedTable] = ()) -> None:
        super().__init__(expected, others)
        import duckdb

        self._folder = TemporaryDirectory(prefix="esdh-")
        self._connection = duckdb.connect(
            str(Path(self._folder.name, "rows.duckdb")),
            config={"memory_limit": _MEMORY, "temp_directory": self._folder.name},
        )
        self._columns = [f"c{number}" for number in range(len(expected.table.fields))]
        names = dict(zip(expected.table.fields, self._columns, strict=True))
        self._key = [names[each] for each in expected.table.key or expected.table.fields]
        for name in ("found", "expected"):
            self._append(name, expected.block(0).rows.slice(0, 0), 0, None)

    def _append(
        self,
        name: str,
        rows: pa.RecordBatch,
        load: int,
        slots: NDArray[np.int64] | None,
        *,
        create: bool = True,
    ) -> None:
        arrays = [
            pa.array(np.full(len(rows), load)),
            pa.array(slots if slots is not None else np.arange(len(rows))),
        ]
        # A time with a zone would need an extension of DuckDB's that isn't always there.
        values = [
            each.cast(pa.timestamp("us")) if pa.types.is_timestamp(each.type) else each
            for each in rows.columns
        ]
        table = pa.Table.from_arrays([*arrays, *values], names=["load", "slot", *self._columns])
        self._connection.register("batch", table)
        verb = f"CREATE TABLE IF NOT EXISTS {name} AS" if create else f"INSERT INTO {name}"
        self._connection.execute(f"{verb} SELECT * FROM batch")
        self._connection.unregister("batch")

    def add(self, rows: pa.RecordBatch) -> None:
        """Take rows as they are in the database; fields are the table's, in order."""
        self.findings.rows += len(rows)
        self._append("found", rows, 0, None, create=False)

    def finish(self) -> TableFindings:
        """Return what was found, once all rows were added."""
        digests: dict[int, list[bytes]] = {}
        for expected in (self.expected, *self.others):
            for number in range(expected.blocks):
                block = expected.block(number)
                self._append("expected", block.rows, expected.load.load, block.slots, create=False)
                if expected is self.expected:
                    digests[number] = expected.digests(block.rows)
                    self.findings.expected_rows += len(block.slots)
        self._join()
        self._report()
        self._connection.close()
        self._folder.cleanup()
        self.findings.expected_digest = _joined(digests)
        if not self.findings.differing.count and not self.findings.missing.count:
            self.findings.digest = self.findings.expected_digest
        return self.findings

    def _join(self) -> None:
        """Put what isn't in both alike side by side; the n-th row with a key stands beside the n-th with it."""
        key = ", ".join(self._key)
        numbered = "SELECT *, row_number() OVER (PARTITION BY {}) AS n FROM {}"
        same = " AND ".join(f"e.{each} IS NOT DISTINCT FROM f.{each}" for each in self._key)
        differ = [f"e.{each} IS DISTINCT FROM f.{each}" for each in self._columns if each not in self._key]
        self._connection.execute(
            f"CREATE TABLE wrong AS WITH e AS ({numbered.format(key, 'expected')}), f AS ({numbered.format(key, 'found')})"
            f" SELECT e.load AS load, e.slot AS slot, f.n AS n, {self._side('e')}, {self._side('f')}"
            f" FROM e FULL JOIN f ON {same} AND e.n = f.n"
            f" WHERE {' OR '.join(['e.n IS NULL', 'f.n IS NULL', *differ])}"
        )

    def _side(self, side: str) -> str:
        return ", ".join(f"{side}.{each} AS {side}{each}" for each in self._columns)

    def _report(self) -> None:
        table, load = self.expected.table, self.expected.load.load
        key = [str(each) for each in table.key or table.fields]
        for condition, note in (
            (f"load = {load} AND n IS NULL", self._note_missing),
            (f"load = {load} AND n IS NOT NULL", self._note_differing),
        ):
            count, first = self._first(condition, "slot")
            if first is not None:
                note(count, first, key)
        strangers = self._connection.sql("SELECT * FROM wrong WHERE load IS NULL").to_arrow_reader(65_536)
        for batch in strangers:
            rows = self._rows(batch, "f")
            self._meet(rows, key, self._bears_marker(rows), _NO_LOAD)

    def _first(self, condition: str, order: str) -> tuple[int, Any]:
        """Return how many rows of a kind there are, and the first of them as a batch, None where there is none."""
        count = self._connection.sql(f"SELECT count(*) AS n FROM wrong WHERE {condition}").to_arrow_table()
        first = self._connection.sql(
            f"SELECT * FROM wrong WHERE {condition} ORDER BY {order} LIMIT 1"
        ).to_arrow_table()
        return count["n"][0].as_py(), first.combine_chunks().to_batches()[0] if len(first) else None

    def _rows(self, wrong: pa.RecordBatch, side: str) -> pa.RecordBatch:
        """Return one side of joined rows as rows of the table."""
        kinds = schema(self.expected.table)
        arrays = [
            wrong.column(f"{side}{each}").cast(kind.type)
            for each, kind in zip(self._columns, kinds, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, names=kinds.names)

    def _note_missing(self, count: int, first: pa.RecordBatch, key: list[str]) -> None:
        slot, expected = first.column("slot")[0].as_py(), self._rows(first, "e").to_pylist()[0]
        self.findings.miss(count, slot, key={name: expected[name] for name in key}, record=self._record(slot))

    def _note_differing(self, count: int, first: pa.RecordBatch, key: list[str]) -> None:
        slot = first.column("slot")[0].as_py()
        found, expected = (self._rows(first, side).to_pylist()[0] for side in "fe")
        field = next(name for name in found if found[name] != expected[name])
        self.findings.differ(
            count,
            slot,
            key={name: found[name] for name in key},
            record=self._record(slot),
            field=field,
            found=found[field],
            expected=expected[field],
        )

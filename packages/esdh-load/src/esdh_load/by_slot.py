"""Compares a table whose rows have ids: each says itself in which slot it stands, whatever order they come in."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from esdh_core.ids import Origins
from esdh_proof.checks.finding import differing, id_origins
from esdh_proof.findings import first_true
from numpy.typing import NDArray

from esdh_load.buckets import Buckets
from esdh_load.comparison import NO_LOAD, Comparison, joined_digest
from esdh_load.expected import ExpectedBlock, ExpectedTable
from esdh_load.findings import TableFindings

__all__ = ["ComparisonBySlot"]

_DUPLICATE = "one row with this key"


class ComparisonBySlot(Comparison):
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
            self.meet(second, [self._id], np.ones(len(second), dtype=np.bool_), _DUPLICATE)
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
            self.meet(rows.filter(mask), [self._id], (forged | self.bears_marker(rows))[strangers], NO_LOAD)

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
        self.findings.digest = joined_digest(self._digests)
        self.findings.expected_digest = joined_digest(expected_digests)
        return self.findings

    def close(self) -> None:
        """Remove what was put outside memory."""
        self._buckets.close()

    def _explain(self, slots: NDArray[np.int64], rows: pa.RecordBatch, expected: ExpectedBlock) -> None:
        """Note which rows of a block differ, are missing, or aren't the seed's."""
        _, firsts = np.unique(slots, return_index=True)
        second = np.ones(len(slots), dtype=np.bool_)
        second[firsts] = False
        known = np.isin(slots, expected.slots)
        for extra, why in ((second & known, _DUPLICATE), (~known, NO_LOAD)):
            if extra.any():
                some = rows.filter(pa.array(extra))
                self.meet(some, [self._id], np.ones(len(some), dtype=np.bool_), why)
        there = np.isin(expected.slots, slots)
        if not there.all():
            at = int(first_true(~there) or 0)
            slot = int(expected.slots[at])
            key = {self._id: expected.rows.column(self._id)[at].as_py()}
            self.findings.miss(int((~there).sum()), slot, key=key, record=self.record_of(slot))
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
                record=self.record_of(slot),
                field=field,
                found=found.column(field)[at].as_py(),
                expected=expected.column(field)[at].as_py(),
            )


def _same(slots: NDArray[np.int64], rows: pa.RecordBatch, expected: ExpectedBlock) -> bool:
    return np.array_equal(slots, expected.slots) and all(
        a.equals(b) for a, b in zip(rows.columns, expected.rows.columns, strict=True)
    )

"""Compares a table whose rows have no ids: both sides are put into a temporary DuckDB file and joined there.

They are joined by the table's key, or, where it has none, by all fields, as multisets. DuckDB goes to disk where
memory ends.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from esdh_export import schema
from numpy.typing import NDArray

from esdh_load.columns import FieldType, field_types
from esdh_load.comparison import NO_LOAD, Comparison, joined_digest
from esdh_load.databases import ExistingColumn, open_database
from esdh_load.expected import ExpectedTable, row_key
from esdh_load.findings import TableFindings

__all__ = ["ComparisonByKey"]

_MEMORY = "256MB"  # of the temporary DuckDB


class ComparisonByKey(Comparison):
    """The rows of a table without an id, joined with the seed's outside memory."""

    def __init__(self, expected: ExpectedTable, others: Sequence[ExpectedTable] = ()) -> None:
        super().__init__(expected, others)
        self._folder = TemporaryDirectory(prefix="esdh-")
        path = Path(self._folder.name, "rows.duckdb")
        self._database = open_database(f"duckdb:///{path}", create=True)
        self._database.execute(f"SET memory_limit = '{_MEMORY}'")
        fields = field_types(expected.dataset, expected.table)
        self._columns = dict(zip(fields, (f"c{number}" for number in range(len(fields))), strict=True))
        self._key = [self._columns[each] for each in row_key(expected.table) or fields]
        kinds = {"load": FieldType("integer"), "slot": FieldType("integer")}
        kinds |= {self._columns[name]: field for name, field in fields.items()}
        self._schema = [
            ExistingColumn(name, self._database.column_type(kind), optional=True)
            for name, kind in kinds.items()
        ]
        for name in ("found", "expected"):
            declared = ", ".join(f"{each.name} {each.type}" for each in self._schema)
            self._database.execute(f"CREATE TABLE {name} ({declared})")

    def _row(self, rows: pa.RecordBatch, load: int, slots: NDArray[np.int64]) -> pa.RecordBatch:
        arrays = [pa.array(np.full(len(rows), load)), pa.array(slots), *rows.columns]
        return pa.RecordBatch.from_arrays(arrays, names=[each.name for each in self._schema])

    def add(self, rows: pa.RecordBatch) -> None:
        """Take rows as they are in the database; fields are the table's, in order."""
        self.findings.rows += len(rows)
        self._database.insert("found", [self._row(rows, 0, np.arange(len(rows)))], self._schema)

    def finish(self) -> TableFindings:
        """Return what was found, once all rows were added."""
        digests: dict[int, list[bytes]] = {}
        for expected in (self.expected, *self.others):
            for number in range(expected.blocks):
                block = expected.block(number)
                rows = self._row(block.rows, expected.load.load, block.slots)
                self._database.insert("expected", [rows], self._schema)
                if expected is self.expected:
                    digests[number] = expected.digests(block.rows)
                    self.findings.expected_rows += len(block.slots)
        self._join()
        self._report()
        self.findings.expected_digest = joined_digest(digests)
        if not self.findings.differing.count and not self.findings.missing.count:
            self.findings.digest = self.findings.expected_digest
        return self.findings

    def close(self) -> None:
        """Remove the temporary file."""
        self._database.close()
        self._folder.cleanup()

    def _join(self) -> None:
        """Put what isn't in both alike side by side; the n-th row with a key stands beside the n-th with it."""
        key = ", ".join(self._key)
        numbered = "SELECT *, row_number() OVER (PARTITION BY {}) AS n FROM {}"
        same = " AND ".join(f"e.{each} IS NOT DISTINCT FROM f.{each}" for each in self._key)
        values = [each for each in self._columns.values() if each not in self._key]
        differ = [f"e.{each} IS DISTINCT FROM f.{each}" for each in values]
        self._database.execute(
            f"CREATE TABLE wrong AS WITH e AS ({numbered.format(key, 'expected')}), f AS ({numbered.format(key, 'found')})"
            f" SELECT e.load AS load, e.slot AS slot, f.n AS n, {self._side('e')}, {self._side('f')}"
            f" FROM e FULL JOIN f ON {same} AND e.n = f.n"
            f" WHERE {' OR '.join(['e.n IS NULL', 'f.n IS NULL', *differ])}"
        )

    def _side(self, side: str) -> str:
        return ", ".join(f"{side}.{each} AS {side}{each}" for each in self._columns.values())

    def _report(self) -> None:
        table, load = self.expected.table, self.expected.load.load
        key = row_key(table) or table.fields
        for condition, note in (
            (f"load = {load} AND n IS NULL", self._note_missing),
            (f"load = {load} AND n IS NOT NULL", self._note_differing),
        ):
            count, first = self._first(condition, "slot")
            if first is not None:
                note(count, first, key)
        with self._database.query("SELECT * FROM wrong WHERE load IS NULL") as strangers:
            for batch in strangers:
                rows = self._side_of(batch, "f")
                self.meet(rows, key, self.bears_marker(rows), NO_LOAD)

    def _first(self, condition: str, order: str) -> tuple[int, pa.RecordBatch | None]:
        """Return how many rows of a kind there are, and the first of them as a batch, None where there is none."""
        (counted,) = self._database.rows(f"SELECT count(*) AS n FROM wrong WHERE {condition}")
        query = f"SELECT * FROM wrong WHERE {condition} ORDER BY {order} LIMIT 1"
        with self._database.query(query) as batches:
            return counted["n"], next((each for each in batches if len(each)), None)

    def _side_of(self, wrong: pa.RecordBatch, side: str) -> pa.RecordBatch:
        """Return one side of joined rows as rows of the table."""
        kinds = schema(self.expected.table)
        arrays = [
            wrong.column(f"{side}{each}").cast(kind.type)
            for each, kind in zip(self._columns.values(), kinds, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, names=kinds.names)

    def _note_missing(self, count: int, first: pa.RecordBatch, key: Sequence[str]) -> None:
        slot, expected = first.column("slot")[0].as_py(), self._side_of(first, "e").to_pylist()[0]
        self.findings.miss(
            count, slot, key={name: expected[name] for name in key}, record=self.record_of(slot)
        )

    def _note_differing(self, count: int, first: pa.RecordBatch, key: Sequence[str]) -> None:
        slot = first.column("slot")[0].as_py()
        found, expected = (self._side_of(first, side).to_pylist()[0] for side in "fe")
        field = next(name for name in found if found[name] != expected[name])
        self.findings.differ(
            count,
            slot,
            key={name: found[name] for name in key},
            record=self.record_of(slot),
            field=field,
            found=found[field],
            expected=expected[field],
        )

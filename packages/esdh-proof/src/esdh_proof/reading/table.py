"""The rows of a table in one format, in turn out of as many files as there are."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
from esdh_core import BLOCK_RECORDS, Table
from esdh_export import SnapshotRequest
from esdh_manifest import document_name

from esdh_proof.findings import Failure, Findings, display
from esdh_proof.reading.document import LineRange, sections
from esdh_proof.reading.rows import FileReader, Render, Rows, Slice, longest_value, regular
from esdh_proof.reading.text import open_csv, open_lines, open_ndjson

__all__ = ["TableReader"]

T = TypeVar("T")

_TEXT = {"csv": open_csv, "ndjson": open_ndjson}


def _rows_of_records(request: SnapshotRequest, table: Table, start: int, stop: int) -> int:
    """Return the number of rows of a table that hang below some records: made again from the seed."""
    if table.one_a_record:
        return stop - start
    size = min(each.block_records for each in (table, *_ancestors(table)))
    return sum(
        len(request.dataset.block(at, min(size, stop - at), request.seed).level(table).slots)
        for at in range(start, stop, size)
    )


def _ancestors(table: Table) -> Iterator[Table]:
    """Yield the tables above a table, the nearest first."""
    while table.parent is not None:
        table = table.parent
        yield table


class TableReader:
    """Hands out the rows of a table in one format, as many at a time as records have; why not, stands in the findings.

    `counts` are the rows of each table that the snapshot claims, as its JSON document begins; `restored` are copies
    of some files, by their path below the folder, to be read in their place. `rows` is the number of rows of a
    fixed table. To begin with later records than the first, `row` is the number of the first row of theirs, and
    `lines` where the rows stand in the JSON document.
    """

    def __init__(
        self,
        folder: Path,
        request: SnapshotRequest,
        table: Table,
        name: str,
        findings: Findings,
        *,
        counts: Mapping[str, int],
        restored: Mapping[str, Path] | None = None,
        rows: int | None = None,
        row: int = 0,
        lines: LineRange | None = None,
    ) -> None:
        self._folder, self._request, self._table, self._name = folder, request, table, name
        self._findings, self._counts, self._restored = findings, counts, restored or {}
        self._block = BLOCK_RECORDS if table.is_fixed else table.block_records
        self._total = request.records if rows is None else rows  # in the unit that `take` counts
        self._split = request.sharded and name != "json" and not table.is_fixed
        self._part = -1
        self._path = ""
        self._file: FileReader | None = None
        self._lines = lines
        self._row, self._file_row = row, 0  # rows that were asked for: of the table, and of the file

    def take(self, start: int, records: int, rows: int) -> Rows | None:
        """Return the next `rows` rows: those of records `start` to `start + records - 1`, or of a fixed table.

        None stands for rows that aren't there or can't be read.
        """
        file, window = self._at(start, records, rows)
        self._pass(rows)
        return None if file is None else self._attempt(lambda: file.take(window))

    def matches(self, start: int, records: int, rows: int, render: Render) -> str | None:
        """Pass over the next rows if they are, byte for byte, what `render` writes; return the file that holds them."""
        file, window = self._at(start, records, rows)
        last = start + records == self._total if self._table.one_a_record else None
        if file is None or not self._attempt(lambda: file.matches(window, render, last=last)):
            return None
        self._pass(rows)
        return self._path

    def file_of(self, start: int) -> str | None:
        """Return the file that holds a record, None where it can't be read."""
        part = start // self._request.shard_rows if self._split else 0
        if part != self._part:
            self.close()
            self._open(part)
        return None if self._file is None else self._path

    def _at(self, start: int, records: int, rows: int) -> tuple[FileReader | None, Slice]:
        """Return the file that holds some records, and which of its rows are theirs."""
        self.file_of(start)
        stop = start + records
        block_rows = None
        if start % self._block == 0:
            end = min(start + self._block, self._total)
            block_rows = rows if end == stop else self._rows(start, end)
        ends = stop % self._block == 0 or stop == self._total
        return self._file, Slice(self._row, rows, block_rows, ends)

    def _pass(self, rows: int) -> None:
        self._row += rows
        self._file_row += rows

    def _rows(self, start: int, stop: int) -> int:
        """Return the rows of some records, where the reader must know them ahead."""
        return _rows_of_records(self._request, self._table, start, stop) if self._name == "parquet" else 0

    def _open(self, part: int) -> None:
        self._part, self._file_row = part, 0
        self._path = (
            document_name(self._request.dataset.dataset_version)
            if self._name == "json"
            else self._request.path(self._table, self._name, part)
        )
        copy = self._restored.get(self._path)
        if copy or regular(self._folder, self._path):  # else the check of files has said so
            self._file = self._attempt(lambda: self._reader(copy or self._folder / self._path))

    def _reader(self, path: Path) -> FileReader:
        request, table = self._request, self._table
        if self._name == "json":  # one file at any size
            lines = self._lines or self._section(path)
            return open_lines(path, self._path, request, table, self._findings, lines=lines)
        if self._name == "parquet":
            from esdh_proof.reading.parquet import ParquetFile  # which a snapshot without any needn't import

            return ParquetFile(
                path,
                self._path,
                table,
                self._findings,
                known=self._known(),
                longest=longest_value(request.dataset),
            )
        return _TEXT[self._name](path, self._path, request, table, self._findings)

    def _section(self, path: Path) -> LineRange:
        """Return where the rows stand in the JSON document."""
        found = sections(path, self._request, self._counts)
        return next(LineRange(begin, end, final=True) for table, begin, end in found if table is self._table)

    def _known(self) -> list[int] | None:
        """Return the rows of each block of the file at hand, where they follow from the request alone."""
        if not self._table.one_a_record and not self._table.is_fixed:
            return None
        start = self._part * self._request.shard_rows if self._split else 0
        stop = min(start + self._request.shard_rows, self._total) if self._split else self._total
        return [min(self._block, stop - at) for at in range(start, stop, self._block)]

    def _attempt(self, read: Callable[[], T]) -> T | None:
        """Return what a file gives; one that can't be read gives nothing from there on."""
        try:
            return read()
        # Arrow raises a KeyError for a footer that lacks a column that it should have.
        except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
            failure = Failure(file=self._path, found=display(error), expected=f"readable {self._name}")
            self._findings.fail("schema", failure)
            if self._file is not None:
                self._file.close()
            self._file = None
            return None

    def close(self, *, whole: bool = True) -> None:
        """Look at the file at hand to its end, and close it; `whole` says that all of its rows were asked for."""
        if self._file is None:
            return
        file, expected = self._file, self._file_row
        if self._lines is not None:  # who gives some lines of a document counts them
            self.drop()
            return
        if known := self._known():
            whole, expected = True, sum(known)
        self._attempt(lambda: file.finish(expected, whole=whole))
        file.close()
        self._file = None

    def drop(self) -> None:
        """Close the file at hand, as far as there is one, whatever is left of it."""
        if self._file is not None:
            self._file.close()
            self._file = None

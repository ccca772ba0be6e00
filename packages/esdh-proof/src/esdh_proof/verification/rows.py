"""What is wrong with some rows of one file: told by row, field, what was found and what is expected."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from esdh_core import Table
from esdh_core.columns import Column
from esdh_export import FORMATS, EncodedBlock, SnapshotRequest
from esdh_export.formats import Writer

from esdh_proof.checks import Finding, differing
from esdh_proof.findings import Failure, Findings, display, first_true
from esdh_proof.reading import Rows
from esdh_proof.reencode import BytesSink, text_of

__all__ = ["RowFailures"]


class RowFailures:
    """Says in the findings what is wrong with rows; it keeps the writers of text, and what they have rendered."""

    def __init__(self, request: SnapshotRequest, findings: Findings) -> None:
        self._request, self._findings = request, findings
        self._writers: dict[tuple[str, str], tuple[BytesSink, Writer]] = {}

    def add(self, check: str, found: Iterable[Finding]) -> None:
        """Record what a check found: of each finding the first row."""
        for finding in found:
            row = first_true(finding.wrong)
            if row is None:
                continue
            rows = finding.rows
            value = display(rows.arrays[finding.field][row].as_py())
            if finding.describe is not None and value is not None:
                value = finding.describe(value)
            expected = finding.expected if isinstance(finding.expected, str) else finding.expected(row)
            failure = Failure(
                file=rows.file, row=rows.start + row, field=finding.field, found=value, expected=expected
            )
            self._findings.fail(check, failure, count=int(finding.wrong.sum()))

    def explain(self, rows: Rows, table: Table, encoded: EncodedBlock) -> None:
        """Tell the first row and field in which rows differ from what the seed gives."""
        first: tuple[int, str, pa.Array] | None = None
        wrong: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None
        for field, column in encoded.columns[table.name].items():
            expected = encoded.array(column)
            count = min(len(rows), len(expected))
            mask = differing(rows.arrays[field].slice(0, count), expected.slice(0, count))
            wrong = mask if wrong is None else wrong | mask
            row = first_true(mask)
            if row is not None and (first is None or row < first[0]):
                first = row, field, expected
        if first is None or wrong is None:  # the same as far as it goes
            number = len(next(iter(encoded.columns[table.name].values())))
            self._findings.expect("regenerated", rows.file, None, f"{len(rows)} rows", f"{number} rows")
            return
        row, field, expected = first
        failure = Failure(
            file=rows.file,
            row=rows.start + row,
            field=field,
            found=display(rows.arrays[field][row].as_py()),
            expected=display(expected[row].as_py()) or "null",
        )
        self._findings.fail("regenerated", failure, count=int(wrong.sum()))

    def spelling(
        self,
        name: str,
        table: Table,
        rows: Rows,
        columns: dict[str, Column] | None,
        *,
        encoded: EncodedBlock | None,
    ) -> None:
        """Hold a text format's bytes against those that its writer gives for the same values.

        `encoded` has these values where they are known to be what the seed gives.
        """
        if columns is None or not rows.text:
            return  # a value that no column holds has failed another check
        expected = (
            self._text(name, table, encoded)
            if encoded
            else text_of(name, self._request.dataset, table, columns, self._request.seed)
        )
        found, ending = memoryview(rows.text), b""
        if name == "json":  # the section writes the separator before a row, the document has it after
            last = rows.start + len(rows) == self._request.records if table.one_a_record else rows.last
            expected, ending = expected[2:], b"\n" if last else b",\n"
        body = found[: len(found) - len(ending)]
        if pa.py_buffer(body).equals(pa.py_buffer(expected)) and found[len(body) :] == ending:
            rows.text = None  # the largest part of a block, and of no more use
            return
        here, there = rows.text.split(b"\n"), (bytes(expected) + ending).split(b"\n")
        at = next((n for n, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), len(there) - 1)
        failure = Failure(
            file=rows.file,
            row=rows.start + min(at, len(rows) - 1),
            found=display(here[at].decode("utf-8", "replace") if at < len(here) else None),
            expected=display(there[at].decode("utf-8", "replace")) or "a line end",
        )
        self._findings.fail("schema", failure)

    def _text(self, name: str, table: Table, encoded: EncodedBlock) -> memoryview:
        """Return rows as their format's writer gives them; the writer is kept."""
        if (name, table.name) not in self._writers:
            sink = BytesSink()
            self._writers[name, table.name] = (
                sink,
                FORMATS[name].Writer(sink, table, dataset=self._request.dataset, seed=self._request.seed),
            )
        sink, writer = self._writers[name, table.name]
        sink.take()
        writer.write(encoded)
        return sink.take()

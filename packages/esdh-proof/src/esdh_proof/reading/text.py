"""Text read back: CSV, NDJSON and the JSON document, line by line into arrays, each value in its one spelling."""

import csv
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core import Dataset, Table
from esdh_core.columns import Numbers
from esdh_export import SnapshotRequest, schema
from esdh_export.encoding.buffers import null_mask, truths

from esdh_proof.findings import Failure, Findings, display, first_true
from esdh_proof.reading.document import SEPARATOR, LineRange
from esdh_proof.reading.rows import Fail, FileReader, Render, Rows, Slice, kinds_of, no_rows

__all__ = ["TextFile", "csv_cells", "open_csv", "open_lines", "open_ndjson"]

_CHUNK = 1 << 22
_LONGEST_LINE = 4_096  # bytes, on average over a block; a row of JSON has some 500
_LONGEST_FIELD = 320  # bytes, with its name: of a table of many fields
_EXACT_DIGITS = 15  # of a number, that every reader of JSON keeps


class _Lines:
    """Lines of bytes `begin` to `end` of a file, some at a time."""

    def __init__(self, file: BinaryIO, begin: int, end: int, longest: int) -> None:
        file.seek(begin)
        self._longest = longest
        self._file = file
        self._end = end
        self._left = end - begin
        self._held = b""

    def take(self, count: int) -> bytes:
        """Return the next `count` lines as they stand, or what is left.

        Raises ValueError when they are far longer than rows can be.
        """
        pieces: list[bytes] = []
        found = size = 0
        while found < count:
            if not self._held:
                self._held = self._file.read(min(_CHUNK, self._left))
                self._left -= len(self._held)
                if not self._held:
                    break
            ends = np.flatnonzero(np.frombuffer(self._held, np.uint8) == ord("\n"))
            if found + len(ends) >= count:
                cut = int(ends[count - found - 1]) + 1
                pieces.append(self._held[:cut])
                self._held = self._held[cut:]
                break
            found += len(ends)
            size += len(self._held)
            pieces.append(self._held)
            self._held = b""
            if size > _CHUNK + count * self._longest:
                raise ValueError(f"{found} lines take more than {size} bytes, which no rows of a snapshot do")
        return b"".join(pieces)

    @property
    def left(self) -> int:
        """The number of bytes that haven't been taken."""
        return len(self._held) + self._left

    @property
    def exhausted(self) -> bool:
        """Whether every byte has been taken."""
        return not self.left

    def seek(self, left: int) -> None:
        """Go to where so many bytes are left."""
        self._file.seek(self._end - left)
        self._held, self._left = b"", left

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, or as many as there are."""
        if self._held:
            self.seek(self.left)
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data

    def rest(self) -> int:
        """Return how many lines are left, a last one without a line end included."""
        count, last = 0, b"\n"
        while data := self._held or self._file.read(min(_CHUNK, self._left)):
            self._left -= 0 if self._held else len(data)
            self._held = b""
            count += data.count(b"\n")
            last = data[-1:]
        return count + (last != b"\n")


class _Comparison:
    """A sink that holds what is written against the next bytes of a file, but for the first few that it is told to skip."""

    def __init__(self, lines: _Lines, skip: int) -> None:
        self._lines, self._skip = lines, skip
        self.same = True

    def write(self, data: bytes | memoryview) -> int:
        """Compare bytes, as far as all before them were the same."""
        expected = memoryview(data)[self._skip :]
        self._skip -= len(data) - len(expected)
        if self.same:
            self.same = pa.py_buffer(self._lines.read(len(expected))).equals(pa.py_buffer(expected))
        return len(data)


class TextFile(FileReader):
    """Some lines of a text file, which are rows of a table."""

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        form: "_Form",
        findings: Findings,
        *,
        begin: int,
        end: int,
        document: bool = False,
        final: bool = True,
    ) -> None:
        """Read bytes `begin` to `end` of an open file, a JSON `document` or not; `final` if no row follows."""
        self._file, self._name, self._form, self._findings = file, name, form, findings
        self._document, self._final = document, final
        longest = max(_LONGEST_LINE, len(form.table.fields) * _LONGEST_FIELD)
        self._lines = _Lines(file, begin, end, longest)
        self._rows = 0

    def take(self, rows: Slice) -> Rows | None:
        """Return the lines that come next as rows."""
        if not rows.size:
            return Rows(self._name, rows.start, no_rows(self._form.table), b"", self._lines.exhausted)
        data = self._lines.take(rows.size)
        if not data:
            return None
        block = _from_text(self._form, self._name, start=rows.start, data=data, findings=self._findings)
        block.last = self._lines.exhausted
        self._rows += len(block)
        block.last = block.last and self._final
        return block

    def matches(self, rows: Slice, render: Render, *, last: bool | None) -> bool:
        """Pass over the lines that come next if they are, byte for byte, what `render` writes; return whether they are."""
        left = self._lines.left
        # The writer puts the separator of the document before a row, and the document has it after.
        comparison = _Comparison(self._lines, len(SEPARATOR) if self._document else 0)
        if rows.size:
            render(comparison)
            if self._document:
                ends = self._lines.left <= 1 and self._final
                ending = b"\n" if ends else SEPARATOR
                comparison.same = (
                    comparison.same
                    and (last is None or last == ends)
                    and self._lines.read(len(ending)) == ending
                )
        if comparison.same:
            self._rows += rows.size
        else:
            self._lines.seek(left)
        return comparison.same

    def finish(self, expected: int, *, whole: bool) -> None:
        """Count the lines that are left; too few or too many are a failure."""
        rows = self._rows + self._lines.rest()
        if rows < expected or (whole and rows != expected):
            failure = Failure(
                file=self._name,
                found=f"{rows} rows of {self._form.table.name}",
                expected=f"{expected}" if whole else f"at least {expected}",
            )
            self._findings.fail("files", failure)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_csv(path: Path, name: str, request: SnapshotRequest, table: Table, findings: Findings) -> TextFile:
    """Return the rows of a CSV file; ValueError for another header."""
    header = ",".join(table.fields).encode() + b"\n"
    file = path.open("rb")
    found = file.read(len(header))
    if found != header:
        file.close()
        raise ValueError(f"the header is {found!r}, where {header!r} is expected")
    form = _form(request.dataset, table, "csv")
    return TextFile(file, name, form, findings, begin=len(header), end=path.stat().st_size)


def open_ndjson(
    path: Path, name: str, request: SnapshotRequest, table: Table, findings: Findings
) -> TextFile:
    """Return the rows of an NDJSON file."""
    form = _form(request.dataset, table, "ndjson")
    return TextFile(path.open("rb"), name, form, findings, begin=0, end=path.stat().st_size)


def open_lines(
    path: Path, name: str, request: SnapshotRequest, table: Table, findings: Findings, *, lines: LineRange
) -> TextFile:
    """Return a table's rows in the JSON document, out of the lines of one range."""
    form = _form(request.dataset, table, "json")
    return TextFile(
        path.open("rb"),
        name,
        form,
        findings,
        begin=lines.begin,
        end=lines.end,
        document=True,
        final=lines.final,
    )


_Parsed = dict[str, pa.Array]


class _Form(NamedTuple):
    """How a format writes the values of a table: `read` are the types as which its parser reads them."""

    table: Table
    target: pa.Schema
    read: dict[str, pa.DataType]
    spellings: dict[str, tuple[str, str]]
    parse: Callable[["_Form", bytes], _Parsed | None]
    parse_slowly: Callable[["_Form", list[bytes], Fail], Iterator[dict[str, str | None]]]


@lru_cache(maxsize=64)
def _form(dataset: Dataset, table: Table, name: str) -> _Form:
    target, kinds = schema(table), kinds_of(dataset, table)
    largest = {
        field: max(-column.low, column.high) for field, column in kinds.items() if isinstance(column, Numbers)
    }
    spellings = {each.name: _spelling(each.type, largest.get(each.name, 0)) for each in target}
    if name == "csv":
        return _Form(
            table, target, dict.fromkeys(table.fields, pa.string()), spellings, _parse_csv, _csv_rows
        )
    read = {
        each.name: each.type
        if pa.types.is_boolean(each.type)
        or (_is_number(each.type) and largest[each.name] < 10**_EXACT_DIGITS)
        else pa.string()
        for each in target
    }
    return _Form(table, target, read, spellings, _parse_json, _json_rows)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def _spelling(kind: pa.DataType, largest: int) -> tuple[str, str]:
    """Return the pattern of the one spelling of a type's values, and how a message names it."""
    if pa.types.is_date(kind):
        return r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "a date such as 1990-01-31"
    if pa.types.is_timestamp(kind):
        pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
        return pattern, "an instant such as 2024-05-31T12:34:56Z"
    if pa.types.is_boolean(kind):
        return "^(true|false)$", "true or false"
    if pa.types.is_decimal(kind) and kind.scale:
        pattern = rf"^-?(0|[1-9][0-9]{{0,17}})\.[0-9]{{{kind.scale}}}$"
        return pattern, f"a decimal such as {'1234567890'[: 1 + kind.scale % 3]}.{'5' * kind.scale}"
    more = 18 if largest >= 10**18 else 17
    return rf"^(0|-?[1-9][0-9]{{0,{more}}})$", "an integer such as 2017"


def _from_text(form: _Form, file: str, *, start: int, data: bytes, findings: Findings) -> Rows:
    """Return some lines as rows; a line or a value that can't be read is a failure and becomes nulls."""
    number = data.count(b"\n") + (not data.endswith(b"\n"))

    def fail(row: int, field: str | None, found: object, expected: str) -> None:
        failure = Failure(file=file, row=start + row, field=field, found=display(found), expected=expected)
        findings.fail("schema", failure)

    parsed = form.parse(form, data)
    if parsed is None or any(len(values) != number for values in parsed.values()):
        rows = list(form.parse_slowly(form, data.removesuffix(b"\n").split(b"\n"), fail))
        parsed = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in form.table.fields}
    arrays = {
        name: _typed(form, name, values, lambda row, *rest, name=name: fail(row, name, *rest))
        for name, values in parsed.items()
    }
    return Rows(file, start, arrays, data)


def _typed(form: _Form, name: str, values: pa.Array, fail: Callable[[int, object, str], None]) -> pa.Array:
    """Return texts as values of their field, in the one spelling that a snapshot has; null for any other."""
    kind = form.target.field(name).type
    if values.type == kind:
        return values
    pattern, expected = form.spellings[name]
    wrong = ~truths(pc.match_substring_regex(values, pattern)) & ~null_mask(values)
    if (row := first_true(wrong)) is not None:
        fail(row, values[row].as_py(), expected)
        values = pc.if_else(pa.array(wrong), None, values)
    try:
        return values.cast(kind)
    except pa.ArrowInvalid:  # 2023-02-30 has the form of a date
        arrays: list[pa.Array] = []
        for row in range(len(values)):
            try:
                arrays.append(values.slice(row, 1).cast(kind))
            except pa.ArrowInvalid:
                fail(row, values[row].as_py(), expected)
                arrays.append(pa.nulls(1, kind))
        return pa.concat_arrays(arrays)


# --- CSV ---------------------------------------------------------------------------------------------


def _parse_csv(form: _Form, data: bytes) -> _Parsed | None:
    """Return lines of CSV as arrays of text, None when a line isn't a row; nothing is a null, `""` an empty text."""
    import pyarrow.csv as pa_csv  # which bytes of the seed, that nobody parses, needn't

    try:
        read = pa_csv.read_csv(
            pa.BufferReader(data),
            read_options=pa_csv.ReadOptions(
                column_names=form.table.fields, use_threads=False, block_size=len(data) + 1
            ),
            parse_options=pa_csv.ParseOptions(ignore_empty_lines=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=form.read,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    return {name: read.column(name).combine_chunks() for name in form.table.fields}


_CELL = re.compile(r'(?:^|,)("(?:[^"]|"")*"|[^,]*)')


def csv_cells(line: str) -> list[str | None]:
    """Return the cells of a line of CSV: None for nothing, an empty text for `""`; csv.Error for quotes that don't close."""
    cells = next(csv.reader([line], strict=True), [])
    if '""' not in line:
        return [cell or None for cell in cells]
    written = [
        cell == '""' for cell in _CELL.findall(line)
    ]  # Python's reader takes an empty text for nothing
    return ["" if empty else cell or None for cell, empty in zip(cells, written, strict=False)]


def _csv_rows(form: _Form, lines: list[bytes], fail: Fail) -> Iterator[dict[str, str | None]]:
    """Yield each line as a row of texts, telling of those that aren't rows."""
    fields = form.table.fields
    for number, line in enumerate(lines):
        try:
            texts = csv_cells(line.decode())
        except (UnicodeDecodeError, csv.Error) as error:
            fail(number, None, line, f"a row of CSV in UTF-8 ({error})")
            yield {}
            continue
        if len(texts) != len(fields):
            fail(number, None, f"{len(texts)} fields: {line.decode()}", f"{len(fields)} fields")
        yield dict(zip(fields, texts, strict=False))


# --- JSON --------------------------------------------------------------------------------------------


def _parse_json(form: _Form, data: bytes) -> _Parsed | None:
    """Return lines of JSON objects as arrays, None when a line isn't a row.

    A comma after an object, as in the JSON document, is passed over.
    """
    import pyarrow.json as pa_json  # as above

    ends = data.count(b"\n")
    if data.count(b"{") != ends or b"[" in data:
        # Rows are flat; Arrow's parser calls itself for each level of nesting. A text may hold a bracket.
        bare = _TEXT.sub(b"", data)
        if bare.count(b"{") != ends or b"[" in bare:
            return None
    if b"},\n" in data:
        data = data.replace(b"},\n", b"}\n")
    try:
        read = pa_json.read_json(
            pa.BufferReader(data),
            read_options=pa_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pa_json.ParseOptions(
                explicit_schema=pa.schema(list(form.read.items())), unexpected_field_behavior="error"
            ),
        )
        read.validate(full=True)  # the parser takes bytes that are no UTF-8
    except pa.ArrowInvalid:
        return None
    return {name: read.column(name).combine_chunks() for name in form.table.fields}


_TEXT = re.compile(rb'"(?:[^"\\\n]|\\.)*"')


def _json_rows(form: _Form, lines: list[bytes], fail: Fail) -> Iterator[dict[str, str | None]]:
    """Yield each line as a row of texts, telling of those that aren't rows."""
    fields = form.table.fields
    for number, line in enumerate(lines):
        body = line.removesuffix(b",")
        try:
            row: Any = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            fail(number, None, line, f"a JSON object ({error})")
            yield {}
            continue
        if not isinstance(row, dict) or tuple(row) != fields:
            fail(number, None, line, f"an object with the keys {', '.join(fields)} in this order")
        texts: dict[str, str | None] = {}
        if isinstance(row, dict):
            written = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            for name, value in row.items():
                if name not in fields or value is None:
                    continue
                known, word = _json_kind(form.read[name])
                if type(value) in known:
                    texts[name] = value if isinstance(value, str) else bytes(written[name]).decode()
                else:
                    fail(number, name, msgspec.json.encode(value).decode(), word)
        yield texts


def _json_kind(kind: pa.DataType) -> tuple[tuple[type, ...], str]:
    """Return the Python types of a type's values in JSON, and how a message names them."""
    if pa.types.is_boolean(kind):
        return (bool,), "true or false"
    if pa.types.is_integer(kind):
        return (int,), "a number"
    if pa.types.is_decimal(kind):
        return (int, float), "a number"
    return (str,), "a text"

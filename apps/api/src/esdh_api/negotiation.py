"""The formats of an answer: JSON, or a table's rows as NDJSON or CSV, the bytes of a snapshot's files."""

import csv
import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec
from esdh_core import Block, Table
from esdh_core.schema import record_schema
from msgspec import Struct
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_list_header

from esdh_api.errors import NotAcceptableError
from esdh_api.row_cache import Encode
from esdh_api.rows import Structs, block_structs, json_lines, json_texts

__all__ = ["JSON", "ROW_FORMATS", "RowFormat", "choose", "csv_lines"]

JSON = "application/json"
# NDJSON has no registered type: these are the ones in use. The first is the one that messages name.
_NDJSON, *_NDJSON_ALIASES = (
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/jsonlines",
    "application/x-jsonlines",
)
_WEIGHT = re.compile(r"\s*q\s*=\s*\"?([0-9]*\.?[0-9]+|[0-9]+\.)\"?\s*", re.ASCII | re.IGNORECASE)
_SPECIAL = frozenset('",\r\n')
_NEVER_EMPTY = frozenset({"enum", "minLength", "pattern"})  # constraints that an empty text doesn't meet


class RowFormat(NamedTuple):
    """A format of a table's rows: its Content-Type, what stands before the rows, and each row without its line end.

    `encode` writes the rows of a table over a block, and `lines` any Structs.
    """

    content_type: str
    head: Callable[[Table], bytes]
    encode: Encode
    lines: Callable[[Sequence[Struct]], list[bytes]]

    def body(self, table: Table, rows: Sequence[bytes]) -> bytes:
        """Return a file of rows that `encode` gave."""
        return self.head(table) + b"\n".join([*rows, b""])


def csv_texts(table: Table, block: Block, structs: Structs) -> list[bytes]:
    """Return a table's rows over a block, each as a line of CSV without its end."""
    rows = structs(table, block)
    return csv_lines(table, rows) if structs is block_structs else any_csv_lines(rows)


def csv_lines(table: Table, rows: Sequence[Struct]) -> list[bytes]:
    """Return rows of a table, each as a line of CSV without its end."""
    if _is_plain(table.record):
        lines: list[str] = []
        writer = csv.writer(_Lines(lines.append), lineterminator="")
        writer.writerows(map(msgspec.structs.astuple, rows))
        if not any("\r" in line for line in lines):  # which Python's writer leaves without quotes
            return [line.encode() for line in lines]
    return any_csv_lines(rows)


def any_csv_lines(rows: Sequence[Struct]) -> list[bytes]:
    """Return rows, whatever their fields hold, each as a line of CSV without its end."""
    return [",".join(map(_csv_field, msgspec.structs.astuple(row))).encode() for row in rows]


class _Lines(NamedTuple):
    """What Python's CSV writer writes to: it calls `write` once a row."""

    write: Callable[[str], object]


@cache
def _is_plain(record: type[Struct]) -> bool:
    """Return whether Python's own writer, which is faster, writes a table's values as a snapshot does.

    It writes an empty text as a null, and booleans, decimals and instants as Python does.
    """
    return all(
        field.type in ("integer", "date") or not _NEVER_EMPTY.isdisjoint(field.constraints)
        for field in record_schema(record)
    )


def _csv_field(value: Any) -> str:
    """Return a value as a snapshot's CSV has it: in quotes where RFC 4180 needs them or it would read as a null."""
    match value:
        case None:
            return ""
        case msgspec.Raw():  # a number that is written already
            return bytes(value).decode()
        case bool():
            return "true" if value else "false"
        case dt.datetime():
            return f"{value.isoformat()[:19]}Z"
    text = str(value)
    return text if text and _SPECIAL.isdisjoint(text) else '"' + text.replace('"', '""') + '"'


def _csv_head(table: Table) -> bytes:
    return ",".join(table.fields).encode() + b"\n"


def _no_head(table: Table) -> bytes:  # noqa: ARG001 - the same for every table
    return b""


ROW_FORMATS: dict[str, RowFormat] = {
    _NDJSON: RowFormat(_NDJSON, _no_head, json_texts, json_lines),
    "text/csv": RowFormat("text/csv; charset=utf-8", _csv_head, csv_texts, any_csv_lines),
    # A client that asks for an alias gets the same bytes under the name that it knows.
    **{alias: RowFormat(alias, _no_head, json_texts, json_lines) for alias in _NDJSON_ALIASES},
}


def choose(accept: str, *offered: str) -> str:
    """Return the media type that an Accept header likes best of those offered; the first, where it has no wish.

    Raises NotAcceptableError where it takes none of them.
    """
    wishes = MIMEAccept(_wishes(accept))
    if not wishes:
        return offered[0]
    # `quality` is that of the most specific match: `best_match` alone would pass over a `q=0`.
    best = wishes.best_match([each for each in offered if wishes.quality(each) > 0])
    if best is None:
        named = [each for each in offered if each not in _NDJSON_ALIASES]
        raise NotAcceptableError(
            f"this path gives {' or '.join(named)}, none of which your Accept header takes"
        )
    return best


def _wishes(accept: str) -> Iterator[tuple[str, float]]:
    """Yield the media ranges of an Accept header with their weights, read as leniently as clients write it.

    Werkzeug's own reading leaves out `*` and `q=.2`, which Java's HttpURLConnection sends, and matches
    parameters literally, where clients write `application/json; charset=utf-8`: here they say nothing. A
    weight that is no number says nothing either, and one past 1 is 1.
    """
    for member in parse_list_header(accept):
        media_range, *parameters = (part.strip() for part in member.split(";"))
        if media_range:
            weights = [float(found[1]) for each in parameters if (found := _WEIGHT.fullmatch(each))]
            yield "*/*" if media_range == "*" else media_range, min([*weights[:1], 1.0])

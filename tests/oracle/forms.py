"""Rows as text and as a digest: section 4 of datasets.md."""

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from oracle.expressions import Type, Value, instant, unscaled
from oracle.structure import EPOCH

Typed = str | int | bool | Decimal | dt.date | None


def typed(value: Value, of: Type) -> Typed:
    """Return a value as Python's own type of the field's; a decimal has the field's scale."""
    if value is None:
        return None
    if of.kind == "decimal":
        units = unscaled(value, of.scale)
        return Decimal((units < 0, tuple(map(int, str(abs(units)))), -of.scale))
    if of.kind == "integer":
        return unscaled(value, 0)
    if of.kind == "timestamp":
        return instant(value)
    assert not isinstance(value, Fraction) and isinstance(value, str | bool | dt.date)
    return value


def text(value: Typed) -> str:
    """Return a value as a CSV cell shows it, before any quotes."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def csv_line(values: Sequence[Typed]) -> str:
    """Return a line of CSV without its line end."""
    return ",".join(map(_csv_cell, values))


def _csv_cell(value: Typed) -> str:
    cell = text(value)
    needs_quotes = value == "" or any(c in cell for c in ',"\r\n')
    return '"' + cell.replace('"', '""') + '"' if needs_quotes else cell


def ndjson_line(names: Sequence[str], values: Sequence[Typed], types: Sequence[Type]) -> str:
    """Return a line of NDJSON without its line end."""
    members = (
        f"{json.dumps(name)}:{_json_value(value, of)}"
        for name, value, of in zip(names, values, types, strict=True)
    )
    return "{" + ",".join(members) + "}"


def is_wide(of: Type) -> bool:
    """Tell whether a number's bounds exceed 15 digits, so that its JSON is a string."""
    return of.is_number and max(abs(of.low), abs(of.high)) * 10**of.scale >= 10**15


def _json_value(value: Typed, of: Type) -> str:
    if value is None:
        return "null"
    if of.kind == "boolean" or (of.is_number and not is_wide(of)):
        return text(value)
    return json.dumps(text(value), ensure_ascii=False)


def content_digest(blocks: Sequence[Sequence[Sequence[Typed]]], types: Sequence[Type]) -> str:
    """Return the content digest of a table from its blocks, each a sequence of columns."""
    return hashlib.sha256(b"".join(_block_digest(block, types) for block in blocks)).hexdigest()


def _block_digest(columns: Sequence[Sequence[Typed]], types: Sequence[Type]) -> bytes:
    if not columns[0]:
        return hashlib.sha256(b"").digest()
    digests = [
        hashlib.sha256(_column_bytes(values, of)).digest() for values, of in zip(columns, types, strict=True)
    ]
    return hashlib.sha256(b"".join(digests)).digest()


def _column_bytes(values: Sequence[Typed], of: Type) -> bytes:
    if of.kind == "string":
        texts = [None if value is None else str(value).encode() for value in values]
        lengths = [0xFFFFFFFF if one is None else len(one) for one in texts]
        return b"".join(length.to_bytes(4, "little") for length in lengths) + b"".join(
            one for one in texts if one is not None
        )
    validity = bytes(value is not None for value in values) if of.nullable else b""
    return validity + b"".join(_value_bytes(value, of) for value in values)


def _value_bytes(value: Typed, of: Type) -> bytes:
    width = {"boolean": 1, "date": 4}.get(of.kind, 8)
    if value is None:
        number = 0
    elif isinstance(value, dt.datetime):
        number = int((value - instant(EPOCH)).total_seconds()) * 1_000_000
    elif isinstance(value, dt.date):
        number = (value - EPOCH).days
    elif isinstance(value, Decimal):
        number = int(value.scaleb(of.scale))
    else:
        number = int(value)
    return number.to_bytes(width, "little", signed=True)

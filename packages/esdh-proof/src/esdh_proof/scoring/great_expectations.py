"""Great Expectations' validation results, as `result.to_json_dict()` of GX 1.x gives them."""

from collections.abc import Iterator
from typing import Any

import msgspec
from esdh_core import Table
from esdh_core.overlay import value_text
from esdh_plan.errors import near

from esdh_proof.errors import ProofError
from esdh_proof.scoring.finding import Report, RowReference, ToolFinding
from esdh_proof.scoring.snapshot import LabelledSnapshot

__all__ = ["FORMAT", "matches", "read"]

FORMAT = "great_expectations"
_COLUMNS = ("column", "column_A", "column_B", "column_list", "column_set")  # of an expectation's arguments


class _Config(msgspec.Struct, frozen=True):
    type: str = ""
    kwargs: dict[str, Any] = {}


class _Result(msgspec.Struct, frozen=True):
    element_count: int | None = None
    unexpected_count: int = 0
    unexpected_index_list: list[int | dict[str, Any]] | None = None
    partial_unexpected_index_list: list[int | dict[str, Any]] | None = None


class _Expectation(msgspec.Struct, frozen=True):
    success: bool | None
    expectation_config: _Config
    result: _Result
    exception_info: dict[str, Any] = {}

    @property
    def raised(self) -> bool:
        """Whether it was not tried to the end: said at once, or of each metric."""
        parts = [self.exception_info, *self.exception_info.values()]
        return any(part.get("raised_exception") for part in parts if isinstance(part, dict))


class _Batch(msgspec.Struct, frozen=True):
    data_asset_name: str = ""


class _Meta(msgspec.Struct, frozen=True):
    active_batch_definition: _Batch = _Batch()


class _Suite(msgspec.Struct, frozen=True):
    results: list[_Expectation]
    meta: _Meta = _Meta()


def matches(data: bytes) -> bool:
    """Return whether a JSON document is one of Great Expectations' results."""
    return any(True for _ in _suites(msgspec.json.decode(data)))


def _suites(document: Any) -> Iterator[Any]:
    """Yield the results of suites in a document: one, a list, those of a checkpoint; or of a single expectation."""
    match document:
        case list():
            for each in document:
                yield from _suites(each)
        case {"run_results": dict() as runs}:
            yield from _suites(list(runs.values()))
        case {"expectation_config": _, "result": _}:
            yield {"results": [document]}
        case {"success": _, "results": list()}:
            yield document


def read(data: bytes, snapshot: LabelledSnapshot, *, table: str | None) -> Report:
    """Return what the results say: each unexpected value is a finding, of all columns that its expectation names.

    An expectation that passes reports nothing, whatever it tolerates; one that fails and is of no rows is of the file.

    The table is that which the data asset is named for, else `table`, else that of the rows' ids.

    Raises msgspec.DecodeError for another shape, ProofError where the rows aren't all there.
    """
    findings: list[ToolFinding] = []
    notes: list[str] = []
    for number, document in enumerate(_suites(msgspec.json.decode(data))):
        suite = msgspec.convert(document, _Suite)
        asset = suite.meta.active_batch_definition.data_asset_name
        for at, each in enumerate(suite.results):
            config = each.expectation_config
            where = f"result {number}, expectation {at} ({config.type})"
            batch = str(config.kwargs.get("batch_id") or "").rpartition("-")[2]
            name = snapshot.table_of_file(asset, batch) or table
            if each.raised:
                notes.append(f"{where} raised an exception and found nothing")
            elif each.success:
                if count := each.result.unexpected_count:
                    notes.append(f"{where} passes, so its {count:,} unexpected values don't count")
            else:
                of = snapshot.table(name, where) if name else None
                findings += _findings(each, snapshot, of, where, asset or batch)
    return Report(FORMAT, findings, None, notes)


def _findings(
    each: _Expectation, snapshot: LabelledSnapshot, table: Table | None, where: str, asset: str
) -> Iterator[ToolFinding]:
    fields = tuple(_columns(each.expectation_config.kwargs))
    if table is not None:
        fields = tuple(name for name in fields if name in table.fields)  # data may have columns of its own
    rows = _rows(each.result, where)
    if rows is None:
        yield ToolFinding(where, (table or _one_table(snapshot, where, asset)).name, None, fields)
        return
    for row in rows:
        if isinstance(row, int):
            of = table or _one_table(snapshot, where, asset)
            yield ToolFinding(where, of.name, RowReference(number=row), fields)
        else:
            of = table or _table_of(snapshot, row, where, asset)
            yield ToolFinding(where, of.name, RowReference(key=_key(snapshot, of, row, where)), fields)


def _columns(arguments: dict[str, Any]) -> Iterator[str]:
    for name in _COLUMNS:
        value = arguments.get(name)
        yield from (str(each) for each in value) if isinstance(value, list) else ([value] if value else [])


def _rows(result: _Result, where: str) -> list[int | dict[str, Any]] | None:
    """Return the rows with an unexpected value, None where the expectation is of no rows."""
    rows = result.unexpected_index_list or result.partial_unexpected_index_list
    if rows is None and result.element_count is None:
        return None
    rows = rows or []
    if len(rows) < result.unexpected_count:
        raise ProofError(
            f"{where}: the result lists {len(rows):,} of {result.unexpected_count:,} rows; run the validation with "
            'result_format={"result_format": "COMPLETE"}'
        )
    return rows


def _one_table(snapshot: LabelledSnapshot, where: str, asset: str) -> Table:
    if len(snapshot.tables) == 1:
        return snapshot.tables[0]
    known = [table.name for table in snapshot.tables]
    raise ProofError(
        f"{where}: the data asset {asset!r} is named for no table; name it for one of {', '.join(known)}, or give --table"
        f"{near(asset, known)}"
    )


def _table_of(snapshot: LabelledSnapshot, row: dict[str, Any], where: str, asset: str) -> Table:
    """Return the table whose id is among the columns that name a row."""
    owners = [table for table in snapshot.tables if (table.field_with("id") or "") in row]
    return owners[0] if owners else _one_table(snapshot, where, asset)


def _key(snapshot: LabelledSnapshot, table: Table, row: dict[str, Any], where: str) -> tuple[str, ...]:
    fields = snapshot.key_fields(table)
    if not fields or any(name not in row for name in fields):
        names = ", ".join(f'"{name}"' for name in fields)
        remedy = f'run it with "unexpected_index_column_names": [{names}]' if fields else "leave that out"
        raise ProofError(
            f"{where}: rows are named by {', '.join(row)}, which is no key of {table.name}; {remedy}"
        )
    return tuple(value_text(row[name]) or "" for name in fields)

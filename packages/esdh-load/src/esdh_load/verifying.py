"""Verifies a load in a database: its rows are read back and held against those that the seed gives."""

from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from typing import Literal

import msgspec
import pyarrow as pa
from esdh_core import Dataset, Table
from esdh_plan import PlanError

from esdh_load.by_key import ComparisonByKey
from esdh_load.by_slot import ComparisonBySlot
from esdh_load.columns import field_types
from esdh_load.comparison import Comparison
from esdh_load.databases import Database, ExistingColumn, FieldType, UnreadableValueError, open_database
from esdh_load.errors import LoadError
from esdh_load.expected import ExpectedTable, row_key
from esdh_load.findings import RowFailure, TableFindings
from esdh_load.records import LOADS, Load, LoadedTable, choose_load, read_loads

__all__ = ["DatabaseCheck", "DatabaseVerification", "verify_database"]

# The checks in the order of the report, and what each of them claims.
_CLAIMS = {
    "load": "what esdh_loads says of the load can be read, and its plan is whole",
    "schema": "every table and column of the load is there, and every value is of its type",
    "rows": "every row of the load that is there holds the values that the seed gives",
    "missing": "no row of the load is missing",
    "foreign": "no row that is of no load says that it is generated",
    "digests": "rows and content digests are those of the seed and of esdh_loads",
}
_ROW_CHECKS = ("schema", "rows", "missing", "foreign", "digests")
# What no reading of the rows can prove.
_UNPROVABLE = (
    "when the load was made, and by which version of the program, as esdh_loads says",
    "tables, columns and rows that are the testers' own",
)

Status = Literal["passed", "failed", "unproven"]


class DatabaseCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one check: over how many rows, how many failures, and the first of them.

    `reason` says why a check is unproven; `notes` are what a reader should know beside the outcome.
    """

    name: str
    claim: str
    status: Status
    rows: int
    failures: int
    first: RowFailure | None
    reason: str | None
    notes: list[str]


class DatabaseVerification(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a verification: which load it is of, every check in order, and what stays unproven.

    `database` is the URI without its password; `content` gives the digest of each table's rows as they were read.
    """

    database: str
    db_schema: str | None
    load: int
    verdict: Literal["passed", "failed"]
    dataset_version: str
    seed: int
    records: int
    plan_sha256: str
    content: dict[str, str]
    checks: list[DatabaseCheck]
    unproven: list[str]


def verify_database(
    uri: str,
    *,
    schema: str | None = None,
    load: int | None = None,
    exact: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> DatabaseVerification:
    """Verify a load in a database, reading only, in one state of it; return what every check found.

    `schema` is where the tables are; `load` is the number of the load, which may be left out where there is one. Rows
    that are of no load fail the check `foreign` where they say, by an id or the marker, that they are generated; the
    testers' own rows are counted and the first is named, and fail it only with `exact`. `progress` is called after each
    batch with its number of rows and with that of all rows. Damage is never an error: it is a check that failed.

    Raises UriError and DatabaseError when the database can't be read, LoadError when it has no such load.
    """
    with open_database(uri, schema=schema) as database, database.transaction(read_only=True):
        return _Verification(database, choose_load(database, load), exact=exact, progress=progress).run()


class _Verification:
    """One load, as it is verified."""

    def __init__(
        self, database: Database, load: Load, *, exact: bool, progress: Callable[[int, int], None] | None
    ) -> None:
        self._database = database
        self._load = load
        self._exact = exact
        self._progress = progress
        self._rows = sum(each.rows for each in load.tables)
        self._content: dict[str, str] = {}
        self._failures = dict.fromkeys(_CLAIMS, 0)
        self._counts = dict.fromkeys(_CLAIMS, 0)
        self._first: dict[str, RowFailure] = {}
        self._reasons: dict[str, str] = {}
        self._notes: dict[str, list[str]] = {name: [] for name in _CLAIMS}

    def run(self) -> DatabaseVerification:
        """Run every check."""
        try:
            dataset = self._load.dataset()
            dataset.check_records(self._load.records)
            tables = [(each, _table(dataset, each)) for each in self._load.tables]
        except (LoadError, PlanError, ValueError) as error:
            self._fail("load", LOADS, found=str(error), expected="a load that this program can make again")
            for check in _ROW_CHECKS:
                self._reasons[check] = "the load can't be made again"
        else:
            others = _datasets(each for each in read_loads(self._database) if each.load != self._load.load)
            for claim, table in tables:
                self._table(dataset, table, claim, others)
        return self._outcome()

    def _table(
        self, dataset: Dataset, table: Table, claim: LoadedTable, others: list[tuple[Load, Dataset]]
    ) -> None:
        fields = field_types(dataset, table)
        if not self._has_columns(table, fields):
            return
        kind = ComparisonByKey if table.field_with("id") is None else ComparisonBySlot
        comparison = kind(
            ExpectedTable(self._load, dataset, table),
            [
                ExpectedTable(load, other, other.table(table.name))
                for load, other in others
                if _loads(load, table)
            ],
        )
        with closing(comparison):
            self._read(table, fields, comparison)
            self._report(comparison.finish(), claim)

    def _read(self, table: Table, fields: dict[str, FieldType], comparison: Comparison) -> None:
        """Give a comparison all rows of its table."""
        unreadable: list[UnreadableValueError] = []
        with self._database.read(table.name, fields, unreadable=unreadable.append) as batches:
            for batch in batches:
                for value in unreadable:
                    _note_unreadable(comparison.findings, table, fields, batch, value)
                unreadable.clear()
                comparison.add(batch)
                if self._progress is not None:
                    self._progress(len(batch), max(self._rows, 1))

    def _has_columns(self, table: Table, fields: dict[str, FieldType]) -> bool:
        """Hold the columns of a table against the fields; return whether its rows can be read."""
        columns = self._database.columns(table.name)
        if columns is None:
            self._fail("schema", table.name, found=None, expected="a table")
            return False
        known = {each.name: each for each in columns}
        wrong = {
            name: known.get(name) for name, field in fields.items() if not self._fits(field, name, known)
        }
        for name, column in wrong.items():
            self._fail(
                "schema",
                table.name,
                field=name,
                found=None if column is None else column.type,
                expected=self._database.column_type(fields[name]),
            )
        return not wrong

    def _fits(self, field: FieldType, name: str, known: dict[str, ExistingColumn]) -> bool:
        return name in known and self._database.accepts(field, known[name])

    def _report(self, found: TableFindings, claim: LoadedTable) -> None:
        """Put what was found in a table into the checks."""
        self._content[found.table] = found.digest
        for check in _ROW_CHECKS:
            self._counts[check] += found.rows
        for check, tally in (
            ("schema", found.unreadable),
            ("rows", found.differing),
            ("missing", found.missing),
            ("foreign", found.forged),
        ):
            self._add(check, tally.count, tally.first)
        if self._exact:
            self._add("foreign", found.own.count, found.own.first)
        elif found.own.first is not None:
            key = ", ".join(f"{name} = {value}" for name, value in found.own.first.key.items())
            rows = "1 row" if found.own.count == 1 else f"{found.own.count:,} rows"
            self._notes["foreign"].append(f"{found.table} has {rows} of the testers' own, such as {key}")
        for what, value, recorded in (
            ("rows", str(found.expected_rows), str(claim.rows)),
            ("content digest", found.expected_digest, claim.content),
        ):
            if value != recorded:
                self._fail("digests", LOADS, field=f"{what} of {found.table}", found=recorded, expected=value)
        if found.digest != found.expected_digest:
            self._fail(
                "digests",
                found.table,
                field="content digest",
                found=found.digest or "that of other rows",
                expected=found.expected_digest,
            )

    def _fail(
        self, check: str, table: str, *, field: str | None = None, found: str | None, expected: str
    ) -> None:
        self._add(check, 1, RowFailure(table=table, field=field, found=found, expected=expected))

    def _add(self, check: str, count: int, first: RowFailure | None) -> None:
        self._failures[check] += count
        if first is not None:
            self._first.setdefault(check, first)

    def _outcome(self) -> DatabaseVerification:
        load, database = self._load, self._database
        checks = [
            DatabaseCheck(
                name=name,
                claim=claim,
                status="failed"
                if self._failures[name]
                else "unproven"
                if name in self._reasons
                else "passed",
                rows=self._counts[name],
                failures=self._failures[name],
                first=self._first.get(name),
                reason=self._reasons.get(name),
                notes=self._notes[name],
            )
            for name, claim in _CLAIMS.items()
        ]
        return DatabaseVerification(
            database=str(database.uri),
            db_schema=database.schema,
            load=load.load,
            verdict="failed" if any(each.status == "failed" for each in checks) else "passed",
            dataset_version=load.dataset_version,
            seed=load.seed,
            records=load.records,
            plan_sha256=load.plan_sha256,
            content=self._content,
            checks=checks,
            unproven=[
                *(f"{each.name}: {each.reason}" for each in checks if each.status == "unproven"),
                *_UNPROVABLE,
            ],
        )


def _table(dataset: Dataset, claim: LoadedTable) -> Table:
    """Return the table that a load says it has; a row is known by the full name alone."""
    found = next((each for each in dataset.tables if each.name == claim.name), None)
    if found is None:
        raise LoadError(f"it has a table {claim.name}, and {dataset.dataset_version} has none")
    return found


def _loads(load: Load, table: Table) -> bool:
    return any(each.name == table.name for each in load.tables)


def _datasets(loads: Iterable[Load]) -> list[tuple[Load, Dataset]]:
    """Return loads with their datasets; the rows of one whose dataset can't be made are of no load that is known."""
    found = []
    for load in loads:
        with suppress(LoadError, PlanError):
            found.append((load, load.dataset()))
    return found


def _note_unreadable(
    findings: TableFindings,
    table: Table,
    fields: dict[str, FieldType],
    rows: pa.RecordBatch,
    value: UnreadableValueError,
) -> None:
    row = rows.slice(value.position, 1).to_pylist()[0]
    failure = RowFailure(
        table=table.name,
        key={name: None if row[name] is None else str(row[name]) for name in row_key(table) or table.fields},
        field=value.field,
        found=value.value,
        expected=f"a value of the type {fields[value.field].kind}",
    )
    findings.unreadable.add(1, (findings.rows + value.position, ""), failure)

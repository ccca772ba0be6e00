"""Snapshots of plans that hypothesis draws: what their files hold, who can read it, and what verification finds."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from esdh_core.columns import Column
from esdh_core.dataset import Dataset, Table
from esdh_core.schema import FieldSchema
from esdh_export import SnapshotRequest, write_snapshot
from esdh_export.execution.worker_pool import WorkerPool
from esdh_manifest import decode_manifest, document_name, manifest_name, table_name
from esdh_proof import judge, verify_snapshot
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle.forms import content_digest
from plan.drawn import Row, compiled, examples, oracle_of
from plan.generating import Plan, plans
from tampering import forged

FORMATS = ("csv", "json", "ndjson", "parquet")
seeds = st.sampled_from([1, 20240601, 2**53 - 1])
sizes = st.integers(1, 6)


@contextmanager
def snapshot(dataset: Dataset, seed: int, records: int, *formats: str, **options: Any) -> Iterator[Path]:
    """Write a snapshot, judged by its gates, whose folder goes in the end."""
    request = SnapshotRequest(
        dataset=dataset, seed=seed, records=min(records, dataset.max_records), formats=formats or FORMATS
    )
    with tempfile.TemporaryDirectory() as folder:
        write_snapshot(
            Path(folder) / "s", request, gate=partial(judge, dataset=dataset, seed=request.seed), **options
        )
        yield Path(folder) / "s"


def file_of(folder: Path, dataset: Dataset, table: Table, form: str) -> Path:
    """Return the file of a table."""
    return folder / table_name(table.name, dataset.dataset_version, form)


def digests_of(folder: Path, dataset: Dataset) -> dict[str, str]:
    """Return the content digests that a manifest tells."""
    return decode_manifest((folder / manifest_name(dataset.dataset_version)).read_bytes()).content


# --- what files hold


@examples(12)
@given(plans(), seeds, sizes)
def test_files_are_the_oracles(plan: Plan, seed: int, records: int) -> None:
    """Every line of text, and the content digest, is that of the independent reading."""
    dataset, oracle = compiled(plan), oracle_of(plan)
    records = min(records, dataset.max_records)
    with snapshot(dataset, seed, records) as folder:
        document = (folder / document_name(dataset.dataset_version)).read_text("utf-8")
        for table in dataset.tables:
            expected = oracle.ndjson(table.name, seed, 0, records)
            for form, lines in (("csv", oracle.csv(table.name, seed, 0, records)), ("ndjson", expected)):
                text = file_of(folder, dataset, table, form).read_bytes().decode()
                assert "".join(f"{line}\n" for line in lines) == text
            assert f'"{table.name}":[\n' + ",\n".join(expected) + "\n]" in document or not expected
            assert oracle.digest(table.name, seed, records) == digests_of(folder, dataset)[table.name]


@examples(6)
@given(plans(), seeds, sizes)
def test_a_shorter_file_begins_a_longer(plan: Plan, seed: int, records: int) -> None:
    """The text of fewer records is the beginning of that of more, and alone the same as beside other tables."""
    dataset = compiled(plan)
    table = dataset.root
    fewer, more = min(records, dataset.max_records), min(records + 3, dataset.max_records)
    with snapshot(dataset, seed, fewer, "csv") as short, snapshot(dataset, seed, more, "csv") as long:
        for each in dataset.tables:
            a, b = (file_of(folder, dataset, each, "csv").read_bytes() for folder in (short, long))
            assert b.startswith(a)
    request = SnapshotRequest(
        dataset=dataset, seed=seed, records=more, formats=("csv", "parquet"), entities=(table.name,)
    )
    with tempfile.TemporaryDirectory() as alone, snapshot(dataset, seed, more, "csv", "parquet") as whole:
        write_snapshot(Path(alone) / "s", request)
        for form in ("csv", "parquet"):
            a, b = (
                file_of(folder, dataset, table, form).read_bytes() for folder in (Path(alone) / "s", whole)
            )
            assert a == b


@examples(2)
@given(plans(), seeds)
def test_workers_write_the_same_bytes(plan: Plan, seed: int) -> None:
    """Workers in other processes, to whom the plan goes as its recipe, write what one process writes."""
    dataset = compiled(plan)
    with (
        WorkerPool(2) as pool,
        snapshot(dataset, seed, 4, executor=pool) as a,
        snapshot(dataset, seed, 4) as b,
    ):
        names = sorted(path.name for path in b.iterdir())
        assert names == sorted(path.name for path in a.iterdir())
        assert [] == [name for name in names if (a / name).read_bytes() != (b / name).read_bytes()]


# --- what the values say of each other, as the files tell them


@examples(20)
@given(plans(), seeds, sizes)
def test_totals_are_those_of_the_files(plan: Plan, seed: int, records: int) -> None:
    """Rollups and running values are what the rows of the files add up to, and ordered values ascend."""
    dataset, oracle = compiled(plan), oracle_of(plan)
    records = min(records, dataset.max_records)
    files: dict[str, dict[int, Row]] = {}
    with snapshot(dataset, seed, records, "parquet") as folder:
        for table in dataset.tables:
            slots = oracle.slots(table.name, seed, 0, records)
            rows = pq.read_table(file_of(folder, dataset, table, "parquet")).to_pylist()
            files[table.name] = dict(zip(slots, rows, strict=True))
    for name, drawn in plan.tables.items():
        for field, held in drawn.fields.items():
            if held.has("missing") or held.has("when"):
                continue
            where = f"{name}.{field}"
            if held.has("rollup"):
                function, below, column = _parts(held.body["rollup"])
                span = plan.tables[below].span // drawn.span
                beside = {slot: _under(files[below], span, slot) for slot in files[name]}
                expected = {slot: _total(function, rows, column) for slot, rows in beside.items()}
                assert expected == {slot: row[field] for slot, row in files[name].items()}, where
            elif held.has("running"):
                function, column, _ = _parts(held.body["running"])
                for slot, row in files[name].items():
                    siblings = _under(files[name], drawn.factor, slot // drawn.factor)
                    upto = siblings[: slot % drawn.factor + 1]
                    assert _total(function, upto, column) == row[field], where
            elif held.has("ordered"):
                for parent in {slot // drawn.factor for slot in files[name]}:
                    values = [row[field] for row in _under(files[name], drawn.factor, parent)]
                    assert sorted(values) == values or None in values, where


def _parts(text: str) -> tuple[str, str, str]:
    function, _, inner = text.rstrip(")").partition("(")
    table, _, column = inner.partition(".")
    return function, table, column


def _under(rows: dict[int, Row], span: int, slot: int) -> list[Row]:
    return [row for at, row in rows.items() if at // span == slot]


def _total(function: str, rows: list[Row], column: str) -> Any:
    if function == "count":
        return len(rows)
    values = [row[column] for row in rows if row[column] is not None]
    if function == "sum":
        return sum(values)
    if not values:
        return None
    return {"first": values[0], "last": values[-1], "min": min(values), "max": max(values)}[function]


# --- who can read it


def with_duckdb(path: Path, form: str, schema: tuple[FieldSchema, ...]) -> list[tuple[Any, ...]]:
    """Return the rows of a file that DuckDB reads to the declared types."""
    types = {each.name: _DUCKDB.get(each.type, f"DECIMAL(18,{each.scale})") for each in schema}
    query = {
        "parquet": f"FROM '{path}'",
        "csv": f"FROM read_csv('{path}', header = true, auto_detect = false, allow_quoted_nulls = false, columns = {types}, quote = '\"', escape = '\"')",
        "ndjson": f"FROM read_json('{path}', format = 'newline_delimited', columns = {types})",
    }[form]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = connection.sql(query)
        assert list(types.items()) == list(zip(relation.columns, map(str, relation.types), strict=True))
        return _tuples(relation.to_arrow_table().to_pylist())


_DUCKDB = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}


def with_polars(path: Path, form: str, schema: tuple[FieldSchema, ...]) -> list[tuple[Any, ...]]:
    """Return the rows of a file that Polars reads to the declared types; in text it takes instants from text."""
    wanted = pl.Schema({each.name: _POLARS.get(each.type, pl.Decimal(18, each.scale)) for each in schema})
    if form == "parquet":
        frame = pl.read_parquet(path)
        assert wanted == frame.schema
        return frame.rows()
    text = {name: kind if kind == pl.Boolean() else pl.String() for name, kind in wanted.items()}
    found = pl.read_csv(path, schema=text) if form == "csv" else pl.read_ndjson(path, schema=text)
    frame = found.with_columns(_from_text(name, kind) for name, kind in wanted.items())
    assert wanted == frame.schema
    return frame.rows()


def _from_text(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(kind, pl.Datetime):
        return column.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC")
    return column.str.to_date() if isinstance(kind, pl.Date) else column.cast(kind)


_POLARS: dict[str, pl.DataType] = {
    "string": pl.String(),
    "integer": pl.Int64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
}


def _tuples(rows: list[Row]) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in rows]


@examples(8)
@given(plans(), seeds, sizes)
def test_readers_find_one_digest(plan: Plan, seed: int, records: int) -> None:
    """DuckDB and Polars read each format to the declared types, with values that have the manifest's content digest."""
    dataset, oracle = compiled(plan), oracle_of(plan)
    records = min(records, dataset.max_records)
    with snapshot(dataset, seed, records) as folder:
        for table in dataset.tables:
            types = list(oracle.types(table.name).values())
            for form in ("parquet", "csv", "ndjson"):
                for read in (with_duckdb, with_polars):
                    rows = read(file_of(folder, dataset, table, form), form, table.schema)
                    found = [[row[place] for row in rows] for place in range(len(types))]
                    digest = content_digest([] if table.is_fixed and not rows else [found], types)
                    assert digests_of(folder, dataset)[table.name] == digest, (
                        f"{table.name} {form} {read.__name__}"
                    )


# --- what verification finds


@examples(12)
@given(plans(), seeds, sizes)
def test_a_snapshot_is_verified_from_its_recipe(plan: Plan, seed: int, records: int) -> None:
    """Verification passes in a process that knows no plan, whose plan file is gone, with and without making the rows again."""
    dataset = compiled(plan)
    with snapshot(dataset, seed, records) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("esdh_plan.recipe._known", {})
        for regenerate in (True, False):
            outcome = verify_snapshot(folder, regenerate=regenerate)
            failed = {check.name: check.first for check in outcome.checks if check.status == "failed"}
            assert {} == failed, failed
            assert "passed" == outcome.verdict


@examples(15)
@given(plans(), seeds, st.data())
def test_a_drawn_edit_that_was_signed_again_is_found(plan: Plan, seed: int, data: st.DataObject) -> None:
    """A value that another row has, put in place and signed by all digests, is found in its field."""
    dataset = compiled(plan)
    records = min(5, dataset.max_records)
    table = data.draw(st.sampled_from(dataset.tables))
    field = data.draw(st.sampled_from(table.fields))
    values = dataset.columns(0, records, seed, tables=[table.name])[table.name][field].tolist()
    others = [row for row, value in enumerate(values) if value != values[0]]
    assume(others)
    other = data.draw(st.sampled_from(others))

    def borrow(column: Column) -> Column:
        rows = np.arange(len(column))
        if len(rows) == len(values):
            rows[other] = 0
        return column.take(rows)

    with ExitStack() as stack:
        with forged(table, [field], borrow):
            folder = stack.enter_context(
                snapshot(dataset, seed, records, data.draw(st.sampled_from(FORMATS)))
            )
        outcome = verify_snapshot(folder)
    failed = {check.name: check.first for check in outcome.checks if check.status == "failed"}
    assert "regenerated" in failed
    first = failed["regenerated"]
    assert first is not None
    assert (other, field) == (first.row, first.field)

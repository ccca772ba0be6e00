"""Rows in any order are put back where they stand, and hashed to the digest of a manifest."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from esdh_core import Dataset
from esdh_export import EncodedBlock, SnapshotRequest, block_digest, entity_digest, write_snapshot
from esdh_plan import compile_plan, load_plan, parse_plan
from pyspark_esdh import SparkError
from pyspark_esdh.digest import _BLOCK, _hash, _Order, _place
from pyspark_esdh.request import ReadRequest
from trees import TREE

RECORDS, SEED = 3_000, 7
PLAN_WITHOUT_IDS = """
esdh: plan/1
name: own
version: 1
reference_date: 2026-01-01
tables:
  visits:
    fields:
      pages: {integer: {from: 1, to: 9}}
"""


def _request(dataset: Dataset, table: str) -> ReadRequest:
    return ReadRequest(dataset, table, dataset.table(table).fields, RECORDS, SEED)


def _rows(request: ReadRequest) -> pa.Table:
    """Return the rows of a table in a drawn order."""
    parts = []
    for window in request.windows():
        for columns in request.blocks(window):
            block = EncodedBlock({request.table: columns})
            parts.append(pa.table({name: block.array(column) for name, column in columns.items()}))
    rows = pa.concat_tables(parts)
    return rows.take(np.random.default_rng(1).permutation(len(rows)))


def _groups(order: _Order, rows: pa.Table) -> list[dict[str, Any]]:
    """Return what comes of each group of rows, grouped as Spark would."""
    placed = pa.Table.from_batches(list(_place(order, rows.to_batches(max_chunksize=777))))
    blocks = placed.column(_BLOCK)
    groups = (placed.filter(pc.equal(blocks, block)) for block in blocks.unique())
    return [_hash(order, group).to_pylist()[0] for group in groups]


def _faults(order: _Order, rows: pa.Table) -> list[str]:
    """Return what is wrong with groups of rows."""
    return [each["fault"] for each in _groups(order, rows) if each["fault"]]


def _digest(order: _Order, rows: pa.Table) -> str:
    return order.entity_digest({each[_BLOCK]: each["digests"] for each in _groups(order, rows)})


@pytest.mark.parametrize("dataset", [load_plan("bank"), load_plan("shop"), TREE], ids=str)
def test_digest_is_the_manifests(dataset: Dataset, tmp_path: Path) -> None:
    """Shuffled rows of every table, with ids or without, fixed or not, have the content digest of the snapshot's."""
    snapshot = write_snapshot(
        tmp_path / "out", SnapshotRequest(dataset=dataset, records=RECORDS, seed=SEED, formats=("csv",))
    )
    content = snapshot.manifest.content
    orders = {name: _Order.of(_request(dataset, name)) for name in content}
    assert content == {name: _digest(order, _rows(order.request)) for name, order in orders.items()}


def test_block_without_rows_counts() -> None:
    """A block that no row stands in has the digest of nothing, as in a manifest."""
    order = _Order.of(_request(load_plan("bank"), "transactions"))
    rows = _rows(order.request)
    first = [each for each in _groups(order, rows) if each[_BLOCK] == 0]
    expected = entity_digest([first[0]["digests"], block_digest([])])
    assert 2 == order.blocks
    assert expected == order.entity_digest({0: first[0]["digests"]})


@pytest.mark.parametrize(
    ("plan", "table", "field"), [("bank", "transactions", "category"), ("shop", "lines", "product_id")]
)
def test_other_rows_have_another_digest(plan: str, table: str, field: str) -> None:
    """Two values that change places, or a row that is missing, give another digest."""
    order = _Order.of(_request(load_plan(plan), table))
    rows = _rows(order.request)
    column = rows.column(field)
    values = column.to_pylist()
    there = next(place for place, value in enumerate(values) if value != values[0])
    places = np.arange(len(rows))
    places[[0, there]] = there, 0
    swapped = rows.set_column(rows.column_names.index(field), field, column.take(places))
    assert 3 == len({_digest(order, each) for each in (rows, swapped, rows.slice(1))})


def test_row_that_stands_twice_changes_the_digest_or_is_named() -> None:
    """A second row with an id gives another digest; where rows have a key alone, it is named."""
    order = _Order.of(_request(load_plan("bank"), "accounts"))
    rows = _rows(order.request)
    assert _digest(order, rows) != _digest(order, pa.concat_tables([rows, rows.slice(0, 1)]))
    order = _Order.of(_request(load_plan("shop"), "lines"))
    rows = _rows(order.request)
    (fault,) = _faults(order, pa.concat_tables([rows, rows.slice(0, 1)]))
    assert "has no row, or no further one, with order_id '" in fault


@pytest.mark.parametrize(
    ("plan", "table", "change", "sentence"),
    [
        (
            "bank",
            "accounts",
            {"seed": 8},
            "accounts of bank v1, seed 8, in its first 3000 records has no row with account_id '",
        ),
        (
            "bank",
            "accounts",
            {"records": 2},
            "accounts of bank v1, seed 7, in its first 2 records has no row with account_id '",
        ),
        (
            "shop",
            "lines",
            {"seed": 8},
            "lines of shop v1, seed 8, in its first 3000 records has no row with order_id '",
        ),
        (
            "bank",
            "merchants",
            {"seed": 8},
            "merchants of bank v1, seed 8 has no row, or no further one, with merchant_id ",
        ),
    ],
)
def test_row_of_elsewhere_is_named(plan: str, table: str, change: dict[str, Any], sentence: str) -> None:
    """A row that the table doesn't have is named by its id or key, whichever else there are."""
    request = _request(load_plan(plan), table)
    faults = _faults(_Order.of(replace(request, **change)), _rows(request))
    assert faults
    assert all(fault.startswith(sentence) for fault in faults)


@pytest.mark.parametrize("value", [None, "", "x" * 36, "x" * 37, "é" * 18])
def test_text_that_is_no_id_is_named(value: str | None) -> None:
    """A null, and a text of any length that is no id, is named as it stands."""
    order = _Order.of(_request(load_plan("bank"), "accounts"))
    rows = _rows(order.request).slice(0, 3)
    ids = pa.array([value, *rows.column("account_id").to_pylist()[1:]])
    where = "accounts of bank v1, seed 7, in its first 3000 records"
    assert [f"{where} has no row with account_id {value!r}"] == _faults(
        order, rows.set_column(0, "account_id", ids)
    )


def test_null_where_there_is_none_is_named() -> None:
    """A null in a field that has none is refused where the digest defines no number for it."""
    order = _Order.of(_request(load_plan("bank"), "transactions"))
    rows = _rows(order.request).slice(0, 3)
    at = rows.column_names.index("amount")
    nulls = pa.nulls(3, rows.schema.field("amount").type)
    faults = _faults(order, rows.set_column(at, "amount", nulls))
    assert faults
    assert all("nulls, and its field has none" in fault for fault in faults)


def test_strangers_are_one_a_batch() -> None:
    """Rows of another seed don't gather: of each batch the first is enough to name."""
    request = _request(load_plan("bank"), "accounts")
    batches = _rows(request).to_batches(max_chunksize=1_000)
    placed = list(_place(_Order.of(replace(request, seed=8)), batches))
    assert len(batches) > 1
    assert [1] * len(batches) == [len(batch) for batch in placed]


def test_table_without_any_id_is_refused() -> None:
    """A table below a record that holds no id has no order, and the message says what to add."""
    dataset = compile_plan(parse_plan(PLAN_WITHOUT_IDS, "own.yaml"))
    with pytest.raises(
        SparkError, match="visits of own v1 has no field that always holds the id of a row of its record"
    ):
        _Order.of(_request(dataset, "visits"))

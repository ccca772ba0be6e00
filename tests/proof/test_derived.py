"""What follows from other rows is added up again, and uniques are inverted, by code that makes no row."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from esdh_core import Dataset, Table
from esdh_core.columns import Column
from esdh_export import SnapshotRequest, write_snapshot
from esdh_plan import compile_plan, parse_plan
from esdh_proof import judge, verify_snapshot
from tampering import failed, forged, where

FUNCTIONS = ("sum", "count", "min", "max", "first", "last")
VALUES = {
    "whole": "{integer: {from: -9, to: 9}, missing: 40%}",
    "price": "{decimal: {from: -5.00, to: 5.00, scale: 2}, missing: 20%}",
    "day": "{date: {from: 2024-01-01, to: 2024-01-09}, missing: 30%}",
    "at": "{timestamp: {from: 2024-01-01, to: 2024-01-02}}",
    "name": "{choice: [beta, Alpha, ßeta, gamma], missing: 30%}",
    "code": '{pattern: "[A-C]{2}"}',
    "open": "{choice: {true: 1, false: 1}, missing: 50%}",
}
NUMBERS = ("whole", "price")


def _derived(kind: str, prefix: str) -> Iterator[str]:
    """Yield a field of every function over every kind of value that it takes."""
    for function in FUNCTIONS:
        for name in VALUES if function != "count" else ():
            if function != "sum" or name in NUMBERS:
                yield f"      {function}_{name}: {{{kind}: {function}({prefix}{name})}}\n"


PLAN = (
    """
esdh: plan/1
name: derived
version: 1
reference_date: 2024-06-01
tables:
  brands:
    rows: 4
    fields:
      brand: {faker: {provider: company, locale: de_DE, pool: 5}, unique: true}
  owners:
    fields:
      serial: {sequence: {start: -7}}
      number: {integer: {from: 5, to: 90}, unique: true}
      price: {decimal: {from: 0.05, to: 2, scale: 2}, unique: true}
      since: {date: {from: today - days(99), to: today}, unique: true}
      below: {rollup: count(items)}
      between: {rollup: count(groups)}
"""
    + "".join(_derived("rollup", "items."))
    + """
  groups:
    per: owners
    count: {from: 0, to: 3}
    fields:
      group: k
  items:
    per: groups
    count: {from: 0, to: 9}
    fields:
      so_far: {running: count()}
"""
    + "".join(f"      {name}: {rule}\n" for name, rule in VALUES.items())
    + "".join(_derived("running", ""))
)
POOLS = {"company/de_DE/5": ["Aal", "Buch", "Cent", "Dorf", "Eck"]}
DATASET = compile_plan(parse_plan(PLAN, "derived.yaml"), pools=POOLS)
RECORDS = 60
DERIVED = [
    (table, field)
    for table, fields in (
        ("brands", ["brand"]),
        ("owners", [name for name in DATASET.table("owners").fields if name != "synthetic_source"]),
        (
            "items",
            [name for name in DATASET.table("items").fields if "_" in name and name != "synthetic_source"],
        ),
    )
    for field in fields
]


def write(folder: Path, *, entities: tuple[str, ...] = (), dataset: Dataset = DATASET) -> Path:
    """Write a snapshot, judged by its gates."""
    request = SnapshotRequest(dataset=dataset, records=RECORDS, formats=("csv", "parquet"), entities=entities)
    write_snapshot(folder, request, gate=partial(judge, dataset=dataset, seed=request.seed))
    return folder


@pytest.mark.parametrize("entities", [(), ("owners",), ("items",)], ids=["all", "owners", "items"])
def test_sound_values_pass(tmp_path: Path, entities: tuple[str, ...]) -> None:
    """Rollups, running values and uniques as they were made pass, whatever tables a filter left."""
    assert {} == failed(verify_snapshot(write(tmp_path / "s", entities=entities), regenerate=False))


@pytest.mark.parametrize("alone", [False, True], ids=["whole", "alone"])
@pytest.mark.parametrize(("name", "field"), DERIVED)
def test_wrong_value_is_found_without_making_it_again(
    tmp_path: Path, name: str, field: str, alone: bool
) -> None:
    """A value of another row is found in its row by each function over each type, also where its rows were left out."""
    table: Table = DATASET.table(name)
    values = table._rules[field].column(DATASET.block_of(table, DATASET.block(0, RECORDS))).tolist()
    row, other = next(
        (row, at)
        for row in range(len(values) // 3, len(values))
        for at in range(row)
        if values[at] != values[row] and None not in (values[at], values[row])
    )

    def borrow(column: Column) -> Column:
        rows = np.arange(len(column))
        if len(rows) == len(values):
            rows[row] = other
        return column.take(rows)

    with forged(table, [field], borrow):
        folder = write(tmp_path / "s", entities=(name,) if alone else ())
    found = failed(verify_snapshot(folder, regenerate=False))
    assert ({"rules"}, (row, field)) == (set(found), where(found["rules"]))

"""What holds for every plan: properties over plans that hypothesis draws, and the oracle's rows of each."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from esdh_core.dataset import Dataset
from esdh_plan import PlanError
from esdh_plan.language import parse_plan
from esdh_plan.recipe import compile_plan
from hypothesis import HealthCheck, given, note, reject, settings
from hypothesis import strategies as st
from oracle import Oracle
from plan.generating import POOLS, Plan, plans

SOAK = int(os.environ.get("ESDH_PLANS", "0"))
seeds = st.sampled_from([1, 20240601, 2**53 - 1])


def examples(number: int) -> Any:
    """Return how often a property is held: so many times, or as often as `just soak-plans` asks for."""
    return settings(max_examples=SOAK or number, suppress_health_check=list(HealthCheck))


@contextmanager
def beside(plan: Plan) -> Iterator[Path]:
    """Put a plan and its files in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in plan.files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        yield Path(folder)


def compiled(plan: Plan) -> Dataset:
    """Return the dataset of a drawn plan."""
    note(f"{plan}")
    with beside(plan) as folder:
        try:
            return compile_plan(parse_plan(plan.text, "drawn.yaml"), folder, pools=POOLS)
        except PlanError as error:
            if "is always above" not in str(error):
                raise
            reject()  # the program knows bounds that the drawing doesn't


def oracle_of(plan: Plan) -> Oracle:
    """Return the oracle of a drawn plan."""
    with beside(plan) as folder:
        return Oracle(plan.text, folder, pools=POOLS)


@examples(60)
@given(plans(), seeds, st.integers(0, 100_000), st.integers(0, 5))
def test_rows_are_the_oracles(plan: Plan, seed: int, start: int, records: int) -> None:
    """Every slot, size, type and value of a drawn plan is that of the independent reading."""
    dataset, oracle = compiled(plan), oracle_of(plan)
    records = min(records, dataset.max_records)
    start = min(start, dataset.max_records - records)
    columns, block = dataset.columns(start, records, seed), dataset.block(start, records, seed)
    assert oracle.default_shard_rows() == dataset.default_shard_rows
    for table in dataset.tables:
        name = table.name
        here = dataset.block_of(table, block)
        assert oracle.slots(name, seed, start, records) == here.level(table).slots.tolist(), name
        assert (oracle.room(name), oracle.blocks(name)) == (table.room, table.block_records)
        types = [(field, of.kind, of.nullable, of.scale) for field, of in oracle.types(name).items()]
        assert types == [(each.name, each.type, each.nullable, each.scale) for each in table.schema]
        rows = oracle.rows(name, seed, start, records)
        for field, column in columns[name].items():
            values = column.tolist()
            assert [row[field] for row in rows] == values, f"{name}.{field}"
            assert [type(row[field]) for row in rows] == [type(value) for value in values], f"{name}.{field}"

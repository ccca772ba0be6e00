"""Drawn plans as the program compiles them, and as the oracle reads them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from esdh_core.dataset import Dataset, Table
from esdh_plan import PlanError
from esdh_plan.language import parse_plan
from esdh_plan.recipe import compile_plan
from hypothesis import HealthCheck, note, reject, settings
from oracle import Oracle
from plan.generating import POOLS, Plan

__all__ = ["Row", "beside", "compiled", "examples", "oracle_of", "slots_of"]

Row = dict[str, Any]
SOAK = int(os.environ.get("ESDH_PLANS", "0"))


def examples(number: int) -> settings:
    """Return how often a property is held: for the same plans every time, or for as many new ones as a soak asks for."""
    return settings(
        max_examples=SOAK or number, derandomize=not SOAK, suppress_health_check=list(HealthCheck)
    )


@contextmanager
def beside(plan: Plan) -> Iterator[Path]:
    """Put the files of a plan in a folder."""
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
    reject()  # the program knows narrower bounds than the drawing


def oracle_of(plan: Plan) -> Oracle:
    """Return the oracle of a drawn plan."""
    with beside(plan) as folder:
        return Oracle(plan.text, folder, pools=POOLS)


def slots_of(dataset: Dataset, table: Table, start: int, records: int, seed: int) -> dict[int, Row]:
    """Return a table's rows by their slots, in some records; all rows of a fixed table."""
    block = dataset.block_of(table, dataset.block(start, records, seed))
    columns = {name: column.tolist() for name, column in table.columns(block).items()}
    slots = block.level(table).slots.tolist()
    return {
        slot: dict(zip(columns, row, strict=True))
        for slot, row in zip(slots, zip(*columns.values(), strict=True), strict=True)
    }

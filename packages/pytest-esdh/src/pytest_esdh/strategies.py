"""Hypothesis draws records and rows: they shrink towards record 0, and the falsifying example tells how to reproduce it."""

import os
from pathlib import Path
from typing import Any

try:
    from hypothesis import currently_in_test_context, note, reject
    from hypothesis import strategies as st
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "pytest_esdh.strategies needs Hypothesis; `uv add --dev 'pytest-esdh[hypothesis]'` adds it",
        name="hypothesis",
    ) from None

from esdh_core import DEFAULT_SEED
from esdh_core.dataset import Block, Table

from pytest_esdh.errors import EsdhError
from pytest_esdh.factory import touched_record
from pytest_esdh.plans import Plan, Plans, table_of
from pytest_esdh.report import reproduce_command
from pytest_esdh.run import Touched, current_run

__all__ = ["records", "rows"]


def records(table: str = "", *, plan: str | os.PathLike[str] = "") -> st.SearchStrategy[Any]:
    """Return a strategy for the rows of a table with one row a record; for whole records, where none is named.

    `plan` is a plan that ships, a plan file (from pytest's root folder) or a snapshot's folder; without it, the setting
    esdh_plan, else the default dataset. Examples shrink towards record 0 of the run's seed.

    An example raises EsdhError for a table or a plan that there isn't, and for a table with any number of rows.

    >>> from hypothesis import find
    >>> find(records(), lambda record: True).id.index
    0
    """
    return _records(table, plan)


def rows(table: str, *, plan: str | os.PathLike[str] = "") -> st.SearchStrategy[Any]:
    """Return a strategy for single rows of any table, as its Struct; `plan` as in `records`.

    Examples shrink towards the first row of record 0, of a fixed table towards its first row. A record that has no row
    of the table is drawn again.
    """
    return _rows(table, plan)


@st.composite
def _records(draw: st.DrawFn, table: str, plan: str | os.PathLike[str]) -> Any:
    opened, seed = _opened(plan)
    dataset = opened.dataset
    chosen = table_of(dataset, table) if table else None
    if chosen is not None and not chosen.one_a_record:
        raise EsdhError(
            f"a record has any number of rows of {chosen.name}; rows({table!r}) draws one of them"
        )
    number = draw(st.integers(0, dataset.max_records - 1))
    if chosen is not None:
        return _row(opened, chosen, dataset.block(number, 1, seed), 0)
    record = dataset.record(number, seed)
    _tell(touched_record(opened, record))
    return record


@st.composite
def _rows(draw: st.DrawFn, table: str, plan: str | os.PathLike[str]) -> Any:
    opened, seed = _opened(plan)
    dataset = opened.dataset
    chosen = table_of(dataset, table)
    number = 0 if chosen.is_fixed else draw(st.integers(0, dataset.max_records - 1))
    block = dataset.block_of(chosen, dataset.block(number, 1, seed))
    count = len(block.level(chosen).slots)
    if not count:
        reject()
    return _row(opened, chosen, block, draw(st.integers(0, count - 1)))


def _row(plan: Plan, table: Table, block: Block, place: int) -> Any:
    """Return the row at a place of a block, and tell of it."""
    _tell(Touched(plan, table.entity, block.seed, int(block.level(table).slots[place])))
    return table.structs(block)[place]


def _tell(row: Touched) -> None:
    """Note how a row is reproduced, which Hypothesis prints for the falsifying example alone."""
    run = current_run()
    if run is not None:
        run.touch(row)
    if currently_in_test_context():
        note(reproduce_command(row))


def _opened(reference: str | os.PathLike[str]) -> tuple[Plan, int]:
    """Return a plan and the seed of the run; without pytest, files are found from the working folder."""
    run = current_run()
    if run is None:
        return Plans(Path.cwd(), Path.cwd()).open(reference), DEFAULT_SEED
    return run.plans.open(reference or run.plan), run.seed

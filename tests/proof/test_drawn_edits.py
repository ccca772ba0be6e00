"""Any edit of bank's rows is found in any format, though all that was written was made to fit it."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from esdh_core import Table
from esdh_core.columns import Column
from esdh_core.dataset import Block
from esdh_export import SnapshotRequest, write_snapshot
from esdh_plan import load_plan
from esdh_proof import skip, verify_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tampering import failed, forged

ALL = ("csv", "json", "ndjson", "parquet")
BANK = load_plan("bank")
RECORDS, SEED = 12, 20240601

Rows = NDArray[np.intp]


@cache
def rows_of(table: Table) -> int:
    """Return how many rows a table has in the snapshot."""
    block: Block = BANK.block_of(table, BANK.block(0, RECORDS, SEED))
    return len(block.level(table).slots)


@cache
def values_of(table: Table) -> dict[str, list[object]]:
    """Return the values of each field as they are made."""
    columns = table.columns(BANK.block_of(table, BANK.block(0, RECORDS, SEED)))
    return {name: list(column.tolist()) for name, column in columns.items()}


def edit(table: Table, kind: str, one: int, two: int) -> tuple[list[str], Rows]:
    """Return the fields that are edited, and for each row the one whose values it gets.

    `one` and `two`, any numbers, say which rows; a value gets that of another row, and so a lawful one.
    """
    count = rows_of(table)
    row, rows = one % count, np.arange(count)
    if kind == "value":
        differing = [
            (name, at)
            for name, values in values_of(table).items()
            for at, each in enumerate(values)
            if each != values[row]
        ]
        by_field = sorted({name for name, _ in differing})
        name = by_field[two % len(by_field)]
        others = [at for field, at in differing if field == name]
        rows[row] = others[two // len(by_field) % len(others)]
        return [name], rows
    other = (row + 1 + two % (count - 1)) % count
    if kind == "swap":
        rows[[row, other]] = rows[[other, row]]
    elif kind == "drop":
        rows = np.delete(rows, row)
    elif kind == "double":
        rows = np.insert(rows, row, row)
    else:
        rows = np.insert(np.delete(rows, row), other, row)
    return list(table.fields), rows


@settings(max_examples=60)
@given(
    name=st.sampled_from([table.name for table in BANK.tables]),
    kind=st.sampled_from(["value", "value", "value", "swap", "drop", "double", "move"]),
    one=st.integers(0, 1 << 16),
    two=st.integers(0, 1 << 16),
    formats=st.sampled_from([*((name,) for name in ALL), ALL]),
)
def test_drawn_edit_is_found_though_all_was_signed(
    name: str, kind: str, one: int, two: int, formats: tuple[str, ...]
) -> None:
    """A value, a row or an order that the seed doesn't give is found, though checksums, digests and counts fit the edit."""
    table = BANK.table(name)
    fields, rows = edit(table, kind, one, two)
    made = rows_of(table)

    def edited(column: Column) -> Column:
        return column.take(rows) if len(column) == made else column

    request = SnapshotRequest(dataset=BANK, records=RECORDS, seed=SEED, formats=formats)
    with TemporaryDirectory() as folder:
        with forged(table, fields, edited):
            write_snapshot(Path(folder) / "s", request, gate=skip)
        found = failed(verify_snapshot(Path(folder) / "s"))
    if len(rows) == made:  # else no block may be where it is looked for
        assert "regenerated" in found
        assert "files" not in found
    assert found

"""What defects cost a snapshot, beside the clean one in the same run: `just bench`."""

from pathlib import Path

import pytest
from budgets import Row
from measuring import Clocked, emptied, in_turn, pinned, ratios, run
from pytest_benchmark.fixture import BenchmarkFixture
from writers import ESDH

ROUNDS = 5
CELLS = """\
- {kind: typo, table: persons, field: last_name, rate: 1%}
- {kind: shifted_date, table: persons, field: date_of_birth, rate: 1%}
- {kind: bad_check_digit, table: vehicles, field: vin, rate: 1%}
- {kind: out_of_range, table: vehicles, field: model_year, rate: 1%}
- {kind: stale_copy, table: profiles, field: city, rate: 1%}
"""
ROWS = """\
- {kind: orphan, table: profiles, field: vehicle_id, rate: 1%}
- {kind: duplicate_row, table: persons, rate: 1%}
- {kind: near_duplicate, table: persons, rate: 1%}
- {kind: missing_row, table: vehicles, rate: 1%}
- {kind: reordered, table: vehicles, rate: 1%}
"""
BANK = """\
- {kind: typo, table: customers, field: last_name, rate: 1%}
- {kind: missing, table: accounts, field: type, rate: 1%}
- {kind: orphan, table: accounts, field: customer_id, rate: 1%}
- {kind: wrong_total, table: transactions, field: balance_after, rate: 1%}
- {kind: missing_row, table: transactions, rate: 1%}
"""


@pytest.mark.parametrize(
    ("name", "defects", "options"),
    [
        ("cells", CELLS, ["--records", "1000000"]),
        ("rows", ROWS, ["--records", "1000000"]),
        ("cells-csv", CELLS, ["--records", "1000000", "--output-format", "csv"]),
        ("bank", BANK, ["--plan", "bank", "--records", "40000"]),
    ],
    ids=["cells", "rows", "cells-csv", "bank"],
)
def test_defects_cost_little(  # noqa: PLR0917 - fixtures
    name: str,
    defects: str,
    options: list[str],
    row: Row,
    folder: Path,
    tmp_path: Path,
    benchmark: BenchmarkFixture,
) -> None:
    """A snapshot with five kinds of defects, each in a row in a hundred, takes little longer than the clean one."""
    listed = tmp_path / "defects.yaml"
    listed.write_text(defects, encoding="utf-8")
    command = [ESDH, "generate-snapshot", "--quiet", "--workers", "1", "--output-dir", str(folder), *options]
    own = Clocked(lambda: run([*command, "--defects", str(listed)]))
    others = Clocked(lambda: run(command))
    with pinned():
        ours, theirs = in_turn(benchmark, own, others, rounds=ROUNDS, before=emptied(folder))
    row(
        f"defects-{name}",
        min(ours) / min(theirs),
        rounds=ratios(ours, theirs),
        ours=f"{min(ours):.2f} s, {own.text()}",
        theirs=f"{min(theirs):.2f} s, {others.text()}",
        how=f"best of {ROUNDS} rounds in turn",
    )

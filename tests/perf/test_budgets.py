"""Rows are held against their bounds, and the page shows all that was measured."""

from typing import get_args

import pytest
from budgets import Budget, Kind, Measured, budgets
from table import render

AT_LEAST = Budget(what="CSV", against="a peer", bound="at least", target=2.0, budget=1.6)
AT_MOST = Budget(what="start", against="imports", bound="at most", target=1.4, budget=2.0)


@pytest.mark.parametrize(
    ("row", "value", "verdict"),
    [
        (AT_LEAST, 2.0, "reached"),
        (AT_LEAST, 1.6, "not reached"),
        (AT_LEAST, 1.59, "over budget"),
        (AT_MOST, 1.4, "reached"),
        (AT_MOST, 2.0, "not reached"),
        (AT_MOST, 2.01, "over budget"),
        (Budget(what="load", against="bare", bound="at most", budget=10), 3.0, "within budget"),
    ],
)
def test_verdict_tells_target_from_budget(row: Budget, value: float, verdict: str) -> None:
    """A row reaches its target, or stays within its budget, or is over it; the bounds themselves are good."""
    assert verdict == Measured(row, value).verdict


@pytest.mark.parametrize(
    ("row", "value", "sentence"),
    [
        (
            AT_LEAST,
            0.8,
            "CSV, against a peer: 0.800x was measured, the budget is at least 1.600x, missed by 50.0%",
        ),
        (
            AT_MOST,
            2.5,
            "start, against imports: 2.500x was measured, the budget is at most 2.000x, missed by 25.0%",
        ),
    ],
)
def test_excess_says_by_how_much(row: Budget, value: float, sentence: str) -> None:
    """What fails a run names the row, what was measured, its budget and the percentage between them."""
    assert sentence == Measured(row, value).excess


def test_file_of_budgets_is_read() -> None:
    """Every row of the stored file has what a row needs, and no row has more."""
    assert {"bench", "guard"} == {kind for kind in get_args(Kind) if budgets(kind)}


def test_page_holds_every_figure() -> None:
    """The page shows the ratio with its bounds, the figures behind it, and the command."""
    page = render(
        {"csv": Measured(AT_LEAST, 2.5, ours="5 MB/s", theirs="2 MB/s", how="once")}, command="pytest here"
    )
    assert "| CSV | a peer | **2.500x** | at least 2.000x | reached | at least 1.600x |" in page
    assert "| CSV | a peer | 5 MB/s | 2 MB/s | once |" in page
    assert "by `pytest here`" in page

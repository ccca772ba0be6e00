"""Rows are held against their bounds, and the page shows all that was measured."""

from pathlib import Path
from typing import get_args

import pytest
from budgets import Budget, Kind, Measured, budgets
from measuring import Others
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


@pytest.mark.parametrize(
    ("row", "value", "rounds", "verdict"),
    [
        (AT_LEAST, 1.5, (1.2, 1.5, 1.7), "spread too wide to judge"),
        (AT_LEAST, 1.7, (1.5, 1.7, 1.7), "spread too wide to judge"),
        (AT_LEAST, 1.9, (1.7, 1.9, 2.3), "within budget, spread too wide to judge the target"),
        (AT_LEAST, 1.5, (1.2, 1.5, 1.59), "over budget"),
        (AT_LEAST, 2.4, (2.1, 2.4, 3.9), "reached"),
        (AT_LEAST, 1.59, (1.55, 1.59, 1.65), "over budget"),
        (AT_MOST, 1.5, (1.45, 1.5, 1.9), "not reached"),
        (AT_MOST, 1.9, (0.9, 1.5, 1.8, 1.9, 1.9, 1.95, 2.5, 2.9), "not reached"),
    ],
)
def test_wide_spread_is_not_judged(
    row: Budget, value: float, rounds: tuple[float, ...], verdict: str
) -> None:
    """A row whose rounds, but for outliers, stand on both sides of a bound and far apart neither passes nor fails."""
    measured = Measured(row, value, rounds=rounds)
    assert verdict == measured.verdict
    assert (verdict == "over budget") == (measured.excess is not None)


def test_others_are_all_but_ourselves(tmp_path: Path) -> None:
    """Of what the cores did, what others took is counted: nothing where they only worked for us, all where they didn't."""
    page = tmp_path / "stat"
    page.write_text("cpu  500 0 100 9000 7 0 3 0 0 0\ncpu0 1 2 3\n")
    others = Others(page)
    sum(range(10**5))
    assert 0 == others.share()
    page.write_text("cpu  900000500 0 100 9000 7 0 3 0 0 0\n")
    assert 1 == others.share()


def test_file_of_budgets_is_read() -> None:
    """Every row of the stored file has what a row needs, and no row has more."""
    assert {"bench", "guard"} == {kind for kind in get_args(Kind) if budgets(kind)}


def test_page_holds_every_figure() -> None:
    """The page shows the ratio with its bounds, the figures behind it, and the command."""
    page = render(
        {
            "csv": Measured(
                AT_LEAST, 2.5, ours="5 MB/s", theirs="2 MB/s", how="once", rounds=(2.4, 2.6), others=0.12
            )
        },
        command="pytest here",
        load_before=0.5,
    )
    assert "| CSV | a peer | **2.500x** | at least 2.000x | reached | at least 1.600x |" in page
    beside = "half of the rounds from 2.400x to 2.600x; others took 12% of the cores"
    assert f"| CSV | a peer | 5 MB/s | 2 MB/s | once | {beside} |" in page
    assert "| what else ran | load average 0.50 before and " in page
    assert "| vector and SHA instructions | " in page
    assert "by `pytest here`" in page

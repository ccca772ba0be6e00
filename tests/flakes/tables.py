"""The tables of docs/FLAKE_STUDY.md, from the raw results."""

import csv
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Final

from scipy.stats import binomtest
from study import ARMS, CIRCUMSTANCES, HERE, SEEDED, SWEPT, suite_tests

__all__ = ["write"]

_DRAWS: Final = 2000
Rows = list[dict[str, str]]


def write(results: Path) -> None:
    """Print the tables of the results in a folder."""
    runs, failures = _read(results / "runs.csv"), _read(results / "failures.csv")
    nights = _read(results / "nights.csv")
    _print_arms(runs, failures)
    _print_circumstances(runs)
    _print_reports(failures)
    _print_faults(runs, nights)
    _print_seeds(_read(results / "seeds.csv"))


def _read(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _usual(outcomes: list[str]) -> list[str]:
    """Return the outcome that each test has most often."""
    return [
        Counter(each for each in column if each != "-").most_common(1)[0][0]
        for column in zip(*outcomes, strict=True)
    ]


def _changed(outcomes: str, usual: list[str]) -> tuple[int, int]:
    """Return how many outcomes of a run aren't the usual ones, and how many tests were run."""
    ran = [(each, often) for each, often in zip(outcomes, usual, strict=True) if each != "-"]
    return sum(each != often for each, often in ran), len(ran)


def _percent(part: int, whole: int) -> str:
    """Return a share with its 95 % interval by Wilson."""
    if not whole:
        return "none"
    interval = binomtest(part, whole).proportion_ci(method="wilson")
    return f"{part / whole:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def _rate(counts: list[tuple[int, int]]) -> str:
    """Return the share of outcomes that changed, with its 95 % interval by a bootstrap of the runs."""
    random = Random(1)
    shares = sorted(
        sum(part for part, _ in drawn) / sum(whole for _, whole in drawn)
        for drawn in (random.choices(counts, k=len(counts)) for _ in range(_DRAWS))
    )
    low, high = shares[_DRAWS // 40], shares[-_DRAWS // 40 - 1]
    return (
        f"{sum(part for part, _ in counts) / sum(whole for _, whole in counts):.2%} ({low:.2%} to {high:.2%})"
    )


def _of(rows: Iterable[dict[str, str]], arm: str, circumstance: str = "") -> Rows:
    return [row for row in rows if row["arm"] == arm and circumstance in ("", row["circumstance"])]


def _print_arms(runs: Rows, failures: Rows) -> None:
    print("| arm | runs | flaky tests | flake rate | runs with a flake | fails again | with the same rows |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for arm in ARMS:
        outcomes = [row["outcomes"] for row in _of(runs, arm.name)]
        usual = _usual(outcomes)
        flaky = sum({".", "F"} <= set(column) for column in zip(*outcomes, strict=True))
        counts = [_changed(each, usual) for each in outcomes]
        unlike = sum(changed > 0 for changed, _ in counts)
        tried = _of(failures, arm.name)
        print(
            f"| {arm.name} | {len(outcomes)} | {flaky} of {len(usual)}: {_percent(flaky, len(usual))} "
            f"| {_rate(counts)} | {_percent(unlike, len(counts))} "
            f"| {_percent(sum(row['fails_again'] == '1' for row in tried), len(tried))} "
            f"| {_percent(sum(row['same_rows'] == '1' for row in tried), len(tried))} |"
        )


def _print_circumstances(runs: Rows) -> None:
    print(f"\n| arm | {' | '.join(CIRCUMSTANCES)} |\n| --- |{' --- |' * len(CIRCUMSTANCES)}")
    for arm in ARMS:
        usual = _usual([row["outcomes"] for row in _of(runs, arm.name)])
        cells = []
        for circumstance in CIRCUMSTANCES:
            counts = [_changed(row["outcomes"], usual) for row in _of(runs, arm.name, circumstance)]
            whole = sum(ran for _, ran in counts)
            cells.append(f"{sum(part for part, _ in counts) / whole:.2%}" if whole else "")
        print(f"| {arm.name} | {' | '.join(cells)} |")


def _print_reports(failures: Rows) -> None:
    """Print how many failures came back, by the change of circumstance that they were met in."""
    print(f"\n| arm | {' | '.join(CIRCUMSTANCES)} |\n| --- |{' --- |' * len(CIRCUMSTANCES)}")
    for arm in ARMS:
        cells = []
        for circumstance in CIRCUMSTANCES:
            tried = _of(failures, arm.name, circumstance)
            cells.append(f"{sum(row['fails_again'] == '1' for row in tried)} of {len(tried)}")
        print(f"| {arm.name} | {' | '.join(cells)} |")


def _print_faults(runs: Rows, nights: Rows) -> None:
    fault_of = _fault_of()
    tests = suite_tests()
    found: dict[str, dict[str, int]] = {}
    for arm in ARMS:
        first = found.setdefault(arm.name, {})
        for row in sorted(_of(runs, arm.name), key=lambda each: int(each["run"])):
            for test, outcome in zip(tests, row["outcomes"], strict=True):
                if outcome == "F" and test in fault_of:
                    first.setdefault(fault_of[test], int(row["run"]) + 1)
    explored: dict[str, int] = {}
    for row in nights:
        for fault in row["faults"].split("; "):
            explored.setdefault(fault, int(row["night"]))
    faults = sorted(set(fault_of.values()), key=str.lower)
    columns = [*(arm.name for arm in ARMS), "pytest-esdh, exploring"]
    print(f"\n| fault | {' | '.join(columns)} |\n| --- |{' --- |' * len(columns)}")
    for fault in faults:
        cells = [f"run {found[arm.name][fault]}" if fault in found[arm.name] else "" for arm in ARMS]
        cells.append(f"night {explored[fault]}" if fault in explored else "")
        print(f"| {fault} | {' | '.join(cells)} |")
    totals = [str(len(found[arm.name])) for arm in ARMS] + [str(len(explored))]
    print(f"| of {len(faults)} | {' | '.join(totals)} |")


def _fault_of() -> dict[str, str]:
    """Return the fault of each test that is marked with one."""
    text = (HERE / "test_quotes.py").read_text(encoding="utf-8")
    return {test: fault for fault, test in re.findall(r'@fault\("(.+)"\)\ndef test_(\w+)', text)}


def _print_seeds(seeds: Rows) -> None:
    print("\n| arm | seeds | faults found by a run | changed: order | changed: field added | changed: day |")
    print("| --- | --- | --- | --- | --- | --- |")
    tests, fault_of = suite_tests(), _fault_of()
    for arm in SEEDED:
        before = {row["seed"]: row["outcomes"] for row in _of(seeds, arm.name, "nothing")}
        found = []
        for outcomes in before.values():
            failed = {test for test, outcome in zip(tests, outcomes, strict=True) if outcome == "F"}
            found.append(len({fault_of[test] for test in failed if test in fault_of}))
        rates = [
            _rate(
                [_changed(row["outcomes"], list(before[row["seed"]])) for row in _of(seeds, arm.name, kind)]
            )
            for kind in SWEPT[1:]
        ]
        mean = sum(found) / len(found)
        print(
            f"| {arm.name} | {len(before)} | {mean:.1f} ({min(found)} to {max(found)}) | {' | '.join(rates)} |"
        )

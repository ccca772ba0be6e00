"""What a plan costs, beside v0.1's own code and beside the tools that a user would pick instead: `just bench`."""

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from budgets import Row
from esdh_core import BLOCK_RECORDS, DEFAULT_SEED, Block, generate_columns
from esdh_plan import load_plan
from measuring import Command, Peak, emptied, in_turn, output_of, peak_memory, pinned, ratios, run
from peers import mimesis_persons
from pytest_benchmark.fixture import BenchmarkFixture
from writers import SNOWFAKERY, TPCHGEN_ORDER_LINES, plan_snapshot, size_of, snapshot, tpchgen

ROOT = Path(__file__).parent
PERSONS, SKEWED, RECIPE = ROOT / "persons.yaml", ROOT / "skewed.yaml", ROOT / "bank.recipe.yml"
PERSON_RECORDS = 2_000_000
BANK_RECORDS = 300_000  # some 11 million rows
RECIPE_RECORDS = 2_000
MANY_RECORDS, FEW_RECORDS = 1_000_000, 100_000
ROUNDS = 3
BEST = f"best of {ROUNDS} rounds in turn"
MB = 1e6


def test_persons_written_as_a_plan(row: Row, folder: Path, benchmark: BenchmarkFixture) -> None:
    """The fields of a person take little longer from a plan than from v0.1's own code."""
    ours = plan_snapshot(folder, PERSONS, "csv", records=PERSON_RECORDS, tables=("persons",))
    theirs = snapshot(folder, "csv", records=PERSON_RECORDS, entities=("persons",), workers=1)
    rounds = 5
    with pinned():
        mine, other = in_turn(
            benchmark, lambda: run(ours), lambda: run(theirs), rounds=rounds, before=emptied(folder)
        )
    row(
        "plan-persons",
        min(mine) / min(other),
        rounds=ratios(mine, other),
        ours=f"{min(mine):.2f} s ({PERSON_RECORDS:,} persons)",
        theirs=f"{min(other):.2f} s",
        how=f"best of {rounds} rounds in turn",
    )


def test_persons_of_a_plan_in_memory(row: Row, benchmark: BenchmarkFixture) -> None:
    """A block of persons of a plan takes a small part of what a person-by-person generator takes."""
    plan, rounds, persons = load_plan(PERSONS), 15, 2_000
    with pinned():
        ours, theirs = in_turn(
            benchmark,
            lambda: generate_columns(0, BLOCK_RECORDS, entities=["persons"], dataset=plan),
            lambda: mimesis_persons(persons),
            rounds=rounds,
            warmups=2,
        )
    mine, other = min(ours) / BLOCK_RECORDS, min(theirs) / persons
    row(
        "plan-mimesis",
        other / mine,
        rounds=ratios(theirs, ours, BLOCK_RECORDS / persons),
        ours=f"{mine * 1e9:.0f} ns a person",
        theirs=f"{other * 1e9:,.0f} ns a person",
        how=f"best of {rounds} rounds in turn, blocks of {BLOCK_RECORDS:,} against {persons:,}",
    )


def test_bank_on_one_core(row: Row, folder: Path, benchmark: BenchmarkFixture) -> None:
    """Four related tables are written as CSV at more megabytes a second than tpchgen writes orders and lines."""
    size = 0

    def peer() -> None:
        nonlocal size
        run(tpchgen(folder, "csv", tables="orders,lineitem", scale=1))
        size = size_of(folder, "csv")

    command = plan_snapshot(folder, "bank", "csv", records=BANK_RECORDS)
    with pinned():
        ours, theirs = in_turn(benchmark, lambda: run(command), peer, rounds=ROUNDS, before=emptied(folder))
    written = size_of(folder, "csv")
    mine, other = written / min(ours), size / min(theirs)
    row(
        "plan-bank-csv",
        mine / other,
        rounds=ratios(theirs, ours, written / size),
        ours=f"{mine / MB:.0f} MB/s ({written / MB:,.0f} MB in {min(ours):.2f} s)",
        theirs=f"{other / MB:.0f} MB/s ({TPCHGEN_ORDER_LINES:,} rows in {min(theirs):.2f} s)",
        how=BEST,
    )


def test_bank_beside_snowfakery(row: Row, folder: Path, benchmark: BenchmarkFixture) -> None:
    """Rows of related tables are made at hundreds of times Snowfakery's rate, each run as its command runs it.

    Ours takes the cores that it finds; Snowfakery has one thread.
    """
    rows = 0
    theirs: Command = [
        *(SNOWFAKERY, RECIPE, "--target-number", str(RECIPE_RECORDS), "customers"),
        *("--output-format", "csv", "--output-folder", folder),
    ]

    def peer() -> None:
        nonlocal rows
        run(theirs)
        rows = _lines(folder)

    command = plan_snapshot(folder, "bank", "csv", records=BANK_RECORDS, workers=None)
    ours, others = in_turn(benchmark, lambda: run(command), peer, rounds=ROUNDS, before=emptied(folder))
    made = _lines(folder)
    mine, other = made / min(ours), rows / min(others)
    row(
        "plan-snowfakery",
        mine / other,
        rounds=ratios(others, ours, made / rows),
        ours=f"{mine:,.0f} rows/s ({made:,} rows in {min(ours):.2f} s)",
        theirs=f"{other:,.0f} rows/s ({rows:,} rows in {min(others):.2f} s)",
        how=BEST,
    )


def _lines(folder: Path) -> int:
    """Return the lines of all CSV files below a folder but their headers."""
    total = 0
    for path in folder.rglob("*.csv"):
        if path.is_file():
            with path.open("rb") as file:
                total += sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b"")) - 1
    return total


def test_words_of_children(row: Row, benchmark: BenchmarkFixture) -> None:
    """The word of a child, mixed from its parent's, costs little more than a root's, drawn."""
    bank = load_plan("bank")
    transactions, customers = bank.table("transactions"), bank.table("customers")
    records = transactions.block_records
    block = Block(bank, seed=DEFAULT_SEED, start=0, count=records)
    whole = Block(bank, seed=DEFAULT_SEED, start=0, count=BLOCK_RECORDS)
    children = len(block.level(transactions).slots)
    rounds = 101
    with pinned():
        ours, theirs = in_turn(
            benchmark,
            lambda: block.words(transactions, "bench:transactions.word"),
            lambda: whole.words(customers, "bench:customers.word"),
            rounds=rounds,
            warmups=2,
        )
    # A child's word includes its share of its parents'.
    mine, other = min(ours) / children, min(theirs) / BLOCK_RECORDS
    row(
        "plan-child-word",
        mine / other,
        rounds=ratios(ours, theirs, BLOCK_RECORDS / children),
        ours=f"{mine * 1e9:.1f} ns a word ({children:,} words of a block)",
        theirs=f"{other * 1e9:.1f} ns a word ({BLOCK_RECORDS:,} words of a block)",
        how=f"best of {rounds} rounds in turn",
    )


def _hundred_fields() -> str:
    """Return a plan of a hundred fields, of twenty distinct distributions among other rules."""
    rules: list[Callable[[int], str]] = [
        lambda i: f"{{integer: {{normal: {{mean: {500 + i}, sd: 100}}, from: 0, to: 2000}}}}",
        lambda i: f"{{choice: {{a: {i + 1}, b: 2, c: 3}}}}",
        lambda i: f"{{integer: {{from: 0, to: {i + 10}}}}}",
        lambda _: "{pattern: '[A-Z]{3}[0-9]{5}'}",
        lambda i: f"f{i - 2} + {i}",
    ]
    fields = [f"      f{i}: {rules[i % len(rules)](i)}" for i in range(100)]
    head = "esdh: plan/1\nname: wide\nversion: 1\nreference_date: 2024-06-01\ntables:\n  rows_of_it:\n    fields:\n"
    return head + "\n".join(fields) + "\n"


def test_load_of_a_hundred_fields(row: Row, folder: Path, benchmark: BenchmarkFixture) -> None:
    """A plan of a hundred fields is read, checked and compiled while a user blinks."""
    file = folder / "wide.yaml"
    file.write_text(_hundred_fields(), encoding="utf-8")
    rounds, persons = 11, 5_000
    taken: list[float] = []

    def load() -> None:
        # In a process of its own, for distributions are kept; a plan without one brings the imports before it.
        lines = (
            "from time import perf_counter",
            "from esdh_plan import load_plan",
            f"load_plan({str(SKEWED)!r})",
            "began = perf_counter()",
            f"load_plan({str(file)!r})",
            "print(perf_counter() - began)",
        )
        taken.append(float(output_of([sys.executable, "-c", "\n".join(lines)])))

    with pinned():
        _, theirs = in_turn(benchmark, load, lambda: mimesis_persons(persons), rounds=rounds, warmups=1)
    loads = taken[1:]  # without the warm-up
    row(
        "plan-load",
        min(loads) / min(theirs),
        rounds=ratios(loads, theirs),
        ours=f"{min(loads) * 1e3:.0f} ms",
        theirs=f"{min(theirs) * 1e3:.0f} ms",
        how=f"best of {rounds} processes in turn",
    )


@pytest.fixture(scope="module")
def peaks() -> dict[int, Peak]:
    """Peaks of memory of a bank on two workers, by the number of customers."""
    found = {}
    for records in (FEW_RECORDS, MANY_RECORDS):
        with TemporaryDirectory(prefix="esdh-bench-") as made:
            found[records] = peak_memory(plan_snapshot(Path(made), "bank", "csv", records=records, workers=2))
    return found


def test_memory_of_a_bank_does_not_grow(row: Row, peaks: dict[int, Peak]) -> None:
    """Ten times the customers take no more memory."""
    many, few = peaks[MANY_RECORDS], peaks[FEW_RECORDS]
    row(
        "plan-memory-growth",
        many.process / few.process,
        ours=f"{many.process / MB:.0f} MB (all processes {many.tree / MB:.0f} MB)",
        theirs=f"{few.process / MB:.0f} MB (all processes {few.tree / MB:.0f} MB)",
        how="one run each, resident high-water mark of the largest process",
    )


def test_memory_of_a_bank(row: Row, peaks: dict[int, Peak]) -> None:
    """No process of a bank of a million customers takes more than a fixed amount of memory."""
    row("plan-memory", peaks[MANY_RECORDS].process / MB, how="one run, resident high-water mark")


def test_memory_where_counts_are_skewed(row: Row, folder: Path) -> None:
    """A few parents with ten thousand children each don't make a process large."""
    peak = peak_memory(plan_snapshot(folder, SKEWED, "csv", records=FEW_RECORDS, workers=2))
    row(
        "plan-memory-skewed",
        peak.process / MB,
        ours=f"all processes together {peak.tree / MB:.0f} MB",
        how="one run, resident high-water mark",
    )

"""A short guard of speed with wide margins, for CI: `just guard`."""

import sys
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from budgets import Row
from esdh_core import (
    BLOCK_RECORDS,
    DEFAULT_SEED,
    encode_id,
    generate_bundle,
    generate_columns,
    reproduce_record,
)
from measuring import Command, emptied, in_turn, ratios, run
from peers import mimesis_persons
from pytest_benchmark.fixture import BenchmarkFixture
from writers import ESDH, IMPORTS, importing, snapshot, sync, tables_of

RECORDS = 300_000
PERSONS = 300


def test_columns_are_far_faster_than_mimesis(guard: Row, benchmark: BenchmarkFixture) -> None:
    """A block of persons takes a small part of what a person-by-person generator takes."""
    ours, theirs = in_turn(
        benchmark,
        lambda: generate_columns(0, BLOCK_RECORDS, entities=["person"]),
        lambda: mimesis_persons(PERSONS),
        rounds=7,
        warmups=1,
    )
    guard(
        "persons-mimesis",
        (min(theirs) / PERSONS) / (min(ours) / BLOCK_RECORDS),
        rounds=ratios(theirs, ours, BLOCK_RECORDS / PERSONS),
    )


def test_small_requests_do_not_pay_for_columns(guard: Row, benchmark: BenchmarkFixture) -> None:
    """Five whole records cost at most what Mimesis takes for 150 persons (2 ms where it takes 15 us each)."""
    ours, theirs = in_turn(
        benchmark, lambda: generate_bundle(5), lambda: mimesis_persons(150), rounds=20, warmups=1
    )
    guard("five-records", min(ours) / min(theirs), rounds=ratios(ours, theirs))


def test_one_record_costs_as_little(guard: Row, benchmark: BenchmarkFixture) -> None:
    """To make any record again from its id alone costs at most what Mimesis takes for 150 persons."""
    ids = cycle([encode_id(DEFAULT_SEED, "person", index * 999_983) for index in range(100)])
    ours, theirs = in_turn(
        benchmark, lambda: reproduce_record(next(ids)), lambda: mimesis_persons(150), rounds=20, warmups=1
    )
    guard("reproduce", min(ours) / min(theirs), rounds=ratios(ours, theirs))


def test_csv_is_written_as_fast_as_arrow_writes(
    guard: Row, folder: Path, benchmark: BenchmarkFixture
) -> None:
    """A snapshot, made from nothing, takes a few times what Arrow takes for the same tables in memory.

    Both sync what they write, so that a slow disk doesn't count against ours alone.
    """
    with TemporaryDirectory() as made:
        write = tables_of(Path(made), RECORDS).writer_of("csv", RECORDS)

    def peer() -> None:
        write(folder)
        sync(folder)

    command = snapshot(folder, "csv", records=RECORDS)
    ours, theirs = in_turn(benchmark, lambda: run(command), peer, rounds=4, before=emptied(folder))
    guard("csv-wall", min(ours) / min(theirs), rounds=ratios(ours, theirs))


def test_a_small_snapshot_starts_fast(guard: Row, folder: Path, benchmark: BenchmarkFixture) -> None:
    """A small snapshot takes little longer than the imports that it can't do without."""
    command: Command = [ESDH, "generate-snapshot", "--output-dir", folder]
    baseline = importing(*IMPORTS)
    ours, theirs = in_turn(
        benchmark, lambda: run(command), lambda: run(baseline), rounds=5, warmups=1, before=emptied(folder)
    )
    guard("start-snapshot", min(ours) / min(theirs), rounds=ratios(ours, theirs))


def test_the_plugin_costs_those_little_who_do_not_use_it(
    guard: Row, tmp_path: Path, benchmark: BenchmarkFixture
) -> None:
    """A run of pytest whose tests take no rows takes little longer with the plugin than without."""
    tests = tmp_path / "test_many.py"
    tests.write_text(
        "import pytest\n@pytest.mark.parametrize('n', range(300))\ndef test_one(tmp_path_factory, n): pass\n"
    )
    without: Command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--disable-plugin-autoload",
        "-c",
        "/dev/null",
        tests,
    ]
    command: Command = [*without, "-p", "pytest_esdh.plugin"]
    ours, theirs = in_turn(benchmark, lambda: run(command), lambda: run(without), rounds=20, warmups=1)
    guard("plugin-unused", min(ours) / min(theirs), rounds=ratios(ours, theirs))

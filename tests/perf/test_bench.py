"""What generation and export cost, beside what a user would pick instead, in the same run: `just bench`."""

import statistics
import sys
from collections.abc import Callable
from contextlib import nullcontext
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from budgets import Row
from duckdb_persons import duckdb_persons
from esdh_core import (
    BLOCK_RECORDS,
    DEFAULT_SEED,
    encode_id,
    generate_bundle,
    generate_columns,
    reproduce_record,
)
from measuring import (
    Clocked,
    Command,
    Peak,
    disk_rate,
    emptied,
    in_turn,
    median_ratio,
    peak_memory,
    pinned,
    ratios,
    run,
)
from peers import faker_persons, mimesis_persons
from pytest_benchmark.fixture import BenchmarkFixture
from writers import (
    ESDH,
    IMPORTS,
    TPCHGEN_ROWS,
    Tables,
    importing,
    size_of,
    snapshot,
    sync,
    tables_of,
    tpchgen,
)

RECORDS = 4_000_000  # four parts; two tables of them have about as many rows as tpchgen writes
MANY_RECORDS = 20_000_000
FEW_RECORDS = 2_000_000
PROBE = Path(__file__).with_name("compute_probe.py")
PROBE_ROUNDS = 12_000
ROUNDS = 3
WALL_ROUNDS = 5  # cheap, and the disk is moody
START_ROUNDS = 21
SMALL_ROUNDS = 301
SMALL_PERSONS = 50
BEST = f"best of {ROUNDS} rounds in turn"
MB = 1e6


@pytest.mark.parametrize(
    ("name", "peer", "persons"), [("faker", faker_persons, 500), ("mimesis", mimesis_persons, 2_000)]
)
def test_persons_in_memory(
    name: str, peer: Callable[[int], object], persons: int, row: Row, benchmark: BenchmarkFixture
) -> None:
    """A block of persons takes a small part of what a person-by-person generator takes."""
    rounds = 15
    with pinned():
        ours, theirs = in_turn(
            benchmark,
            lambda: generate_columns(0, BLOCK_RECORDS, entities=["person"]),
            lambda: peer(persons),
            rounds=rounds,
            warmups=2,
        )
    mine, other = min(ours) / BLOCK_RECORDS, min(theirs) / persons
    row(
        f"persons-{name}",
        other / mine,
        rounds=ratios(theirs, ours, BLOCK_RECORDS / persons),
        ours=f"{mine * 1e9:.0f} ns a person",
        theirs=f"{other * 1e9:,.0f} ns a person",
        how=f"best of {rounds} rounds in turn, blocks of {BLOCK_RECORDS:,} against {persons:,}",
    )


def test_csv_on_one_core(row: Row, folder: Path, benchmark: BenchmarkFixture) -> None:
    """A CSV snapshot is written at more megabytes a second than tpchgen writes."""
    size = 0

    def peer() -> None:
        nonlocal size
        run(tpchgen(folder, "csv"))
        size = size_of(folder, "csv")

    command = snapshot(folder, "csv", records=RECORDS, workers=1)
    own, others = Clocked(lambda: run(command)), Clocked(peer)
    with pinned():
        ours, theirs = in_turn(benchmark, own, others, rounds=ROUNDS, before=emptied(folder))
    written = size_of(folder, "csv")
    mine, other = written / min(ours), size / min(theirs)
    row(
        "csv-one-core",
        mine / other,
        rounds=ratios(theirs, ours, written / size),
        ours=f"{mine / MB:.0f} MB/s ({RECORDS:,} records in {min(ours):.2f} s, {own.text()})",
        theirs=f"{other / MB:.0f} MB/s ({TPCHGEN_ROWS:,} rows in {min(theirs):.2f} s, {others.text()})",
        how=BEST,
    )


def test_parquet_on_one_core(row: Row, folder: Path, benchmark: BenchmarkFixture) -> None:
    """A Parquet snapshot is written at more rows a second than tpchgen writes."""
    command = snapshot(folder, "parquet", records=RECORDS, workers=1)
    peer = tpchgen(folder, "parquet", "--compression", "ZSTD(1)")
    own, others = Clocked(lambda: run(command)), Clocked(lambda: run(peer))
    with pinned():
        ours, theirs = in_turn(benchmark, own, others, rounds=ROUNDS, before=emptied(folder))
    mine, other = 2 * RECORDS / min(ours), TPCHGEN_ROWS / min(theirs)
    row(
        "parquet-one-core",
        mine / other,
        rounds=ratios(theirs, ours, 2 * RECORDS / TPCHGEN_ROWS),
        ours=f"{mine:,.0f} rows/s ({RECORDS:,} records in {min(ours):.2f} s, {own.text()})",
        theirs=f"{other:,.0f} rows/s ({TPCHGEN_ROWS:,} rows in {min(theirs):.2f} s, {others.text()})",
        how=BEST,
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_persons_beside_duckdb(
    kind: str, row: Row, folder: Path, tmp_path: Path, benchmark: BenchmarkFixture
) -> None:
    """Persons are written in less time than DuckDB takes to make and copy the same fields, both on one core."""
    command = snapshot(folder, kind, records=RECORDS, entities=("persons",), workers=1)
    peer = duckdb_persons(folder, kind, RECORDS, script=tmp_path / "persons.sql")
    size = 0

    def run_peer() -> None:
        nonlocal size
        run(peer)
        size = size_of(folder, kind)

    own, others = Clocked(lambda: run(command)), Clocked(run_peer)
    with pinned():
        ours, theirs = in_turn(benchmark, own, others, rounds=ROUNDS, before=emptied(folder))
    written = size_of(folder, kind)
    assert written == pytest.approx(size, rel=0.05), f"{written:,} bytes of ours are no {size:,} of theirs"
    row(
        f"{kind}-duckdb",
        min(theirs) / min(ours),
        rounds=ratios(theirs, ours),
        ours=f"{min(ours):.2f} s ({RECORDS:,} persons, {written / MB:,.0f} MB), {own.text()}",
        theirs=f"{min(theirs):.2f} s, {others.text()}",
        how=BEST,
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_second_worker(kind: str, row: Row, folder: Path, benchmark: BenchmarkFixture) -> None:
    """A second worker, on a second core, speeds a snapshot up about as much as a second process pure arithmetic.

    One worker is kept on one core, since its threads for hashing and writing would take the other.
    """

    def run_alone_pinned(*commands: Command) -> None:
        with pinned() if len(commands) == 1 else nullcontext():
            run(*commands)

    def command(workers: int) -> Callable[[], None]:
        made = snapshot(folder, kind, records=MANY_RECORDS, workers=workers)
        return (lambda: run_alone_pinned(made)) if workers == 1 else (lambda: run(made))

    def probe(processes: int) -> Callable[[], None]:
        share: Command = [sys.executable, PROBE, str(PROBE_ROUNDS // processes)]
        return lambda: run_alone_pinned(*[share] * processes)

    emptied(folder)()
    disk = disk_rate(folder)
    rounds = 2
    taken = in_turn(
        benchmark, command(2), command(1), probe(2), probe(1), rounds=rounds, before=emptied(folder)
    )
    two, one, probe_two, probe_one = map(min, taken)
    rate = size_of(folder, kind) / two
    row(
        f"workers-{kind}",
        (one / two) / (probe_one / probe_two),
        rounds=ratios(ratios(taken[1], taken[0]), ratios(taken[3], taken[2])),
        ours=f"{one / two:.2f}x ({one:.1f} s, then {two:.1f} s at {rate / MB:.0f} MB/s)",
        theirs=f"{probe_one / probe_two:.2f}x; the disk takes {disk / MB:.0f} MB/s",
        how=f"best of {rounds} rounds in turn",
    )


@pytest.fixture(scope="module")
def peaks() -> dict[int, Peak]:
    """Peaks of memory of two workers, by the number of records."""
    found = {}
    for records in (FEW_RECORDS, MANY_RECORDS):
        with TemporaryDirectory(prefix="esdh-bench-") as made:
            found[records] = peak_memory(snapshot(Path(made), "csv", records=records, workers=2))
    return found


def test_memory_does_not_grow(row: Row, peaks: dict[int, Peak]) -> None:
    """Ten times the records take no more memory."""
    many, few = peaks[MANY_RECORDS].tree, peaks[FEW_RECORDS].tree
    row(
        "memory-growth",
        many / few,
        ours=f"{many / MB:.0f} MB",
        theirs=f"{few / MB:.0f} MB",
        how="one run each, Pss of all processes",
    )


def test_memory_of_a_process(row: Row, peaks: dict[int, Peak]) -> None:
    """No process of a large run takes more than a fixed amount of memory."""
    row("memory-process", peaks[MANY_RECORDS].process / MB, how="one run, resident high-water mark")


def test_memory_of_all_formats(row: Row, folder: Path) -> None:
    """No process takes more than a fixed amount of memory when it writes every format of every entity."""
    peak = peak_memory(
        snapshot(
            folder,
            *("csv", "json", "ndjson", "parquet"),
            records=FEW_RECORDS,
            entities=("persons", "vehicles", "profiles"),
            workers=2,
        )
    )
    row(
        "memory-formats",
        peak.process / MB,
        ours=f"all processes together {peak.tree / MB:.0f} MB",
        how="one run, resident high-water mark",
    )


def test_start_of_a_snapshot(row: Row, folder: Path, benchmark: BenchmarkFixture) -> None:
    """The default snapshot takes little longer than the imports that no snapshot can do without."""
    command = snapshot(folder, "csv", "json", records=200, entities=("persons", "vehicles", "profiles"))
    with pinned():
        ours, theirs = in_turn(
            benchmark,
            lambda: run(command),
            lambda: run(importing(*IMPORTS)),
            rounds=START_ROUNDS,
            warmups=2,
            before=emptied(folder),
        )
    row("start-snapshot", median_ratio(ours, theirs), rounds=ratios(ours, theirs), **_medians(ours, theirs))


def test_start_of_help(row: Row, benchmark: BenchmarkFixture) -> None:
    """The help takes little longer than to import click."""
    with pinned():
        ours, theirs = in_turn(
            benchmark,
            lambda: run([ESDH, "--help"]),
            lambda: run(importing("click")),
            rounds=START_ROUNDS,
            warmups=2,
        )
    row("start-help", median_ratio(ours, theirs), rounds=ratios(ours, theirs), **_medians(ours, theirs))


def test_one_record_from_its_id(row: Row, benchmark: BenchmarkFixture) -> None:
    """To make any record again from its id alone takes no longer than Mimesis takes for fifty persons."""
    ids = cycle([encode_id(DEFAULT_SEED, "person", index * 999_983) for index in range(1_000)])
    ours, theirs = _beside_mimesis(benchmark, lambda: reproduce_record(next(ids)))
    row("reproduce", median_ratio(ours, theirs), rounds=ratios(ours, theirs), **_medians(ours, theirs))


def test_five_records(row: Row, benchmark: BenchmarkFixture) -> None:
    """Five records of every entity, as Structs, don't pay for columns."""
    ours, theirs = _beside_mimesis(benchmark, lambda: generate_bundle(5))
    row("five-records", median_ratio(ours, theirs), rounds=ratios(ours, theirs), **_medians(ours, theirs))


def _beside_mimesis(benchmark: BenchmarkFixture, ours: Callable[[], object]) -> list[list[float]]:
    """Time what takes less than a millisecond beside Mimesis, which takes about as long for some persons."""
    with pinned():
        return in_turn(
            benchmark, ours, lambda: mimesis_persons(SMALL_PERSONS), rounds=SMALL_ROUNDS, warmups=20
        )


def _medians(ours: list[float], theirs: list[float]) -> dict[str, str]:
    return {
        "ours": f"{statistics.median(ours) * 1e3:.3g} ms",
        "theirs": f"{statistics.median(theirs) * 1e3:.3g} ms",
        "how": f"median of the ratios of {len(ours)} rounds in turn",
    }


@pytest.fixture(scope="module")
def tables() -> Tables:
    """Persons and vehicles in memory."""
    with TemporaryDirectory(prefix="esdh-bench-") as made:
        held = tables_of(Path(made), RECORDS)
    return held


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_wall_time(
    kind: str,
    tables: Tables,
    row: Row,
    folder: Path,
    benchmark: BenchmarkFixture,
) -> None:
    """A snapshot, made from nothing, takes about as long as a writer takes for the same tables in memory."""
    write = tables.writer_of(kind, RECORDS)
    size = 0

    def peer() -> None:
        write(folder)

    def peer_synced() -> None:
        nonlocal size
        write(folder)
        sync(folder)
        size = size_of(folder, kind)

    # A disk may be slower after it took much at once: the run that leaves least to it stands before ours.
    command = snapshot(folder, kind, records=RECORDS)
    own, others = Clocked(lambda: run(command)), Clocked(peer)
    ours, synced, theirs = in_turn(
        benchmark, own, peer_synced, others, rounds=WALL_ROUNDS, before=emptied(folder)
    )
    written = size_of(folder, kind)
    assert written == pytest.approx(size, rel=0.05), f"{written:,} bytes of ours are no {size:,} of theirs"
    # CSV's target is against the writer whose file is synced as ours is; those of the others are older and stricter.
    against = synced if kind == "csv" else theirs
    row(
        f"{kind}-wall",
        min(ours) / min(against),
        rounds=ratios(ours, against),
        ours=f"{min(ours):.2f} s ({RECORDS:,} records, {written / MB:,.0f} MB), {own.text()}",
        theirs=f"{min(theirs):.2f} s, {others.text()}; synced to the disk as ours {min(synced):.2f} s",
        how=f"best of {WALL_ROUNDS} rounds in turn",
    )

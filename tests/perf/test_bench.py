"""What generation costs, beside Faker and Mimesis in the same run: `just bench`."""

import time
from collections.abc import Callable

from esdh_core import generate_bundle, generate_columns
from peers import faker_persons, mimesis_persons
from pytest_benchmark.fixture import BenchmarkFixture

BLOCK = 65_536
LEAST_OVER_MIMESIS = 25  # the budget: persons a second, as a multiple of Mimesis
MOST_SECONDS_FOR_FIVE = 0.002


def best(action: Callable[[], object], rounds: int) -> float:
    """Return the least seconds of several rounds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times)


def least(benchmark: BenchmarkFixture) -> float:
    """Return the least seconds that a benchmark measured."""
    assert benchmark.stats is not None, "run without --benchmark-disable"
    return float(benchmark.stats["min"])


def test_persons_in_columns(benchmark: BenchmarkFixture) -> None:
    """A block of persons is made at 25 times Mimesis or better on one core."""
    benchmark.group = "persons"
    mimesis = best(lambda: mimesis_persons(500), 5) / 500
    benchmark(lambda: generate_columns(0, BLOCK, entities=["person"]))
    ratio = mimesis / (least(benchmark) / BLOCK)
    benchmark.extra_info["times_mimesis"] = round(ratio, 1)
    assert ratio >= LEAST_OVER_MIMESIS, f"{ratio:.1f} times Mimesis; the budget is {LEAST_OVER_MIMESIS}"


def test_persons_by_faker(benchmark: BenchmarkFixture) -> None:
    """Faker's time for 100 persons, to stand beside ours."""
    benchmark.group = "persons"
    assert len(benchmark(lambda: faker_persons(100))) == 100


def test_persons_by_mimesis(benchmark: BenchmarkFixture) -> None:
    """Mimesis's time for 100 persons, to stand beside ours."""
    benchmark.group = "persons"
    assert len(benchmark(lambda: mimesis_persons(100))) == 100


def test_five_records(benchmark: BenchmarkFixture) -> None:
    """Five records of every entity, as Structs, take less than two milliseconds."""
    benchmark.group = "five records"
    benchmark(lambda: generate_bundle(5))
    assert least(benchmark) < MOST_SECONDS_FOR_FIVE

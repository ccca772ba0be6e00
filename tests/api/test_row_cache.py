"""Rows of earlier requests: the same bytes as without them, within a bound, never another seed's or another plan's."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from datasets import LEDGER
from esdh_api import Settings, create_app
from esdh_api.requests import Window
from esdh_api.row_cache import Chunk, Key, Part, RowCache, Rows
from esdh_api.rows import Structs, json_texts
from esdh_core import DEFAULT_DATASET, Block, Dataset, Table
from esdh_plan import load_plan
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

BANK = load_plan("bank")
# More rows a record than a chunk has, none of some tables, and fixed tables beside them.
INSURANCE = load_plan("insurance")
DATASETS = {each.dataset_version: each for each in (DEFAULT_DATASET, LEDGER, BANK, INSURANCE)}
ACCEPTED = ("application/json", "application/x-ndjson", "text/csv")


def client_of(dataset: Dataset, cache_mb: int) -> FlaskClient:
    """Return a client of an app that keeps so many megabytes of rows."""
    return create_app(Settings(cache_mb=cache_mb), dataset=dataset).test_client()


WITH = {name: client_of(dataset, 1) for name, dataset in DATASETS.items()}
WITHOUT = {name: client_of(dataset, 0) for name, dataset in DATASETS.items()}


class Call(NamedTuple):
    """A request for a window."""

    dataset: str
    path: str
    accept: str
    seed: int
    start: int
    records: int

    def answer(self, clients: dict[str, FlaskClient]) -> bytes:
        """Return the body that a client gets."""
        asked = {"records": self.records, "start": self.start, "seed": self.seed}
        headers = {"Accept": self.accept}
        answer = clients[self.dataset].post(f"/generate/{self.path}", json=asked, headers=headers)
        assert 200 == answer.status_code, answer.text
        return bytes(answer.data)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """A call of any kind, of few seeds and near few records, so that windows overlap."""
    dataset = draw(st.sampled_from(sorted(DATASETS)))
    of = DATASETS[dataset]
    whole = ["bundle"] if of.recipe is None else ["bundle", "record-trees"]
    path = draw(st.sampled_from([*(table.entity for table in of.tables), *whole]))
    accept = "application/json" if path in whole else draw(st.sampled_from(ACCEPTED))
    near = draw(st.sampled_from([0, 50, of.max_records - 40]))
    return Call(
        dataset,
        path,
        accept,
        draw(st.integers(0, 2)),
        near + draw(st.integers(0, 20)),
        draw(st.integers(1, 20)),
    )


@given(st.lists(calls(), min_size=2, max_size=8))
@settings(max_examples=60, deadline=None)
def test_answers_are_those_without_a_cache(asked: list[Call]) -> None:
    """Whatever was asked before, of whichever seed, window, table and format, an answer's bytes are the same."""
    for call in asked:
        assert call.answer(WITHOUT) == call.answer(WITH), call


def test_threads_get_their_own_answers() -> None:
    """Requests of several seeds, windows and tables that are answered at the same time get what each gets alone."""
    asked = [
        Call(name, path, "application/json", seed, start, 9)
        for seed in (1, 2)
        for start in (0, 4, 9)
        for name, path in (
            ("v0.1", "bundle"),
            ("v0.1", "person"),
            ("bank v1", "accounts"),
            ("bank v1", "bundle"),
        )
    ] * 4
    expected = {call: call.answer(WITHOUT) for call in asked}
    fresh = {name: client_of(DATASETS[name], 64) for name in ("v0.1", "bank v1")}
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda call: call.answer(fresh), asked))
    assert [expected[call] for call in asked] == found


class Counted:
    """Encodes rows as JSON and notes how many records each block had."""

    def __init__(self) -> None:
        self.records: list[int] = []

    def __call__(self, table: Table, block: Block, structs: Structs) -> list[bytes]:
        """Return the rows of a table over a block."""
        self.records.append(block.count)
        return json_texts(table, block, structs)


@pytest.fixture
def counted() -> Counted:
    """An encoder that notes its work."""
    return Counted()


def rows_of(rows: Rows, part: Part, start: int, records: int, seed: int = 1) -> list[bytes]:
    """Return the rows of a part in a window."""
    return rows.select(Window(records, start, seed), [part]).texts(part)


def test_next_request_of_a_seed_computes_nothing(counted: Counted) -> None:
    """What was computed for a window serves it again, and its neighbours; another seed is computed anew."""
    rows, part = Rows(DEFAULT_DATASET, RowCache(10**6)), Part(DEFAULT_DATASET.root, counted)
    first = rows_of(rows, part, 0, 5)
    assert first == rows_of(rows, part, 0, 5)
    assert first[2:] == rows_of(rows, part, 2, 4)[:3]
    assert 1 == len(counted.records)
    assert first != rows_of(rows, part, 0, 5, seed=2)
    assert 2 == len(counted.records)


def test_only_what_is_missing_is_computed(counted: Counted) -> None:
    """Of a window that is partly there the rest is computed, in as few blocks as there are gaps."""
    rows, part = Rows(DEFAULT_DATASET, RowCache(10**6)), Part(DEFAULT_DATASET.root, counted)
    expected = rows_of(Rows(DEFAULT_DATASET, RowCache(0)), part, 0, 200)
    counted.records.clear()
    rows_of(rows, part, 80, 8)
    assert expected == rows_of(rows, part, 0, 200)
    assert 8 == counted.records[0]
    assert [80, 112] == counted.records[1:]


def test_tables_of_a_record_are_kept_beside_each_other(counted: Counted) -> None:
    """A table that is asked for later joins what is there of the same records."""
    rows = Rows(DEFAULT_DATASET, RowCache(10**6))
    one, two = (Part(table, counted) for table in DEFAULT_DATASET.tables[:2])
    rows_of(rows, one, 0, 5)
    rows_of(rows, two, 0, 5)
    both = rows.select(Window(5, 0, 1), [one, two])
    assert 2 == len(counted.records)
    assert [5, 5] == [len(both.texts(one)), len(both.texts(two))]


def test_no_cache_computes_no_more_than_the_window(counted: Counted) -> None:
    """Without a cache exactly the records of a window are made."""
    rows = Rows(DEFAULT_DATASET, RowCache(0))
    rows_of(rows, Part(DEFAULT_DATASET.root, counted), 3, 7)
    assert [7] == counted.records


PLAN = """\
esdh: plan/1
name: coins
version: {version}
reference_date: 2024-06-01
tables:
  coins:
    fields:
      coin_id: {{id: true}}
      number: {{pattern: "[0-9]{{3}}", unique: true}}
"""


def plan_of(tmp_path: Path, version: int) -> Dataset:
    """Return a plan of one table that has room for a thousand records."""
    path = tmp_path / f"coins{version}.yaml"
    path.write_text(PLAN.format(version=version), encoding="utf-8")
    return load_plan(path)


def test_last_records_that_there_can_be(tmp_path: Path, counted: Counted) -> None:
    """The window of the last records is answered, though the records after them can't be made."""
    plan = plan_of(tmp_path, 1)
    rows, part = Rows(plan, RowCache(10**6)), Part(plan.root, counted)
    assert rows_of(rows, part, 997, 3) == rows_of(rows, part, 980, 20)[17:]


def test_plans_with_the_same_tables_share_nothing(tmp_path: Path, counted: Counted) -> None:
    """Two plans that only differ in their version get rows of their own out of one cache."""
    cache, plans = RowCache(10**6), [plan_of(tmp_path, version) for version in (1, 2)]
    one, two = (rows_of(Rows(plan, cache), Part(plan.root, counted), 0, 5) for plan in plans)
    assert b"coins v1" in one[0]
    assert b"coins v2" in two[0]


def chunk(size: int) -> Chunk:
    """Return a chunk of about so many bytes, more than its own overhead."""
    return Chunk({Part(DEFAULT_DATASET.root, json_texts): [b"x" * (size - 1_041)]}, {})


def keys() -> Iterator[Key]:
    """Return keys of seed 1, each another."""
    return ((DEFAULT_DATASET, DEFAULT_DATASET.root, 1, number) for number in range(10_000))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.integers(1_100, 9_000)), max_size=200))
def test_cache_stays_within_its_bound(steps: Sequence[tuple[bool, int, int]]) -> None:
    """However chunks come, grow and are asked for, they take at most the limit, and the count of bytes is right."""
    cache, limit, held = RowCache(20_000), 20_000, dict[Key, Chunk]()
    for is_put, number, size in steps:
        key = (DEFAULT_DATASET, DEFAULT_DATASET.root, 1, number)
        if is_put:
            held[key] = chunk(size)
            cache.put([(key, held[key])])
        else:
            (found,) = cache.get([key])
            assert found is None or found is held[key]
        assert cache.size <= limit
    sizes = [
        len(found.texts[Part(DEFAULT_DATASET.root, json_texts)][0]) + 1_041
        for found in cache.get(held)
        if found
    ]
    assert cache.size == sum(sizes)


def test_random_seeds_leave_what_is_asked_for_again() -> None:
    """Any number of chunks that are asked for once doesn't push out those that were asked for twice."""
    cache, numbers = RowCache(100_000), keys()
    useful = [next(numbers) for _ in range(20)]
    cache.put((key, chunk(2_000)) for key in useful)
    cache.get(useful)
    for key in numbers:
        cache.put([(key, chunk(2_000))])
    assert None not in cache.get(useful)
    assert 100_000 >= cache.size


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    """A chunk that alone exceeds the limit is forgotten at once, and what is protected stays."""
    cache, numbers = RowCache(10_000), keys()
    small, large = next(numbers), next(numbers)
    cache.put([(small, chunk(2_000))])
    cache.get([small])
    cache.put([(large, chunk(20_000))])
    assert [True, False] == [found is not None for found in cache.get([small, large])]


def test_chunks_that_are_no_longer_asked_for_go() -> None:
    """What was asked for often, and then isn't, makes room for what is asked for now."""
    cache, numbers = RowCache(20_000), keys()
    for key in (next(numbers) for _ in range(100)):
        cache.put([(key, chunk(2_000))])
        assert cache.get([key]) != [None]
        assert cache.size <= 20_000

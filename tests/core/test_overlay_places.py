"""The first places of an `exactly`: the same whoever looks for them, and looked for no further than is said."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from threading import Barrier

import pytest
from defects import overlay
from esdh_core import DEFAULT_DATASET, RequestError
from esdh_core.overlay import Overlay

TRUCKS = {
    "kind": "out_of_range",
    "table": "vehicles",
    "field": "model_year",
    "exactly": 40,
    "where": "body_style == 'Truck'",
}


def labels_of(defects: Overlay, start: int, count: int, seed: int) -> list[str]:
    """Return the ids of the labels of the vehicles in some records."""
    table = DEFAULT_DATASET.table("vehicles")
    found = defects.apply(table, DEFAULT_DATASET.block(start, count, seed)).labels
    return sorted(label.defect_id for label in found)


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_threads_find_the_same_places() -> None:
    """Threads that ask one overlay at once find the places that one alone finds, each once."""
    windows = [(start, 50, 1) for start in range(0, 400, 50)]
    alone = [labels_of(overlay(DEFAULT_DATASET, TRUCKS), *window) for window in windows]
    assert any(alone)
    for _ in range(10):
        shared, together = overlay(DEFAULT_DATASET, TRUCKS), Barrier(len(windows))

        def labels(window: tuple[int, int, int], shared: Overlay, together: Barrier) -> list[str]:
            together.wait()
            return labels_of(shared, *window)

        with ThreadPoolExecutor(len(windows)) as pool:
            assert alone == list(pool.map(labels, windows, repeat(shared), repeat(together)))


def test_searches_of_many_seeds_are_forgotten() -> None:
    """Whatever number of seeds an overlay is asked about, it keeps few searches, and finds the same again."""
    shared = overlay(DEFAULT_DATASET, TRUCKS)
    first = labels_of(shared, 0, 100, 0)
    for seed in range(1, 200):
        labels_of(shared, 0, 5, seed)
    assert len(shared._firsts) <= 64
    assert first == labels_of(shared, 0, 100, 0)


def test_reach_is_checked_where_places_are_missing() -> None:
    """Records beyond those that are looked through are refused while places are to be found there, and not once all are."""
    shared = overlay(DEFAULT_DATASET, TRUCKS)
    tables = [DEFAULT_DATASET.table("vehicles")]
    shared.check_reach(tables, 50, 1, 100)
    with pytest.raises(RequestError, match=r"for exactly 40 rows, of which \d+ are in the first 100 records"):
        shared.check_reach(tables, 101, 1, 100)
    shared.check_reach(tables, 5_000_000, 1, 10_000)
    shared.check_reach([DEFAULT_DATASET.root], 101, 1, 100)


def test_second_rows_need_room_behind_the_last_record() -> None:
    """With second rows, records past a quarter of those that there can be are refused: their ids would be others' too."""
    shared = overlay(DEFAULT_DATASET, {"kind": "near_duplicate", "table": "persons", "rate": 0.1})
    quarter = DEFAULT_DATASET.max_records // 4
    shared.check_reach([DEFAULT_DATASET.root], quarter, 1, 100)
    with pytest.raises(RequestError, match="too few are left"):
        shared.check_reach([DEFAULT_DATASET.root], quarter + 1, 1, 100)

"""Trees: slots, words and ids of rows below rows, and permutations below a capacity, held against plain integers."""

import datetime as dt
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from esdh_core import Block, Dataset, IdError, Table
from esdh_core.columns import Integer
from esdh_core.ids import TaggedIds
from esdh_core.permutations import permute_below, unpermute_below
from esdh_core.streams import bounded, high32
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracle.words import child_word, permute, root_word

SEED = 7
ROOM = 4


def count_of(stream: str, parent: Table) -> Callable[[Block], NDArray[np.int64]]:
    """Return a count from 0 to 3, all alike."""
    return lambda block: bounded(high32(block.words(parent, stream)), 4).astype(np.int64)


def one_field(name: str, **hangs: object) -> Table:
    """Return a table whose only field is the upper half of a word."""
    table = Table(name, msgspec.defstruct(name, [("x", int)]), "Rows.", **hangs)  # type: ignore[arg-type]  # as the class has them

    @table.rule("x", "The upper half of its word", streams=(f"t:{name}.x",))
    def x(block: Block) -> Integer:
        return Integer(high32(block.words(table, f"t:{name}.x")).astype(np.int64), 0, (1 << 32) - 1)

    return table


ROOT = one_field("roots")
CHILD = one_field("children", parent=ROOT, count=count_of("t:children#count", ROOT), room=ROOM)
GRANDCHILD = one_field(
    "grandchildren", parent=CHILD, count=count_of("t:grandchildren#count", CHILD), room=ROOM
)
TWIN = one_field("twins", parent=CHILD)
FIXED = one_field("fixed", rows=5)
TREE = Dataset(
    dataset_version="t v1",
    marker="enterprise-synthetic-data-hub t v1",
    reference_date=dt.date(2024, 6, 1),
    tables=(FIXED, ROOT, CHILD, TWIN, GRANDCHILD),
    ids=TaggedIds("t v1", ["fixed", "roots", "children", "twins", "grandchildren"]),
    location="none",
)


def children(stream: str, of: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the (slot, record) of every child of some (slot, record), by the word of a count at each."""
    return [
        (slot * ROOM + k, record)
        for slot, record in of
        for k in range((word(stream, slot, record, depth_of(slot, record)) >> 32) * 4 >> 32)
    ]


def depth_of(slot: int, record: int) -> int:
    """Return how many levels below its record a slot lies (not of record 0, whose slots don't tell)."""
    return 0 if slot == record else 1 + depth_of(slot // ROOM, record)


def word(stream: str, slot: int, record: int, depth: int) -> int:
    """Return the word of a stream at a slot, from the root down."""
    if depth == 0:
        return root_word(SEED, stream, record)
    return child_word(word(stream, slot // ROOM, record, depth - 1), slot % ROOM)


def test_rows_are_where_and_what_plain_integers_say() -> None:
    """Slots ascend as counts say, and a child's word is mixed from its parent's, level by level."""
    block = TREE.block(1, 60, SEED)
    roots = [(record, record) for record in range(1, 61)]
    below = children("t:children#count", roots)
    deepest = children("t:grandchildren#count", below)
    for table, expected, depth in (
        (ROOT, roots, 0),
        (CHILD, below, 1),
        (TWIN, below, 1),
        (GRANDCHILD, deepest, 2),
    ):
        assert [slot for slot, _ in expected] == block.level(table).slots.tolist()
        words = [word(f"t:{table.name}.x", slot, record, depth) >> 32 for slot, record in expected]
        assert words == table.columns(block)["x"].tolist()


@given(st.integers(0, 500), st.integers(0, 40), st.integers(0, 40))
def test_any_split_gives_the_same_rows(start: int, first: int, second: int) -> None:
    """The rows of a window are those of its parts, in every table."""
    whole = TREE.columns(start, first + second, SEED)
    parts = [TREE.columns(start, first, SEED), TREE.columns(start + first, second, SEED)]
    for table in (ROOT, CHILD, TWIN, GRANDCHILD):
        together = [value for part in parts for value in part[table.name]["x"].tolist()]
        assert together == whole[table.name]["x"].tolist()


def test_fixed_rows_are_the_same_in_every_window() -> None:
    """A fixed table comes whole, whatever records are asked for."""
    windows = [
        TREE.columns(start, count, SEED)["fixed"]["x"].tolist() for start, count in ((0, 0), (0, 9), (70, 1))
    ]
    assert (
        [root_word(SEED, "t:fixed.x", row) >> 32 for row in range(5)]
        == windows[0]
        == windows[1]
        == windows[2]
    )


def test_rows_know_their_ancestors() -> None:
    """The position of an ancestor's row is that of the slot's beginning."""
    block = TREE.block(3, 50, SEED)
    slots = {table: block.level(table).slots for table in (ROOT, CHILD, GRANDCHILD)}
    for table, ancestor, room in (
        (CHILD, ROOT, ROOM),
        (GRANDCHILD, CHILD, ROOM),
        (GRANDCHILD, ROOT, ROOM * ROOM),
    ):
        rows = block.rows_of(table, ancestor)
        assert rows is not None
        assert (slots[table] // np.uint64(room)).tolist() == slots[ancestor].take(rows).tolist()
    assert block.rows_of(TWIN, CHILD) is None
    with pytest.raises(TypeError, match="'twins' is not above 'children'"):
        block.rows_of(CHILD, TWIN)


@given(st.integers(0, 2**53 - 1), st.sampled_from(["roots", "twins", "fixed"]), st.integers(0, 2**44 - 1))
def test_tagged_id_decodes_to_its_row(seed: int, table: str, slot: int) -> None:
    """An id of a dataset with a name gives back seed, table and slot, and is no other dataset's."""
    text = TREE.ids.texts(seed, table, np.array([slot], dtype=np.uint64)).tobytes().decode()
    decoded = TREE.ids.decode(text)
    assert (seed, "t v1", table, slot) == (
        decoded.seed,
        decoded.dataset_version,
        decoded.entity,
        decoded.index,
    )
    with pytest.raises(IdError, match="is no id of u v1"):
        TaggedIds("u v1", ["roots"]).decode(text)


@given(st.integers(0, 2**64 - 1), st.integers(1, 300), st.data())
def test_permutation_below_a_capacity(key: int, capacity: int, data: st.DataObject) -> None:
    """Every number below the capacity comes once, as plain integers say, and is inverted."""
    values = permute_below(np.uint64(key), np.arange(capacity, dtype=np.uint64), capacity)
    assert list(range(capacity)) == sorted(values.tolist())
    assert list(range(capacity)) == unpermute_below(np.uint64(key), values, capacity).tolist()
    at = data.draw(st.integers(0, capacity - 1))
    assert permute(at, capacity, key) == int(values[at])


def test_each_row_can_have_a_key_of_its_own() -> None:
    """One key a row gives what each key gives alone."""
    keys: NDArray[np.uint64] = np.arange(1, 200, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    index = np.arange(1, 200, dtype=np.uint64) % np.uint64(11)
    alone = [int(permute_below(key, index[at : at + 1].copy(), 11)[0]) for at, key in enumerate(keys)]
    assert alone == permute_below(keys, index, 11).tolist()

"""Rows: a sequence that notes which of its rows are looked at."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_esdh import Rows


def test_each_look_is_noted_in_order() -> None:
    """Indexing and iteration note rows; length, truth, slices and repr note none."""
    seen: list[int] = []
    rows = Rows("abcdef", seen.append)
    assert 6 == len(rows)
    assert rows
    tail = rows[2:]
    assert "['c', 'd', 'e', 'f']" == repr(tail)
    assert [] == seen
    assert "f" == rows[-1]
    assert "d" == tail[1]
    iterator = iter(tail)
    assert ["c", "d"] == [next(iterator), next(iterator)]
    assert [5, 3, 2, 3] == seen


def test_searching_notes_what_was_compared() -> None:
    """`in`, `index` and reversal note the rows that they look at, and no others."""
    seen: list[int] = []
    rows = Rows("abc", seen.append)
    assert "b" in rows
    assert [0, 1] == seen
    assert "c" == next(reversed(rows))
    assert [0, 1, 2] == seen


def test_rows_equal_lists() -> None:
    """Rows equal a list, a tuple and rows of the same values, and no other thing; like a list they have no hash."""
    rows = Rows([1, 2], lambda _: None)
    assert rows == [1, 2]
    assert rows == (1, 2)
    assert rows == Rows([0, 1, 2], lambda _: None)[1:]
    assert rows != [2, 1]
    assert rows != "12"
    with pytest.raises(TypeError):
        hash(rows)
    with pytest.raises(IndexError):
        rows[2]


@given(st.lists(st.integers()), st.slices(10), st.slices(10))
def test_slices_are_those_of_a_list(values: list[int], one: slice, other: slice) -> None:
    """A slice of a slice holds what a list's would, and notes the places in the whole."""
    seen: list[int] = []
    rows: Sequence[int] = Rows(values, seen.append)
    assert values[one][other] == list(rows[one][other])
    assert list(range(len(values)))[one][other] == seen

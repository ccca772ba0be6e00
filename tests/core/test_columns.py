"""Columns give back their values as Python objects."""

import datetime as dt

import numpy as np
from esdh_core.columns import Categorical, Categories, Concat, Date, FixedText, Integer, day_number


def test_each_kind_lists_its_values() -> None:
    """Every kind of column lists what it holds, nulls included."""
    codes = np.array([1, 0], dtype=np.int32)
    coded = Categorical(codes, Categories([None, "b"]))
    day = day_number(dt.date(2000, 2, 29))
    date = Date(np.array([day, day + 1], dtype=np.int32), day, day + 1)
    integer = Integer(np.array([7, 9]), 7, 9)
    assert coded.tolist() == ["b", None]
    assert FixedText(np.frombuffer(b"abcd", dtype=np.uint8).reshape(2, 2)).tolist() == ["ab", "cd"]
    assert [dt.date(2000, 2, 29), dt.date(2000, 3, 1)] == date.tolist()
    assert date.text().tolist() == ["2000-02-29", "2000-03-01"]
    assert integer.tolist() == [7, 9]
    assert integer.text().tolist() == ["7", "9"]
    assert Concat((integer, " ", Categorical(np.array([0, 1]), Categories(["x", "y"])))).tolist() == [
        "7 x",
        "9 y",
    ]

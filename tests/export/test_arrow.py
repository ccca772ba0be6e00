"""Columns as Arrow arrays, plain and as indices into a dictionary."""

import numpy as np
import pyarrow as pa
import pytest
from esdh_core import ENTITIES, Table, generate_columns
from esdh_core.columns import Categorical, Categories
from esdh_export import EncodedBlock, array
from esdh_export.encoding.arrow import dictionary_array


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
@pytest.mark.parametrize("count", [0, 50, 9_000])
def test_arrays_hold_the_values(entity: Table, count: int) -> None:
    """Plain arrays and those that Parquet stores hold the values of the column, in few rows and in many."""
    block = EncodedBlock(generate_columns(3, count, 8))
    for name, column in block.columns[entity.name].items():
        assert column.tolist() == block.array(column).to_pylist(), name
        assert column.tolist() == block.dictionary_encoded(column).to_pylist(), name


@pytest.mark.parametrize("repeat", [1, 1_000])
def test_dictionary_holds_each_value_once(repeat: int) -> None:
    """A vocabulary that names a value twice, or a null, gives a dictionary of distinct values and null indices."""
    column = Categorical(np.array([3, 0, 1, 2, 0] * repeat), Categories(["a", None, "a", "b"]))
    stored = dictionary_array(column)
    stored.validate(full=True)
    assert ["b", "a", None, "a", "a"] * repeat == stored.to_pylist()
    assert ["a", "b"] == sorted(stored.dictionary.to_pylist())


def test_few_rows_bring_few_values() -> None:
    """The dictionary of few rows has the values that occur, not the whole vocabulary."""
    column = Categorical(np.array([7, 7, 999]), Categories([str(n) for n in range(1_000)]))
    assert ["7", "999"] == dictionary_array(column).dictionary.to_pylist()


def test_arrays_are_made_once() -> None:
    """Fields that share a column share its array, its stored array and its digest."""
    block = EncodedBlock(generate_columns(0, 10))
    person, vehicle = block.columns["persons"]["state"], block.columns["vehicles"]["garaging_state"]
    assert block.array(person) is block.array(vehicle)
    assert block.dictionary_encoded(person) is block.dictionary_encoded(vehicle)
    assert block.digest(person, nullable=False) is block.digest(vehicle, nullable=False)


def test_array_of_codes_has_nulls() -> None:
    """A code of a null gives a null."""
    column = Categorical(np.array([1, 0]), Categories(["x", None]))
    assert pa.array([None, "x"]).equals(array(column))

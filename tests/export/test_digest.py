"""The content digest, held against the contract's words in plain Python."""

import datetime as dt

import pyarrow as pa
import pytest
from esdh_core import ENTITIES, generate_bundle, generate_columns
from esdh_export import EncodedBlock, array_digest, block_digest, entity_digest
from esdh_export.encoding.digest import column_digest
from oracles import content_digest


def test_digest_equals_the_oracle() -> None:
    """The digest of every entity, over more than one block, is what the contract's words give."""
    count = 65_536 + 40
    bundle = generate_bundle(count, 3)
    blocks = [EncodedBlock(generate_columns(start, n, 3)) for start, n in ((0, 65_536), (65_536, 40))]
    for entity in ENTITIES:
        rows = getattr(bundle, entity.name)
        columns = [[getattr(row, name) for row in rows] for name in entity.fields]
        assert content_digest(columns) == entity_digest(block.digest_of(entity) for block in blocks)


@pytest.mark.parametrize("count", [1, 300, 20_000])
def test_digest_of_a_column_is_that_of_its_array(count: int) -> None:
    """Every kind of column, in few rows and in many, has the digest of the Arrow array of its values."""
    block = EncodedBlock(generate_columns(7, count, 4))
    for entity in ENTITIES:
        for name, column in block.columns[entity.name].items():
            plain = pa.array(column.tolist(), block.array(column).type)
            assert array_digest(plain) == column_digest(column), name
            assert array_digest(block.array(column)) == column_digest(column), name


@pytest.mark.parametrize(
    "values",
    [["a", None, "", "é"], [None, None], ["x"], [dt.date(1969, 12, 31), dt.date(2024, 6, 1)], [-1, 2**40]],
)
def test_digest_of_a_column(values: list[object]) -> None:
    """Text with nulls, dates before the epoch and integers are hashed as the contract says, sliced or not."""
    array = pa.array(values, pa.string() if values[0] is None else None)
    expected = content_digest([values])
    assert expected == entity_digest([block_digest([array_digest(array)])])
    padded = pa.concat_arrays([array, array]).slice(len(values))
    assert expected == entity_digest([block_digest([array_digest(padded)])])


def test_null_that_covers_bytes_counts_as_null() -> None:
    """Arrow may keep bytes under a null; they aren't hashed."""
    dirty = pa.Array.from_buffers(
        pa.string(),
        2,
        [pa.py_buffer(b"\x02"), pa.py_buffer(b"\0\0\0\0\x01\0\0\0\x02\0\0\0"), pa.py_buffer(b"xy")],
    )
    assert array_digest(pa.array([None, "y"])) == array_digest(dirty)


def test_other_types_are_refused() -> None:
    """A type that the contract gives no digest is refused, and so is a null that isn't text."""
    with pytest.raises(TypeError, match="double"):
        array_digest(pa.array([1.5]))
    with pytest.raises(ValueError, match="1 nulls"):
        array_digest(pa.array([1, None]))

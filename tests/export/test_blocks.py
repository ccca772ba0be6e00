"""A block at hand: what is made of its columns is made once, and is gone with it."""

import gc
import weakref

import pytest
from esdh_core import ENTITIES, generate_columns
from esdh_export.encoding.block import EncodedBlock
from esdh_export.encoding.digest import column_digest


@pytest.fixture
def block() -> EncodedBlock:
    """A block of five thousand records: enough to be put together by Arrow."""
    return EncodedBlock(generate_columns(0, 5_000))


def test_digest_after_the_array_is_the_digest(block: EncodedBlock) -> None:
    """A column that was stored before it is hashed has the digest of the column."""
    for columns in block.columns.values():
        for column in columns.values():
            block.dictionary_encoded(column)
            assert column_digest(column) == block.digest(column, nullable=False)


def test_made_once_for_a_shared_column(block: EncodedBlock) -> None:
    """Fields that share a column share its array."""
    person, vehicle = block.columns["persons"]["person_id"], block.columns["vehicles"]["person_id"]
    assert block.dictionary_encoded(person) is block.dictionary_encoded(vehicle)


def test_memory_of_a_block_is_free_at_once(block: EncodedBlock) -> None:
    """Nothing of a block that was stored and hashed waits for Python to look for cycles."""
    block = EncodedBlock(block.columns)
    gone = weakref.ref(block)
    gc.disable()
    try:
        for entity in ENTITIES:
            for column in block.columns[entity.name].values():
                block.dictionary_encoded(column)
            block.digest_of(entity)
        del block
        assert gone() is None
    finally:
        gc.enable()

"""Generates records of a dataset, by default of the first one: Structs for people and services, columns for exporters."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload
from uuid import UUID

import numpy as np

from esdh_core.columns import Column
from esdh_core.constants import DEFAULT_RECORDS, DEFAULT_SEED
from esdh_core.dataset import Dataset
from esdh_core.datasets import DEFAULT_DATASET
from esdh_core.ids import RecordId
from esdh_core.requests import check_seed, check_slot

if TYPE_CHECKING:
    from esdh_core.datasets import Bundle, Record

__all__ = [
    "decode_id",
    "encode_id",
    "generate_bundle",
    "generate_columns",
    "generate_records",
    "reproduce_record",
]


def generate_columns(
    start: SupportsIndex,
    count: SupportsIndex,
    seed: SupportsIndex = DEFAULT_SEED,
    *,
    entities: Sequence[str] = (),
    dataset: Dataset = DEFAULT_DATASET,
) -> dict[str, dict[str, Column]]:
    """Return records `start` to `start + count - 1` as columns: table name to field to column.

    Fields come in the Struct's order. Blocks of 65,536 records fit the cache and are fastest. `entities` names
    the tables wanted, in singular or plural (all, when empty); a table's values are the same whichever others
    are made.

    Raises RequestError for a seed, a window or a table that can't be.

    >>> first, *_ = generate_columns(0, 3).values()
    >>> {len(column) for column in first.values()}
    {3}
    """
    return dataset.columns(start, count, seed, tables=entities)


@overload
def generate_bundle(
    records: SupportsIndex = ..., seed: SupportsIndex = ..., start: SupportsIndex = ...
) -> "Bundle": ...
@overload
def generate_bundle(
    records: SupportsIndex = ..., seed: SupportsIndex = ..., start: SupportsIndex = ..., *, dataset: Dataset
) -> Any: ...
def generate_bundle(
    records: SupportsIndex = DEFAULT_RECORDS,
    seed: SupportsIndex = DEFAULT_SEED,
    start: SupportsIndex = 0,
    *,
    dataset: Dataset = DEFAULT_DATASET,
) -> Any:
    """Return records `start` to `start + records - 1` of a seed as typed Structs, a list a table.

    The same call gives the same bundle on any machine, for ever; `generate_bundle(3)` is the start of
    `generate_bundle(200)`.

    Raises RequestError for a seed that is not an integer from 0 to 2^53 - 1, or a window that is not
    within records 0 to 2^33 - 1.

    >>> generate_bundle(1, seed=1).metadata.notes
    'Deterministic snapshot generated from rule-based distributions (seed=1).'
    """
    return dataset.bundle(records, seed, start)


def generate_records(
    entity: str,
    records: SupportsIndex = DEFAULT_RECORDS,
    seed: SupportsIndex = DEFAULT_SEED,
    start: SupportsIndex = 0,
    *,
    dataset: Dataset = DEFAULT_DATASET,
) -> list[Any]:
    """Return one table's rows of records `start` to `start + records - 1` of a seed, as its typed Structs.

    They equal those of `generate_bundle`, without the other tables' cost. `entity` is a table's name, in
    singular or plural.

    Raises RequestError for a table, a seed or a window that can't be.

    >>> from esdh_core import DEFAULT_DATASET
    >>> name = DEFAULT_DATASET.root.name
    >>> generate_records(name, 2, seed=1) == getattr(generate_bundle(2, seed=1), name)
    True
    """
    return dataset.rows(entity, records, seed, start)


@overload
def reproduce_record(value: str | UUID) -> "Record": ...
@overload
def reproduce_record(value: str | UUID, *, dataset: Dataset) -> Any: ...
def reproduce_record(value: str | UUID, *, dataset: Dataset = DEFAULT_DATASET) -> Any:
    """Return the record behind an id of any table, from the id alone; no other record is made.

    `value` is the id in any spelling that `canonical_id` reads, or a uuid.UUID. Raises IdError, with the reason,
    for what is no id of the dataset.

    >>> record = reproduce_record("7325de0f-b0c4-806c-8636-3e3a1bdbceb4")
    >>> record.id.seed, record.id.index
    (20240601, 0)
    """
    return dataset.reproduce(value)


def encode_id(
    seed: SupportsIndex, entity: str, index: SupportsIndex, *, dataset: Dataset = DEFAULT_DATASET
) -> str:
    """Return the id of one row; `entity` is a table's name, in singular or plural.

    Raises RequestError for a table, a seed or an index that can't be.

    >>> from esdh_core import DEFAULT_DATASET
    >>> encode_id(20240601, DEFAULT_DATASET.root.name, 0)
    '7325de0f-b0c4-806c-8636-3e3a1bdbceb4'
    """
    checked = check_seed(seed)
    slots = np.array([check_slot(index, dataset.ids.slots)], dtype=np.uint64)
    return dataset.ids.texts(checked, dataset.table(entity).entity, slots).tobytes().decode("ascii")


def decode_id(value: str | UUID, *, dataset: Dataset = DEFAULT_DATASET) -> RecordId:
    """Return what an id says; `value` is in any spelling that `canonical_id` reads, or a uuid.UUID.

    Raises IdError, with the reason, for a text that is no id of the dataset.

    >>> decode_id("7325de0f-b0c4-806c-8636-3e3a1bdbceb4").seed
    20240601
    """
    return dataset.decode(value)

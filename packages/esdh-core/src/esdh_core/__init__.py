"""Deterministic synthetic data: a value is a pure function of (seed, stream, slot), a record a root row with all below it."""

from typing import TYPE_CHECKING

from esdh_core.lazy import lazy_names

if TYPE_CHECKING:
    from esdh_core.constants import BLOCK_RECORDS as BLOCK_RECORDS
    from esdh_core.constants import DEFAULT_RECORDS as DEFAULT_RECORDS
    from esdh_core.constants import DEFAULT_SEED as DEFAULT_SEED
    from esdh_core.constants import MAX_RECORDS as MAX_RECORDS
    from esdh_core.constants import MAX_SEED as MAX_SEED
    from esdh_core.dataset import Block as Block
    from esdh_core.dataset import Dataset as Dataset
    from esdh_core.dataset import Table as Table
    from esdh_core.datasets import *  # noqa: F403 - the façade of the default dataset, by its own `__all__`
    from esdh_core.errors import CoreError as CoreError
    from esdh_core.errors import IdError as IdError
    from esdh_core.errors import LookupTableError as LookupTableError
    from esdh_core.errors import RequestError as RequestError
    from esdh_core.generator import decode_id as decode_id
    from esdh_core.generator import encode_id as encode_id
    from esdh_core.generator import generate_bundle as generate_bundle
    from esdh_core.generator import generate_columns as generate_columns
    from esdh_core.generator import generate_records as generate_records
    from esdh_core.generator import reproduce_record as reproduce_record
    from esdh_core.ids import RecordId as RecordId
    from esdh_core.ids import canonical_id as canonical_id
    from esdh_core.located import Located as Located
    from esdh_core.located import locate_row as locate_row
    from esdh_core.plan_rendering import plan_markdown as plan_markdown
    from esdh_core.plan_rendering import plan_text as plan_text
    from esdh_core.requests import check_records as check_records
    from esdh_core.requests import check_seed as check_seed
    from esdh_core.rules import Rule as Rule

__getattr__ = lazy_names(
    __name__,
    {
        "constants": ("BLOCK_RECORDS", "DEFAULT_RECORDS", "DEFAULT_SEED", "MAX_RECORDS", "MAX_SEED"),
        "dataset": ("Block", "Dataset", "Table"),
        "errors": ("CoreError", "IdError", "LookupTableError", "RequestError"),
        "generator": (
            "decode_id",
            "encode_id",
            "generate_bundle",
            "generate_columns",
            "generate_records",
            "reproduce_record",
        ),
        "ids": ("RecordId", "canonical_id"),
        "located": ("Located", "locate_row"),
        "plan_rendering": ("plan_markdown", "plan_text"),
        "requests": ("check_records", "check_seed"),
        "rules": ("Rule",),
    },
    others="datasets",
)

"""The bodies of the API's answers, as Structs: what is encoded is what the OpenAPI document describes.

A Struct's `__name__` is the name of its schema there, which clients are generated from: it stays.
"""

from importlib.metadata import version
from typing import Annotated, Any, Literal

import msgspec
from esdh_core import DEFAULT_RECORDS, DEFAULT_SEED, Dataset, Table, canonical_id
from msgspec import Meta, Struct

from esdh_api.requests import Window
from esdh_api.settings import Settings
from esdh_api.wording import capitalized

__all__ = ["HealthResponse", "PlanSteps", "Responses"]

_Seed = Annotated[int, Meta(description="The effective seed: given again, it gives the same records")]
_Requested = Annotated[int, Meta(description="How many records were asked for")]
_Count = Annotated[int, Meta(description="How many rows the answer has")]


class PlanSteps(Struct, frozen=True):
    """What is generated, in order."""

    steps: Annotated[list[str], Meta(description="Each field as entity.field; GET /plan tells them in full")]


class HealthResponse(Struct, frozen=True):
    """That the app is up, what it generates by default, and what it asks of a client."""

    status: Literal["ok"]
    dataset_version: str
    version: Annotated[str, Meta(description="The version of this app")]
    default_seed: int
    seed: Annotated[int, Meta(description="The default seed")]
    target_records: Annotated[int, Meta(description="The records of the default snapshot")]
    plan: PlanSteps
    api_key_required: Annotated[bool, Meta(description="Whether /generate and /records need X-API-Key")]
    max_records: Annotated[int, Meta(description="The most records of one request")]


HealthResponse.__name__ = "HealthAnswer"


class Responses:
    """The answers of one dataset: a Struct for the rows of each table, one for a bundle and one for a record."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.metadata_type: type[Struct] = type(dataset.metadata({}, DEFAULT_SEED))
        tables, metadata = dataset.tables, ("metadata", self.metadata_type)
        window: list[Any] = [("seed", _Seed), ("records_requested", _Requested)]
        self.table_types: dict[Table, type[Struct]] = {
            table: _struct(table.entity, [metadata, _rows(table), ("record_count", _Count), *window])
            for table in tables
        }
        self.bundle_type = _struct("bundle", [metadata, *map(_rows, tables), *window])
        self.record_type = _struct(
            "record",
            [
                ("id", str),
                ("seed", _Seed),
                ("dataset_version", str),
                ("entity", Annotated[str, Meta(description="The entity that the id names")]),
                ("index", Annotated[int, Meta(description="The record's number in its data set, from 0")]),
                *((table.entity, table.record) for table in tables),
            ],
        )

    def rows(self, table: Table, window: Window) -> list[Struct]:
        """Return a table's rows of a window."""
        return self.dataset.rows(table.name, window.records, window.seed, window.start)

    def table(self, table: Table, window: Window) -> Struct:
        """Return the answer with a table's rows of a window; its metadata counts every table's."""
        block = self.dataset.block(window.start, window.records, window.seed)
        rows = table.structs(self.dataset.block_of(table, block))
        counts = {
            each.name: len(self.dataset.block_of(each, block).level(each).slots)
            for each in self.dataset.tables
        }
        metadata = self.dataset.metadata(counts, window.seed)
        return self.table_types[table](metadata, rows, len(rows), window.seed, window.records)

    def bundle(self, window: Window) -> Struct:
        """Return the answer with every table's rows of a window."""
        bundle = self.dataset.bundle(window.records, window.seed, window.start)
        return self.bundle_type(*msgspec.structs.astuple(bundle), window.seed, window.records)

    def record(self, id: str) -> Any:  # noqa: A002 - the field's name
        """Return the answer with the record behind an id.

        Raises IdError, with the reason, for an id that is not ours.
        """
        origin, *rows = self.dataset.reproduce(id)
        return self.record_type(
            canonical_id(id), origin.seed, origin.dataset_version, origin.entity, origin.index, *rows
        )

    def health(self, settings: Settings) -> HealthResponse:
        """Return what an app with these settings says of itself."""
        steps = [f"{table.entity}.{name}" for table in self.dataset.tables for name in table.fields]
        return HealthResponse(
            status="ok",
            dataset_version=self.dataset.dataset_version,
            version=version("esdh-api"),
            default_seed=DEFAULT_SEED,
            seed=DEFAULT_SEED,
            target_records=DEFAULT_RECORDS,
            plan=PlanSteps(steps),
            api_key_required=settings.api_key is not None,
            max_records=settings.max_records,
        )


def _struct(name: str, fields: list[Any]) -> type[Struct]:
    return msgspec.defstruct(f"{capitalized(name)}Answer", fields, frozen=True)


def _rows(table: Table) -> Any:
    return table.name, list[table.record]  # type: ignore[name-defined]  # a list of this table's Struct

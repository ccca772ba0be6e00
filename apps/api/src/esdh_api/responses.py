"""The bodies of the API's answers, as Structs: what is encoded is what the OpenAPI document describes.

A Struct's `__name__` is the name of its schema there, which clients are generated from: it stays.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from importlib.metadata import version
from typing import Annotated, Any, Literal

import msgspec
from esdh_core import (
    DEFAULT_RECORDS,
    DEFAULT_SEED,
    Block,
    Dataset,
    IdError,
    RequestError,
    Table,
    bare_id,
    canonical_id,
    locate_row,
)
from msgspec import Meta, Raw, Struct

from esdh_api.errors import InvalidRequestError
from esdh_api.negotiation import RowFormat
from esdh_api.requests import Window
from esdh_api.row_cache import Part, RowCache, Rows, Selection
from esdh_api.rows import block_structs, is_wide, json_structs, json_texts
from esdh_api.settings import Settings
from esdh_api.wording import capitalized

__all__ = ["HealthResponse", "PlanSteps", "Responses", "TreeRow", "check_rows", "find_record"]

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


class TreeRow(Struct, frozen=True):
    """A row of a record with the rows below it."""

    table: str
    id: Annotated[str, Meta(description="The row's id, also where no field of the table holds it")]
    slot: Annotated[int, Meta(description="The row's address in its table")]
    row: Any
    below: Annotated[
        dict[str, list["TreeRow"]],
        Meta(description="The rows that hang below it, in order, by each table below its own"),
    ]


class Responses:
    """The answers of one dataset: a Struct for the rows of each table, one for a bundle and one for a record."""

    def __init__(self, dataset: Dataset, cache: RowCache | None = None) -> None:
        """Take a dataset, and where its rows are kept for further requests: nowhere unless given."""
        self.dataset = dataset
        self._rows = Rows(dataset, cache or RowCache(0))
        self.metadata_type: type[Struct] = type(dataset.metadata({}, DEFAULT_SEED))
        tables, metadata = dataset.tables, ("metadata", self.metadata_type)
        window: list[Any] = [("seed", _Seed), ("records_requested", _Requested)]
        self.table_types: dict[Table, type[Struct]] = {
            table: _struct(
                table.entity, [metadata, _rows(table), ("record_count", _Count), *window], "tables"
            )
            for table in tables
        }
        self.bundle_type = _struct("bundle", [metadata, *map(_rows, tables), *window])
        self.record_type = _struct("record", self._record_fields())
        trees: list[Any] = [metadata, ("records", list[TreeRow]), *window]
        self.trees_type = _struct("recordTrees", trees)

    def _record_fields(self) -> list[Any]:
        said: list[Any] = [("id", str), ("seed", _Seed), ("dataset_version", str)]
        if self.dataset.recipe is not None:
            return [
                *said,
                ("table", Annotated[str, Meta(description="The table that the id names")]),
                ("slot", Annotated[int, Meta(description="The row's address in its table")]),
                ("row", Any),
                ("parents", dict[str, Any]),
            ]
        return [
            *said,
            ("entity", Annotated[str, Meta(description="The entity that the id names")]),
            ("index", Annotated[int, Meta(description="The record's number in its data set, from 0")]),
            *((table.entity, table.record) for table in self.dataset.tables),
        ]

    def wide_fields(self, table: Table) -> set[str]:
        """Return the fields of a table whose numbers are texts in JSON."""
        columns = table.columns(self.dataset.block_of(table, self.dataset.block(0, 1, DEFAULT_SEED)))
        return {name for name, column in columns.items() if is_wide(column)}

    def expected_rows(self, tables: Iterable[Table], records: int) -> Fraction:
        """Return how many rows so many records have on average; of a fixed table, how many it has."""
        return sum(((table.top.rows or records) * table.mean for table in tables), Fraction(0))

    def rows(self, table: Table, window: Window, row_format: RowFormat) -> bytes:
        """Return a table's rows of a window in a format.

        Raises InvalidRequestError for records that the dataset has no room for, here and below.
        """
        part = Part(table, row_format.encode)
        return row_format.body(table, self._select(window, [part]).texts(part))

    def table(self, table: Table, window: Window) -> Struct:
        """Return the answer with a table's rows of a window; its metadata counts every table's."""
        part = Part(table, json_texts)
        selection = self._select(window, [part], self.dataset.tables)
        rows = selection.texts(part)
        metadata = self._metadata(selection, self.dataset.tables, window)
        return self.table_types[table](metadata, _array(rows), len(rows), window.seed, window.records)

    def bundle(self, window: Window) -> Struct:
        """Return the answer with every table's rows of a window."""
        parts = [Part(table, json_texts) for table in self.dataset.tables]
        selection = self._select(window, parts)
        metadata = self._metadata(selection, self.dataset.tables, window)
        rows = [_array(selection.texts(part)) for part in parts]
        return self.bundle_type(metadata, *rows, window.seed, window.records)

    @property
    def tree_tables(self) -> list[Table]:
        """The tables that a record has rows of: all but the fixed ones, parents first."""
        return _tables_of_a_record(self.dataset)

    def trees(self, window: Window) -> Struct:
        """Return the answer with the records of a window, each a row of the root with all rows below it."""
        part = Part(self.dataset.root, _tree_texts)
        selection = self._select(window, [part])
        metadata = self._metadata(selection, self.tree_tables, window)
        return self.trees_type(metadata, _array(selection.texts(part)), window.seed, window.records)

    def _select(self, window: Window, parts: Sequence[Part], counted: Iterable[Table] = ()) -> Selection:
        try:
            return self._rows.select(window, parts, counted)
        except RequestError as error:
            raise InvalidRequestError(str(error)) from error

    def _metadata(self, selection: Selection, tables: Iterable[Table], window: Window) -> Any:
        counts = {table.name: selection.count(table) for table in tables}
        return self.dataset.metadata(counts, window.seed)

    def record(self, id: str) -> Any:  # noqa: A002 - the field's name
        """Return the answer with the record behind an id; of a plan, with the row and those above it.

        Raises IdError, with the reason, for an id that is not ours.
        """
        if self.dataset.recipe is not None:
            found = locate_row(self.dataset, id)
            (row,) = json_structs(found.table, found.row)
            above = {
                name: json_structs(self.dataset.table(name), columns)[0]
                for name, columns in found.parents.items()
            }
            origin = found.origin
            return self.record_type(
                found.id, origin.seed, origin.dataset_version, found.table.name, origin.index, row, above
            )
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


def check_rows(responses: Responses, tables: Sequence[Table], window: Window, settings: Settings) -> None:
    """Raise InvalidRequestError where a plan's answer with some tables would have too many rows.

    A record of a plan may have any number of rows, so that the limit on records alone bounds nothing.
    """
    if responses.dataset.recipe is None:
        return
    expected = responses.expected_rows(tables, window.records)
    if expected <= settings.max_rows:
        return
    fixed = sum(table.top.rows * table.mean for table in tables if table.top.rows is not None)
    a_record = sum(table.mean for table in tables if table.top.rows is None)
    within = max(0, int((settings.max_rows - fixed) / a_record)) if a_record else 0
    of = f"of {tables[0].name}" if len(tables) == 1 else "of all tables"
    if not a_record:
        remedy = "the table is fixed and comes whole: take a snapshot"
    elif not within:
        remedy = f"not even one record is within that{' beside the fixed tables' if fixed else ''}: take a snapshot"
    else:
        remedy = (
            f"at most {within} would be within that: ask for further windows with 'start', or take a snapshot"
        )
    raise InvalidRequestError(
        f"'records' is {window.records}, for which {round(expected)} rows {of} are to be expected, more than the "
        f"{settings.max_rows} of one answer; {remedy}"
    )


def find_record(known: Sequence[Responses], id: str) -> Any:  # noqa: A002 - the field's name
    """Return the answer with the record behind an id of the first dataset that knows it.

    Raises IdError, with the reason, for an id of none of them.
    """
    if len(known) == 1:
        return known[0].record(id)
    bare = bare_id(id)  # what is no id at all gets its own message
    for responses in known:
        try:
            responses.dataset.ids.decode(id)
        except IdError:
            continue
        return responses.record(id)
    served = ", ".join(each.dataset.dataset_version for each in known)
    # The ids of plans have no ordinal.
    needed = (
        f"; of a plan it would be of seed {bare.seed}, of the table with tag {bare.tag}, slot {bare.slot}"
    )
    raise IdError(
        f"{canonical_id(id)!r} is the id of no dataset that is served here ({served})"
        f"{'' if bare.ordinal else needed}"
    )


def _struct(name: str, fields: list[Any], room: str = "answers") -> type[Struct]:
    """Return a Struct; the `room` tells an answer of ours from that of a table of the same name."""
    title = f"{capitalized(name)}Answer"
    return msgspec.defstruct(title, fields, frozen=True, module=f"{__name__}.{room}")


def _array(texts: list[bytes]) -> Raw:
    return Raw(b"[" + b",".join(texts) + b"]")


def _tables_of_a_record(dataset: Dataset) -> list[Table]:
    return [table for table in dataset.tables if table.top is dataset.root]


def _tree_texts(root: Table, block: Block) -> list[bytes]:
    """Return the records of a block, each a JSON object of its row of the root and all rows below it."""
    tables = _tables_of_a_record(block.dataset)
    rows_of: dict[Table, list[TreeRow]] = {}
    for table in tables:
        level = block.level(table)
        ids = block.dataset.ids.texts(block.seed, table.entity, level.slots)
        children = [each.name for each in tables if each.parent is table]
        rows_of[table] = [
            TreeRow(table.name, own.tobytes().decode(), slot, row, {name: [] for name in children})
            for own, slot, row in zip(ids, level.slots.tolist(), block_structs(table, block), strict=True)
        ]
        if table.parent is not None:
            above = rows_of[table.parent]
            parents = range(len(above)) if level.parents is None else level.parents.tolist()
            for parent, each in zip(parents, rows_of[table], strict=True):
                above[parent].below[table.name].append(each)
    return list(map(msgspec.json.encode, rows_of[root]))


def _rows(table: Table) -> Any:
    return table.name, list[table.record]  # type: ignore[name-defined]  # a list of this table's Struct

"""The bodies of the API's answers, as Structs: what is encoded is what the OpenAPI document describes.

A Struct's `__name__` is the name of its schema there, which clients are generated from: it stays.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from importlib.metadata import version
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
from esdh_core import (
    DEFAULT_RECORDS,
    DEFAULT_SEED,
    Block,
    Dataset,
    IdError,
    Located,
    RequestError,
    Table,
    bare_id,
    canonical_id,
    locate_row,
)
from esdh_core.overlay import LABELS, LabelRow
from msgspec import Meta, Raw, Struct

from esdh_api.defects import Lists
from esdh_api.errors import InvalidRequestError
from esdh_api.negotiation import RowFormat
from esdh_api.requests import Window, check_defects
from esdh_api.row_cache import Part, RowCache, Rows, Selection
from esdh_api.rows import Structs, block_structs, is_wide, json_structs, json_texts
from esdh_api.settings import Settings
from esdh_api.struck import PlacedLabel, StruckBlock, find_struck, label_rows
from esdh_api.wording import capitalized

__all__ = ["AnswerTypes", "HealthResponse", "PlanSteps", "Responses", "TreeRow", "check_rows", "find_record"]

_Seed = Annotated[int, Meta(description="The effective seed: given again, it gives the same records")]
_Requested = Annotated[int, Meta(description="How many records were asked for")]
_Count = Annotated[int, Meta(description="How many rows the answer has")]
_WrongRow = Annotated[
    dict[str, Any],
    Meta(description="A row as the defects leave it: any of its values may be null or another's"),
]
_RowOrNone = Annotated[
    dict[str, Any] | None, Meta(description="The row as the defects leave it; null where they leave none")
]
_Labels = Annotated[list[LabelRow], Meta(description="What is wrong, in the order of the rows")]
_PlacedLabels = Annotated[list[PlacedLabel], Meta(description="What is wrong in these rows, in their order")]


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


class AnswerTypes(NamedTuple):
    """The Structs of a dataset's answers: for the rows of each table, a bundle, a record and records as trees."""

    tables: dict[Table, type[Struct]]
    bundle: type[Struct]
    record: type[Struct]
    trees: type[Struct]

    @classmethod
    def of(cls, dataset: Dataset, metadata_type: type[Struct]) -> "AnswerTypes":
        """Return those of clean rows."""
        metadata, rows = ("metadata", metadata_type), [_rows(table) for table in dataset.tables]
        return cls(
            {
                table: _struct(table.entity, [metadata, own, ("record_count", _Count), *_WINDOW], "tables")
                for table, own in zip(dataset.tables, rows, strict=True)
            },
            _struct("bundle", [metadata, *rows, *_WINDOW]),
            _struct("record", [*_said(dataset), *_record_rows(dataset)]),
            _struct("recordTrees", [metadata, ("records", list[TreeRow]), *_WINDOW]),
        )

    @classmethod
    def with_labels(cls, dataset: Dataset, metadata_type: type[Struct]) -> "AnswerTypes":
        """Return those of rows over which defects are laid, with the labels beside them; the labels alone are a table too."""
        metadata, labels = ("metadata", metadata_type), ("defects", _Labels)
        placed = ("defects", _PlacedLabels)
        rows: list[Any] = [(table.name, list[_WrongRow]) for table in dataset.tables]
        counted = ("record_count", _Count)
        tables = {
            table: _struct(f"labelled{capitalized(table.entity)}", [metadata, own, counted, placed, *_WINDOW])
            for table, own in zip(dataset.tables, rows, strict=True)
        }
        tables[LABELS] = _struct("labels", [metadata, labels, counted, *_WINDOW])
        clean = Annotated[
            dict[str, Any],
            Meta(description="The rows as they are without defects, by the names that they have above"),
        ]
        wrong = [(name, _RowOrNone if name != "parents" else of) for name, of in _record_rows(dataset)]
        return cls(
            tables,
            _struct("labelledBundle", [metadata, *rows, placed, *_WINDOW]),
            _struct("labelledRecord", [*_said(dataset), *wrong, ("clean", clean), labels]),
            _struct("labelledRecordTrees", [metadata, ("records", list[_WrongRow]), labels, *_WINDOW]),
        )


_WINDOW: list[Any] = [("seed", _Seed), ("records_requested", _Requested)]


def _said(dataset: Dataset) -> list[Any]:
    """Return the fields of what an id says."""
    said: list[Any] = [("id", str), ("seed", _Seed), ("dataset_version", str)]
    if dataset.recipe is not None:
        return [
            *said,
            ("table", Annotated[str, Meta(description="The table that the id names")]),
            ("slot", Annotated[int, Meta(description="The row's address in its table")]),
        ]
    return [
        *said,
        ("entity", Annotated[str, Meta(description="The entity that the id names")]),
        ("index", Annotated[int, Meta(description="The record's number in its data set, from 0")]),
    ]


def _record_rows(dataset: Dataset) -> list[Any]:
    """Return the fields of the rows that are given for an id."""
    if dataset.recipe is not None:
        return [("row", Any), ("parents", dict[str, Any])]
    return [(table.entity, table.record) for table in dataset.tables]


class Responses:
    """The answers of one dataset, each a Struct; where a request names a list of defects, with these and their labels."""

    def __init__(self, dataset: Dataset, cache: RowCache | None = None, lists: Lists | None = None) -> None:
        """Take a dataset, where its rows are kept for further requests (nowhere unless given), and its lists of defects."""
        self.dataset = dataset
        self.lists = lists or {}
        self._rows = Rows(dataset, cache or RowCache(0))
        self.metadata_type: type[Struct] = type(dataset.metadata({}, DEFAULT_SEED))
        self.types = AnswerTypes.of(dataset, self.metadata_type)

    @cached_property
    def labelled_types(self) -> AnswerTypes:
        """The types of answers with defects."""
        return AnswerTypes.with_labels(self.dataset, self.metadata_type)

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
        if table is LABELS:
            labels = label_rows(self._struck(window).labels(self.dataset.tables))
            return row_format.body(table, row_format.lines(labels))
        part = Part(table, row_format.encode)
        return row_format.body(table, self._select(window, [part]).texts(part))

    def table(self, table: Table, window: Window) -> Struct:
        """Return the answer with a table's rows of a window; its metadata counts every table's."""
        if table is LABELS:
            return self._labels(window)
        part = Part(table, json_texts)
        selection = self._select(window, [part], self.dataset.tables)
        rows = selection.texts(part)
        head = {"metadata": self._metadata(selection, self.dataset.tables, window), table.name: _array(rows)}
        types, labels = self._labelled(selection, [table])
        return types.tables[table](**head, record_count=len(rows), **labels, **_of(window))

    def _labels(self, window: Window) -> Struct:
        found = self._struck(window)
        labels = label_rows(found.labels(self.dataset.tables))
        metadata = self._metadata(found, self.dataset.tables, window)
        return self.labelled_types.tables[LABELS](metadata, labels, len(labels), window.seed, window.records)

    def bundle(self, window: Window) -> Struct:
        """Return the answer with every table's rows of a window."""
        parts = [Part(table, json_texts) for table in self.dataset.tables]
        selection = self._select(window, parts)
        metadata = self._metadata(selection, self.dataset.tables, window)
        rows = {part.table.name: _array(selection.texts(part)) for part in parts}
        types, labels = self._labelled(selection, self.dataset.tables)
        return types.bundle(metadata=metadata, **rows, **labels, **_of(window))

    @property
    def tree_tables(self) -> list[Table]:
        """The tables that a record has rows of: all but the fixed ones, parents first."""
        return _tables_of_a_record(self.dataset)

    def trees(self, window: Window) -> Struct:
        """Return the answer with the records of a window, each a row of the root with all rows below it."""
        part = Part(self.dataset.root, _tree_texts)
        selection = self._select(window, [part])
        metadata = self._metadata(selection, self.tree_tables, window)
        if isinstance(selection, Selection):
            return self.types.trees(metadata, _array(selection.texts(part)), window.seed, window.records)
        labels = label_rows(selection.labels(self.tree_tables))
        records = _struck_trees(self.dataset, selection)
        return self.labelled_types.trees(metadata, records, labels, window.seed, window.records)

    def _select(
        self, window: Window, parts: Sequence[Part], counted: Iterable[Table] = ()
    ) -> Selection | StruckBlock:
        if window.defects is not None:
            return self._struck(window)
        try:
            return self._rows.select(window, parts, counted)
        except RequestError as error:
            raise InvalidRequestError(str(error)) from error

    def _struck(self, window: Window) -> StruckBlock:
        """Return the records of a window with the list of defects that it names."""
        check_defects(window.defects, self.lists)
        try:
            return StruckBlock.of_window(self.lists[window.defects or ""].overlay, window)
        except RequestError as error:
            raise InvalidRequestError(str(error)) from error

    def _labelled(
        self, selection: Selection | StruckBlock, tables: Iterable[Table]
    ) -> tuple[AnswerTypes, dict[str, Any]]:
        """Return the types of an answer, and the fields that it has besides: the labels of some tables, where there are defects."""
        if isinstance(selection, Selection):
            return self.types, {}
        return self.labelled_types, {"defects": selection.placed_labels(tables)}

    def _metadata(self, selection: Selection | StruckBlock, tables: Iterable[Table], window: Window) -> Any:
        counts = {table.name: selection.count(table) for table in tables}
        return self.dataset.metadata(counts, window.seed)

    def record(self, id: str, defects: str | None = None) -> Any:  # noqa: A002 - the field's name
        """Return the answer with the record behind an id; of a plan, with the row and those above it.

        With the name of a list of defects these are as it leaves them, beside the clean ones and the labels. Raises IdError, with
        the reason, for an id that is not ours.
        """
        if defects is not None:
            return self._struck_record(id, defects)
        found = locate_row(self.dataset, id)
        return self.types.record(*_head(found), **self._parts(found, self._clean_rows(found)))

    def _struck_record(self, id: str, defects: str) -> Any:  # noqa: A002 - the field's name
        check_defects(defects, self.lists)
        try:
            found, struck = find_struck(self.lists[defects].overlay, id)
        except RequestError as error:
            raise InvalidRequestError(str(error)) from error
        # Of the default dataset the rows of one number, of a plan the row and those above it.
        places = (
            found.line if self.dataset.recipe is not None else dict.fromkeys(self.dataset.tables, found.place)
        )
        wrong: dict[Table, Struct | None] = {}
        labels = []
        for table, place in places.items():
            slot = found.block.level(table).slots[place] if table is not found.table else found.origin.index
            rows = zip(struck.rows(table), struck.structs(table, struck.block_of(table)), strict=True)
            wrong[table] = next((row for written, row in rows if written.slot == slot), None)
            labels += [label for label in struck.labels([table]) if label.slot == slot]
        return self.labelled_types.record(
            *_head(found),
            **self._parts(found, wrong),
            clean=self._parts(found, self._clean_rows(found)),
            defects=label_rows(labels),
        )

    def _clean_rows(self, found: Located) -> dict[Table, Struct]:
        """Return the rows of an answer about an id: of a plan the row and those above it, else those of one number."""
        if self.dataset.recipe is None:
            return {table: block_structs(table, found.block)[0] for table in self.dataset.tables}
        rows = {found.table.name: found.row, **found.parents}
        return {table: json_structs(table, rows[table.name])[0] for table in found.line}

    def _parts(self, found: Located, rows: Mapping[Table, Struct | None]) -> dict[str, Any]:
        """Return these rows by the names that they have in the answer."""
        if self.dataset.recipe is None:
            return {table.entity: row for table, row in rows.items()}
        parents = {table.name: row for table, row in rows.items() if table is not found.table}
        return {"row": rows[found.table], "parents": parents}

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


def find_record(known: Sequence[Responses], id: str, defects: str | None = None) -> Any:  # noqa: A002 - the field's name
    """Return the answer with the record behind an id of the first dataset that knows it, with its list of defects of a name.

    Raises IdError, with the reason, for an id of none of them.
    """
    if len(known) == 1:
        return known[0].record(id, defects)
    bare = bare_id(id)  # what is no id at all gets its own message
    for responses in known:
        try:
            responses.dataset.ids.decode(id)
        except IdError:
            continue
        return responses.record(id, defects)
    served = ", ".join(each.dataset.dataset_version for each in known)
    # The ids of plans have no ordinal.
    needed = (
        f"; of a plan it would be of seed {bare.seed}, of the table with tag {bare.tag}, slot {bare.slot}"
    )
    raise IdError(
        f"{canonical_id(id)!r} is the id of no dataset that is served here ({served})"
        f"{'' if bare.ordinal else needed}"
    )


def _head(found: Located) -> tuple[str, int, str, str, int]:
    """Return what an id says, in the order of an answer's fields."""
    origin = found.origin
    name = origin.entity if found.block.dataset.recipe is None else found.table.name
    return found.id, origin.seed, origin.dataset_version, name, origin.index


def _of(window: Window) -> dict[str, int]:
    return {"seed": window.seed, "records_requested": window.records}


def _struct(name: str, fields: list[Any], room: str = "answers") -> type[Struct]:
    """Return a Struct; the `room` tells an answer of ours from that of a table of the same name."""
    title = f"{capitalized(name)}Answer"
    return msgspec.defstruct(title, fields, frozen=True, module=f"{__name__}.{room}")


def _array(texts: list[bytes]) -> Raw:
    return Raw(b"[" + b",".join(texts) + b"]")


def _tables_of_a_record(dataset: Dataset) -> list[Table]:
    return [table for table in dataset.tables if table.top is dataset.root]


def _tree_texts(root: Table, block: Block, structs: Structs) -> list[bytes]:
    """Return the records of a block, each a JSON object of its row of the root and all rows below it."""
    tables = _tables_of_a_record(block.dataset)
    rows_of: dict[Table, list[TreeRow]] = {}
    for table in tables:
        rows_of[table] = _tree_rows(table, block, block.level(table).slots.tolist(), structs(table, block))
        if table.parent is not None:
            for parent, each in zip(_parents(table, block), rows_of[table], strict=True):
                rows_of[table.parent][parent].below[table.name].append(each)
    return list(map(msgspec.json.encode, rows_of[root]))


def _struck_trees(dataset: Dataset, struck: StruckBlock) -> list[TreeRow]:
    """Return records with defects as trees: rows below the row that they are of, and where one is missing a place without."""
    tables = _tables_of_a_record(dataset)
    places_of: dict[Table, list[TreeRow]] = {}  # one for each clean row: those below it hang there
    listed: list[TreeRow] = []
    for table in tables:
        block, written = struck.block_of(table), struck.rows(table)
        slots = block.level(table).slots.tolist()
        nodes = _tree_rows(table, block, [row.slot for row in written], struck.structs(table, block))
        first = {
            row.place: at for at, row in reversed(list(enumerate(written))) if row.slot == slots[row.place]
        }
        empty = _tree_rows(table, block, slots, [None] * len(slots))
        places_of[table] = [
            nodes[first[place]] if place in first else empty[place] for place in range(len(slots))
        ]
        absent = [place for place in reversed(range(len(slots))) if place not in first]
        in_order: list[tuple[int, TreeRow]] = []
        for row, node in zip(written, nodes, strict=True):
            while absent and absent[-1] < row.place:
                in_order.append((absent[-1], empty[absent.pop()]))
            in_order.append((row.place, node))
        in_order += [(place, empty[place]) for place in reversed(absent)]
        if table.parent is None:
            listed = [node for _, node in in_order]
        else:
            parents = list(_parents(table, block))
            for place, node in in_order:
                places_of[table.parent][parents[place]].below[table.name].append(node)
    return listed


def _tree_rows(table: Table, block: Block, slots: Sequence[int], rows: Sequence[Any]) -> list[TreeRow]:
    """Return rows of a table, with nothing below them yet."""
    ids = block.dataset.ids.texts(block.seed, table.entity, np.array(slots, dtype=np.uint64))
    children = [each.name for each in _tables_of_a_record(block.dataset) if each.parent is table]
    return [
        TreeRow(table.name, own.tobytes().decode(), slot, row, {name: [] for name in children})
        for own, slot, row in zip(ids, slots, rows, strict=True)
    ]


def _parents(table: Table, block: Block) -> Iterable[int]:
    """Return for each row of a table the place of the row above it."""
    level = block.level(table)
    return range(len(level.slots)) if level.parents is None else level.parents.tolist()


def _rows(table: Table) -> Any:
    return table.name, list[table.record]  # type: ignore[name-defined]  # a list of this table's Struct

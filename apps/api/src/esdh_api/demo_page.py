"""The demo page of a dataset: its HTML names the tables, and its script reads from there what it draws of them.

What is drawn of a field follows from its type, its rule's role and the statistics that its table keeps.
"""

import shlex
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec
from esdh_core import DEFAULT_DATASET, Dataset, Table
from esdh_core.rules import Rule
from esdh_core.schema import FieldSchema
from esdh_core.stats import Statistic
from flask import render_template_string

from esdh_api.defects import DefectList, Lists
from esdh_api.settings import Settings
from esdh_api.wording import a_row_of, capitalized, joined, with_ids

__all__ = ["PAGE_FILES", "Offered", "demo_html"]

PAGE_FILES = {
    "demo.css": "text/css",
    **{f"{name}.js": "text/javascript" for name in ("demo", "elements", "values", "pictures", "tree")},
}
"""What the page is made of beside its HTML, with the media types."""

_EVERY = {2: "both", 3: "all three", 4: "all four", 5: "all five"}
_RECORDS_AT_FIRST = 25
_MOST_LABELS = 100  # of a field without declared shares; with more, names say, each label has next to no rows
_MOST_IN_BRIEF = 6
_MOST_KINDS = 4


class Offered(NamedTuple):
    """A plan that the page leads to: its dataset, its own page from the app's root, and what `--plan` named it by."""

    dataset: Dataset
    page: str
    reference: str


def demo_html(
    dataset: Dataset, settings: Settings, offered: Sequence[Offered], top: str, lists: Lists
) -> bytes:
    """Return the page's HTML; `top` leads from the page to the app's root, and `lists` are the dataset's of defects."""
    template = files("esdh_api").joinpath("page", "demo.html").read_text("utf-8")
    most = [_RECORDS_AT_FIRST, settings.max_records, dataset.max_records]
    if dataset.recipe is not None:
        most.append(settings.max_rows)
    page = render_template_string(
        template,
        tables=[
            (table.entity, capitalized(table.name.replace("_", " ")), table is dataset.root)
            for table in dataset.tables
        ],
        table_word="Table" if dataset.root.singular is None else "Entity",
        bundle_hint=_bundle_hint(dataset),
        rows=joined([a_row_of(table) for table in with_ids(dataset)], "or"),
        records=min(most),
        plans=[
            (each.dataset.dataset_version, f"{top}{each.page}", each.dataset is dataset) for each in offered
        ],
        lists=[(name, f"{name}: {_kinds(each)}") for name, each in lists.items()],
        dataset=msgspec.json.encode(_for_script(dataset, offered, top) | _defects(lists)).decode(),
    )
    return page.encode()


def _bundle_hint(dataset: Dataset) -> str:
    if not all(table.one_a_record for table in dataset.tables):
        return "The bundle is every table's rows of the same records."
    count = len(dataset.tables)
    if count == 1:
        return "The bundle has this table alone."
    names = capitalized(joined([table.entity for table in dataset.tables]))
    return f"{names} of one number belong together; the bundle is {_EVERY.get(count, f'all {count}')}."


def _for_script(dataset: Dataset, offered: Sequence[Offered], top: str) -> dict[str, Any]:
    """Return what the page's script must know and `/plan` doesn't have."""
    return {
        "version": dataset.dataset_version,
        "names": joined([table.name for table in dataset.tables]),
        "tables": [_table(dataset, table) for table in dataset.tables],
        "pictures": _curated(dataset) if dataset.pictures else _pictures(dataset),
        "option": _option(dataset, offered),
        "trees": dataset.recipe is not None,
        "plans": [{"version": each.dataset.dataset_version, "page": f"{top}{each.page}"} for each in offered],
        # What `/plan` gives of a plan is its recipe; this tells its fields as `/plan` tells the default dataset's.
        **({} if dataset.recipe is None else {"plan": _fields(dataset)}),
    }


def _kinds(defects: DefectList) -> str:
    """Return the first kinds of a list, as people read them."""
    kinds = defects.kinds
    return ", ".join(kinds[:_MOST_KINDS]) + (" ..." if len(kinds) > _MOST_KINDS else "")


def _defects(lists: Lists) -> dict[str, Any]:
    """Return what the script must know of lists of defects: nothing, where there are none."""
    if not lists:
        return {}
    from esdh_plan.defects.overlay import ROW_KINDS

    return {
        "lists": {name: {"option": each.option} for name, each in lists.items()},
        "rowKinds": {kind: ROW_KINDS[kind].about for kind in ROW_KINDS},
    }


def _option(dataset: Dataset, offered: Sequence[Offered]) -> str | None:
    """Return the option by which `esdh` makes a dataset: none for the default one; None where nobody can say."""
    if dataset is DEFAULT_DATASET:
        return ""
    references = [each.reference for each in offered if each.dataset is dataset]
    return f"--plan {shlex.quote(references[0])}" if references else None


def _fields(dataset: Dataset) -> dict[str, Any]:
    plan = dataset.plan
    tables = [msgspec.structs.replace(table, statistics=[]) for table in plan.entities]
    return {"dataset_version": plan.dataset_version, "entities": tables}


def _table(dataset: Dataset, table: Table) -> dict[str, Any]:
    """Return a table's names, what a row and several are called, where it hangs, and what its fields hold."""
    return {
        "entity": table.entity,
        "name": table.name,
        "units": [table.singular, table.name]
        if table.singular
        else [f"row of {table.name}", f"rows of {table.name}"],
        "id": table.field_with("id"),
        "ids": [rule.name for rule in table.rules if dataset.origin(rule).role == "id"],
        "types": {field.name: field.type for field in table.schema},
        "brief": [rule.name for rule in table.rules if _tells(dataset, table, rule)][:_MOST_IN_BRIEF],
        "parent": None if table.parent is None else table.parent.name,
        "span": str(table.span),  # it may be more than a number of JavaScript holds
        # Of another table the rows are counted, whole or from the window's first.
        **({} if table.one_a_record else {"counted": "whole" if table.is_fixed else "window"}),
    }


def _tells(dataset: Dataset, table: Table, rule: Rule) -> bool:
    """Return whether a field tells rows of one parent apart: an id does, but not to a reader."""
    if dataset.origin(rule).role in ("id", "marker"):
        return False
    source = dataset.copied(rule)
    return source is None or rule.picked or source.table is table


# Pictures


def _curated(dataset: Dataset) -> list[dict[str, Any]]:
    """Return the pictures that a dataset names: statistics, in its order."""
    return [
        {
            **_picture(table, statistic.name, statistic.field, "labels", statistic),
            "shared": True,  # tables that count the same have one picture
            "ordered": statistic.ordered,
            # Whole years up to the reference date.
            "years": _schema(table, statistic.field).type == "date",
        }
        for name in dataset.pictures
        for table in dataset.tables
        for statistic in table.statistics
        if statistic.name == name
    ]


def _pictures(dataset: Dataset) -> list[dict[str, Any]]:
    """Return a picture of each field whose values are worth counting, table by table."""
    return [picture for table in dataset.tables for picture in _of_table(dataset, table)]


def _of_table(dataset: Dataset, table: Table) -> Iterator[dict[str, Any]]:
    counted = _counted_by(dataset, table)
    if counted is not None and table.parent is not None:
        title = f"{table.name} for each of {table.parent.name}"
        yield {**_picture(table, title, counted, "counts"), "of": table.parent.name}
    for rule, schema in zip(table.rules, table.schema, strict=True):
        own = [each for each in table.statistics if each.field == rule.name]
        nulls = next((each for each in own if each.name == f"{table.name}.{rule.name}.nulls"), None)
        values = next((each for each in own if each is not nulls), None)
        kind = _kind(dataset, rule, schema, values)
        title = rule.name if values is None or "." in values.name else values.name
        if kind is None and schema.nullable:
            yield _picture(table, title, rule.name, "nulls", nulls)
        elif kind is not None:
            yield {**_picture(table, title, rule.name, kind, values), "nulls": _shares(nulls).get("null")}


def _picture(
    table: Table, title: str, name: str, kind: str, statistic: Statistic | None = None
) -> dict[str, Any]:
    schema = _schema(table, name)
    return {
        "table": table.name,
        "title": title,
        "field": name,
        "kind": kind,
        "type": schema.type,
        "unit": 10.0**-schema.scale,  # the least difference of two values
        "shares": _shares(statistic) or None,
    }


def _kind(dataset: Dataset, rule: Rule, schema: FieldSchema, values: Statistic | None) -> str | None:
    """Return how a field's values are drawn: as labels, numbers or dates; None for those that aren't."""
    if dataset.origin(rule).role in ("id", "unique", "marker"):
        return None
    if schema.type in ("date", "timestamp"):
        return "dates"
    if schema.type in ("integer", "decimal"):
        return "numbers"
    if schema.type == "boolean":
        return "labels"
    labels = schema.constraints.get("enum", ())
    few = 2 <= len(labels) <= _MOST_LABELS
    declared = values is not None and values.expected is not None and len(labels) != 1
    return "labels" if few or declared else None


def _counted_by(dataset: Dataset, table: Table) -> str | None:
    """Return the field of a table that names the row above, where that has any number of rows below."""
    if table.count is None:
        return None
    for rule in table.rules:
        reference = dataset.reference(rule)
        if reference is not None and reference.table is table.parent and not rule.picked:
            return rule.name
    return None


def _shares(statistic: Statistic | None) -> dict[str, float]:
    if statistic is None or statistic.expected is None:
        return {}
    return {label: float(share) for label, share in statistic.expected().items()}


def _schema(table: Table, name: str) -> FieldSchema:
    return next(each for each in table.schema if each.name == name)

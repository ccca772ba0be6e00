"""The demo page of a dataset: its HTML names the tables, and its script reads from there what it draws of them."""

from importlib.resources import files
from typing import Any

import msgspec
from esdh_core import DEFAULT_DATASET, Dataset, Table
from esdh_core.stats import ValueTally
from flask import render_template_string

from esdh_api.wording import a_row_of, capitalized, joined, with_ids

__all__ = ["demo_html"]

_EVERY = {1: "the same", 2: "both", 3: "all three", 4: "all four", 5: "all five"}


def demo_html(dataset: Dataset) -> bytes:
    """Return the page's HTML."""
    template = files("esdh_api").joinpath("page", "demo.html").read_text("utf-8")
    page = render_template_string(
        template,
        tables=[
            (table.entity, capitalized(table.name.replace("_", " ")), table is dataset.root)
            for table in dataset.tables
        ],
        bundle_hint=_bundle_hint(dataset),
        rows=joined([a_row_of(table) for table in with_ids(dataset)], "or"),
        dataset=msgspec.json.encode(_for_script(dataset)).decode(),
    )
    return page.encode()


def _bundle_hint(dataset: Dataset) -> str:
    if not all(table.one_a_record for table in dataset.tables):
        return "The bundle is every table's rows of the same records."
    names = capitalized(joined([table.entity for table in dataset.tables]))
    count = len(dataset.tables)
    return f"{names} of one number belong together; the bundle is {_EVERY.get(count, f'all {count}')}."


def _for_script(dataset: Dataset) -> dict[str, Any]:
    """Return what the page's script must know and `/plan` doesn't tell."""
    return {
        "names": joined([table.name for table in dataset.tables]),
        "tables": [_table(dataset, table) for table in dataset.tables],
        "pictures": _pictures(dataset),
        "commands": dataset is DEFAULT_DATASET,  # the only one that `esdh` makes without being told of it
        # What `/plan` gives of a plan is its recipe; this tells its fields as `/plan` tells the default dataset's.
        **({} if dataset.recipe is None else {"plan": dataset.plan}),
    }


def _table(dataset: Dataset, table: Table) -> dict[str, Any]:
    """Return a table's names, what one row and several are called, its id and all its fields that hold ids."""
    return {
        "entity": table.entity,
        "name": table.name,
        "units": [table.singular, table.name]
        if table.singular
        else [f"row of {table.name}", f"rows of {table.name}"],
        "id": table.field_with("id"),
        "ids": [rule.name for rule in table.rules if dataset.origin(rule).role == "id"],
        # Of another table the rows are counted, whole or from the window's first.
        **({} if table.one_a_record else {"counted": "whole" if table.is_fixed else "window"}),
    }


def _pictures(dataset: Dataset) -> list[dict[str, Any]]:
    """Return the statistics that the page draws, with what it must know to count them from rows.

    Those that the dataset names, in that order; else each one that counts values as they are, by name.
    """
    statistics = [
        (table, statistic, next(each for each in table.schema if each.name == statistic.field))
        for table in dataset.tables
        for statistic in table.statistics
        if statistic.name in dataset.pictures or (not dataset.pictures and statistic.tally is ValueTally)
    ]
    names = dataset.pictures or tuple(dict.fromkeys(statistic.name for _, statistic, _ in statistics))
    return [
        {
            "entity": table.entity,
            "name": statistic.name,
            "histogram": statistic.ordered,
            "years": schema.type == "date",  # whole years up to the reference date
        }
        for name in names
        for table, statistic, schema in statistics
        if statistic.name == name
    ]

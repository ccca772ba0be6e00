"""A data contract of the Open Data Contract Standard, version 3, as a source."""

from typing import Any

from esdh_plan.errors import display
from esdh_plan.importing.described import described_column, list_at, mapping, text_at
from esdh_plan.importing.errors import ImportSourceError
from esdh_plan.importing.model import ForeignKey, SourceSchema, SourceTable

__all__ = ["read_odcs"]


def read_odcs(document: dict[str, Any], name: str) -> SourceSchema:
    """Return the tables of a contract's schema. Raises ImportSourceError for another major version."""
    version = document.get("apiVersion")
    if document.get("kind") != "DataContract" or not isinstance(version, str):
        raise ImportSourceError(
            "it is no data contract: `kind: DataContract` and an `apiVersion`, such as v3.0.2, are expected"
        )
    if version.removeprefix("v").partition(".")[0] != "3":
        raise ImportSourceError(
            f"its apiVersion is {display(version)}; version 3 of the Open Data Contract Standard is read"
        )
    schema = SourceSchema(name, [])
    for number, each in enumerate(list_at(document, "schema", "the contract"), 1):
        described = mapping(each, f"schema {number}")
        schema.tables.append(_table(text_at(described, "name", f"schema {number}"), described))
    if not schema.tables:
        raise ImportSourceError("its `schema` has no tables")
    for key in ("quality", "slaProperties"):
        if key in document:
            schema.notes.append(f"{key} of the contract was left out")
    return schema


def _table(name: str, described: dict[str, Any]) -> SourceTable:
    table = SourceTable(name, [], comment=described.get("description"))
    keys: list[tuple[int, str]] = []
    for number, each in enumerate(list_at(described, "properties", name), 1):
        said = mapping(each, f"property {number} of {name}")
        column = text_at(said, "name", f"property {number} of {name}")
        options = mapping(said.get("logicalTypeOptions", {}), f"logicalTypeOptions of {name}.{column}")
        of = str(said.get("logicalType", "string"))
        written = str(said.get("physicalType", ""))
        of = "json" if of in ("object", "array") else of
        table.columns.append(described_column(column, of, {**options, **said}, written=written))
        if said.get("primaryKey") is True:
            table.columns[-1].nullable = False
            place = said.get("primaryKeyPosition")
            keys.append((place if isinstance(place, int) and place > 0 else number, column))
        if "quality" in said:
            table.columns[-1].notes.append("its quality rules aren't held")
        for relation in list_at(said, "relationships", f"{name}.{column}"):
            _relate(table, (column,), mapping(relation, f"a relationship of {name}.{column}"))
    table.primary_key = tuple(column for _, column in sorted(keys))
    for relation in list_at(described, "relationships", name):
        found = mapping(relation, f"a relationship of {name}")
        own = [each.rpartition(".")[2] for each in _paths(found.get("from"))]
        _relate(table, tuple(own), found)
    if "quality" in described:
        table.notes.append("its quality rules aren't held")
    return table


def _paths(value: Any) -> list[str]:
    return [str(each).replace("/", ".") for each in (value if isinstance(value, list) else [value])]


def _relate(table: SourceTable, columns: tuple[str, ...], relation: dict[str, Any]) -> None:
    """Take a foreign key, whose `to` names columns as `table.column`."""
    to = [each.split(".") for each in _paths(relation.get("to"))]
    if not columns or len(to) != len(columns) or any(len(each) < 2 for each in to):
        table.notes.append(
            f"the relationship to {display(relation.get('to'))} was left out: `to` is table.column"
        )
        return
    table.foreign_keys.append(ForeignKey(columns, to[0][-2], tuple(each[-1] for each in to)))

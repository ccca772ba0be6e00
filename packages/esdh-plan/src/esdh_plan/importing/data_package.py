"""A Data Package or a Table Schema as a source: what its resources say of their fields and keys."""

from typing import Any

from esdh_plan.errors import near
from esdh_plan.importing.described import described_column, list_at, mapping, names, text_at
from esdh_plan.importing.errors import ImportSourceError
from esdh_plan.importing.model import ForeignKey, SourceSchema, SourceTable

__all__ = ["read_data_package", "read_table_schema"]


def read_table_schema(document: dict[str, Any], name: str) -> SourceSchema:
    """Return the one table that a Table Schema tells, named as its file."""
    table = _table(name, document, {})
    return SourceSchema(name, [table])


def read_data_package(document: dict[str, Any], name: str) -> SourceSchema:
    """Return the tables of a package's resources; one that stands in several formats is one table."""
    schema = SourceSchema(name, [])
    resources = [
        mapping(each, f"resource {number}")
        for number, each in enumerate(list_at(document, "resources", "the package"), 1)
    ]
    tables = {
        text_at(each, "name", f"resource {number}"): _table_name(each)
        for number, each in enumerate(resources, 1)
    }
    for resource in resources:
        written = resource["name"]
        described = resource.get("schema")
        if not isinstance(described, dict):
            why = f"has its schema in {described!r}; give that file" if described else "has no schema"
            schema.notes.append(f"the resource {written} {why}; it was left out")
        elif tables[written] not in [table.name for table in schema]:
            table = _table(tables[written], described, tables)
            table.comment = resource.get("description") or resource.get("title")
            schema.tables.append(table)
    if not schema.tables:
        raise ImportSourceError("none of its resources has a schema; give a package whose resources have one")
    return schema


def _table_name(resource: dict[str, Any]) -> str:
    """Return a resource's name without its format: `orders-csv` and `orders-parquet` are one table."""
    form = resource.get("format")
    return str(resource["name"]).removesuffix(f"-{form}") if form else str(resource["name"])


def _table(name: str, described: dict[str, Any], tables: dict[str, str]) -> SourceTable:
    table = SourceTable(name, [])
    for number, each in enumerate(list_at(described, "fields", f"the schema of {name}"), 1):
        field = mapping(each, f"field {number} of {name}")
        type_text = str(field.get("type", "string"))
        said = {
            **field,
            **mapping(field.get("constraints", {}), f"the constraints of field {number} of {name}"),
        }
        table.columns.append(
            described_column(text_at(field, "name", f"field {number} of {name}"), type_text, said)
        )
    if "primaryKey" in described:
        table.primary_key = _known(table, names(described["primaryKey"], f"the primary key of {name}"))
        for column in table.primary_key:
            table.column(column).nullable = False
    for unique in list_at(described, "uniqueKeys", f"the schema of {name}"):
        table.uniques.append(_known(table, names(unique, f"a unique key of {name}")))
    for each in list_at(described, "foreignKeys", f"the schema of {name}"):
        key = mapping(each, f"a foreign key of {name}")
        reference = mapping(key.get("reference"), f"the reference of a foreign key of {name}")
        other = str(reference.get("resource") or "")
        table.foreign_keys.append(
            ForeignKey(
                _known(table, names(key.get("fields"), f"a foreign key of {name}")),
                tables.get(other, other) if other else name,
                names(reference.get("fields"), f"the reference of a foreign key of {name}"),
            )
        )
    return table


def _known(table: SourceTable, columns: tuple[str, ...]) -> tuple[str, ...]:
    known = [column.name for column in table.columns]
    for name in columns:
        if name not in known:
            raise ImportSourceError(
                f"a key of {table.name} names the field {name!r}, which isn't there{near(name, known)}"
            )
    return columns

"""A JSON Schema as a source: an object is a table, an object in it columns, a list of objects a table below."""

from typing import Any, Final

from esdh_plan.importing.described import described_column, list_at, mapping
from esdh_plan.importing.errors import ImportSourceError
from esdh_plan.importing.model import ForeignKey, SourceColumn, SourceSchema, SourceTable

__all__ = ["read_json_schema"]

_MOST_REFERENCES: Final = 20
_MOST_DEPTH: Final = 8


def read_json_schema(document: dict[str, Any], name: str) -> SourceSchema:
    """Return the tables of the objects that a JSON Schema describes."""
    schema = SourceSchema(name, [])
    reader = _Reader(document, schema)
    top = reader.followed(document)
    if _type(top) == "array":
        top = reader.followed(mapping(top.get("items", {}), "items"))
    if "properties" not in top:
        raise ImportSourceError(
            "it describes no object with properties; give a JSON Schema of an object or a list of them"
        )
    reader.table(name, top, None)
    return schema


def _type(described: dict[str, Any]) -> str:
    """Return the one type beside null, or what the keys tell."""
    of = described.get("type")
    others = [each for each in of if each != "null"] if isinstance(of, list) else [of] if of else []
    if len(others) == 1:
        return str(others[0])
    return "object" if "properties" in described else "string" if "enum" in described else "any"


class _Reader:
    def __init__(self, document: dict[str, Any], schema: SourceSchema) -> None:
        self.document, self.schema = document, schema

    def followed(self, described: dict[str, Any]) -> dict[str, Any]:
        """Return what a `$ref` within the document refers to, any number of them on."""
        for _ in range(_MOST_REFERENCES):
            reference = described.get("$ref")
            if reference is None:
                return described
            if not isinstance(reference, str) or not reference.startswith("#"):
                raise ImportSourceError(
                    f"$ref {reference!r} leaves the document; put what it refers to under $defs"
                )
            found: Any = self.document
            for part in reference.removeprefix("#").strip("/").split("/"):
                found = (
                    found.get(part.replace("~1", "/").replace("~0", "~"))
                    if part and isinstance(found, dict)
                    else found
                )
            described = mapping(found, f"what $ref {reference!r} refers to")
        raise ImportSourceError(
            f"$ref {reference!r} refers to itself, or by more than {_MOST_REFERENCES} others"
        )

    def table(self, name: str, described: dict[str, Any], above: SourceTable | None, depth: int = 0) -> None:
        """Add the table of an object, and those of the lists of objects in it."""
        if depth > _MOST_DEPTH:
            raise ImportSourceError(f"{name} is nested more than {_MOST_DEPTH} tables deep, or within itself")
        table = SourceTable(name, [], comment=described.get("description") or described.get("title"))
        self.schema.tables.append(table)
        if above is not None:
            self._hang(table, above)
        lists: list[tuple[str, dict[str, Any]]] = []
        self._columns(table, described, "", lists, depth)
        if above is None and not table.primary_key:
            ids = [
                c for c in table.columns if c.name.lower() in ("id", f"{name.lower()}_id") and not c.nullable
            ]
            if ids:
                table.primary_key = (ids[0].name,)
                ids[0].notes.append("taken for the key, by its name")
        for each, item in lists:
            self.table(f"{name}_{each}", item, table, depth + 1)

    def _hang(self, table: SourceTable, above: SourceTable) -> None:
        """Give a table the key of the one above, which gets one where it has none."""
        if len(above.primary_key) != 1:
            above.columns.insert(0, SourceColumn("row_id", "uuid", None, nullable=False))
            above.primary_key = ("row_id",)
            above.notes.append("row_id was added, so that the rows below can name theirs")
        key = above.column(above.primary_key[0])
        name = f"{above.name}_{key.name}"
        table.columns.append(SourceColumn(name, key.type_text, key.kind, key.length, nullable=False))
        table.foreign_keys.append(ForeignKey((name,), above.name, (key.name,), cascades=True))

    def _columns(
        self,
        table: SourceTable,
        described: dict[str, Any],
        prefix: str,
        lists: list[tuple[str, dict[str, Any]]],
        depth: int,
    ) -> None:
        if depth > _MOST_DEPTH:
            raise ImportSourceError(
                f"{prefix.strip('_')} is nested more than {_MOST_DEPTH} deep, or within itself"
            )
        required = list_at(described, "required", table.name)
        for name, each in mapping(described.get("properties", {}), f"the properties of {table.name}").items():
            said = self.followed(mapping(each, f"{name} of {table.name}"))
            of, full = _type(said), f"{prefix}{name}"
            items = said.get("items")
            if of == "object" and "properties" in said:
                self._columns(table, said, f"{full}_", lists, depth + 1)
                continue
            if of == "array" and isinstance(items, dict) and "properties" in (item := self.followed(items)):
                lists.append((full, item))
                continue
            column = described_column(
                full, "json" if of in ("object", "array") else of, {**said, "required": name in required}
            )
            nullable = isinstance(said.get("type"), list) and "null" in said["type"]
            column.nullable = column.nullable or nullable
            table.columns.append(column)
        for key in ("allOf", "anyOf", "oneOf", "if", "patternProperties", "dependentRequired"):
            if key in described:
                table.notes.append(f"{key} isn't held")

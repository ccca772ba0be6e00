"""The OpenAPI document: the calls, and schemas derived from the very Structs that are encoded.

Its examples are answers made by the same functions as the answers themselves.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from esdh_core import DEFAULT_SEED, Dataset, Table, encode_id
from esdh_core.overlay import LABELS, LabelRow
from esdh_core.plan import EntityPlan, FieldPlan, Plan, StatisticPlan, TablePlan

from esdh_api.demo_page import PAGE_FILES
from esdh_api.errors import ErrorDetail, ErrorResponse, code_of
from esdh_api.negotiation import JSON, ROW_FORMATS
from esdh_api.requests import GenerateRequest, Window, default_records
from esdh_api.responses import AnswerTypes, HealthResponse, PlanSteps, Responses, TreeRow
from esdh_api.settings import MAX_BODY_BYTES, Settings
from esdh_api.wording import a_row_of, capitalized, joined, with_ids

__all__ = ["Served", "openapi_json"]

_REF = "#/components/schemas/"
_EXAMPLE = Window(records=1, start=0, seed=DEFAULT_SEED)
_MOST_SHOWN = 50  # rows of an example; a fixed table comes whole, and may have any number

_ERRORS = {
    400: "The body or a value in it can't be; the message says what would be right",
    401: "The key is missing or another",
    404: "The id is not one of ours; the message says why",
    406: "The Accept header takes none of the media types that there are",
    413: f"The body is larger than {MAX_BODY_BYTES} bytes",
    415: "The body is not declared as application/json, or is compressed",
    500: "The server failed; the message holds the error id that its log has too",
}
_HEADERS = {
    "X-Request-ID": "The request's id in the log: the client's own, where it sent a sane one",
    "X-ESDH-Seed": "The effective seed",
    "ETag": "Send it back in If-None-Match to get 304 where nothing has changed",
    "WWW-Authenticate": "How to send the key",
}
_HEADER_OF_DEFECTS = {"X-ESDH-Defects": "The list of defects that is laid over the rows, percent-encoded"}
Json = dict[str, Any]
_OF_THE_PLAN = (Plan, EntityPlan, FieldPlan, StatisticPlan, TablePlan)
_RECORD = attrgetter("record")
_ANSWER_OF_TREES = "A window of whole records: rows of the root, each with all rows below it."


class Served(NamedTuple):
    """A dataset's answers, and what the paths of its calls begin with."""

    prefix: str
    responses: Responses


def openapi_json(settings: Settings, responses: Responses, plans: Sequence[Served] = ()) -> bytes:
    """Return the OpenAPI 3.1 document of an app with these settings that gives these responses, and those of plans."""
    served = [Served("", responses), *plans]
    documents: dict[Dataset, _Document] = {}
    paths: Json = {}
    for prefix, answers in served:
        name = prefix.rpartition("/")[2]
        # A dataset that is served twice is described once; the schemas of each other one have its name.
        if answers.dataset not in documents:
            documents[answers.dataset] = _Document(settings, answers, f"{name}." if documents else "")
        document = documents[answers.dataset]
        calls = document.paths()
        if prefix:
            calls = {
                path: {
                    method: call | {"operationId": f"{call['operationId']}Of{capitalized(name)}"}
                    for method, call in methods.items()
                }
                for path, methods in calls.items()
            }
        paths |= {f"{prefix}{path}": calls_of for path, calls_of in calls.items()}
    own, *others = documents.values()
    for prefix, answers in served:
        known = documents.values() if not prefix else [documents[answers.dataset]]
        names = [name for document in known for name in document.responses.lists]
        if names:
            _add_defects(paths[f"{prefix}/records/{{id}}"]["get"], names)
    if others:  # whose ids are looked up too
        record = paths["/records/{id}"]["get"]
        refs = [ref for document in documents.values() for ref in document.alternatives(_RECORD)]
        record["responses"]["200"]["content"][JSON]["schema"] = {"anyOf": refs}
    has_defects = any(document.responses.lists for document in documents.values())
    rendered = own.render(paths, has_defects=has_defects)
    for document in others:
        rendered["components"]["schemas"] |= document.schemas()
    return msgspec.json.encode(rendered)


class _Document:
    """The document of one app: its dataset's tables, and what the app's settings allow."""

    def __init__(self, settings: Settings, responses: Responses, names: str = "") -> None:
        """Take what the names of the dataset's schemas begin with."""
        self.settings = settings
        self.responses = responses
        self.dataset = responses.dataset
        self.names = joined([table.name for table in self.dataset.tables])
        # Looked up and not made of the Struct's name: a table may have the name of one of ours.
        described = self.descriptions()
        refs, components = msgspec.json.schema_components(described, ref_template=f"{_REF}{names}{{name}}")
        self.refs = dict(zip(described, refs, strict=True))
        self.components = {f"{names}{name}": schema for name, schema in components.items()}

    def render(self, paths: Json, *, has_defects: bool) -> Json:
        """Return the document with these calls; `has_defects` says whether some of them can lay defects over rows."""
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Enterprise Synthetic Data Hub",
                "summary": f"Deterministic synthetic {self.names}, a window at a time",
                "version": version("esdh-api"),
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": "."}],  # relative to this document: a proxy may serve it below another path
            "paths": paths,
            "components": {
                "schemas": self.schemas(),
                "headers": {
                    name: {"description": text, "schema": {"type": "string"}}
                    for name, text in (_HEADERS | (_HEADER_OF_DEFECTS if has_defects else {})).items()
                },
                "responses": {str(status): _error(status, self.refs[ErrorResponse]) for status in _ERRORS},
                "securitySchemes": {
                    "ApiKey": {
                        "type": "apiKey",
                        "in": "header",
                        "name": "X-API-Key",
                        "description": "Asked for where the server was started with a key (/healthz tells)",
                    }
                },
            },
        }

    def schemas(self) -> Json:
        """Return the schema of each Struct that is sent or taken, by its name."""
        schemas = self.components
        for struct, description in self.descriptions().items():
            schema = self.schema_of(struct)
            schema.pop(
                "description", None
            )  # which msgspec puts before the fields, where Python keeps docstrings
            schema["description"] = description
        for table in self.dataset.tables:
            self.describe_numbers(table)
        if self.dataset.recipe is not None:
            rows = {table.name: self.refs[table.record] for table in self.dataset.tables}
            above = {name: rows[name] for name in dict.fromkeys(self.tables_above())}
            self.schema_of(self.responses.types.record)["properties"] |= {
                "row": {"description": "The row itself", "anyOf": list(rows.values())},
                "parents": {
                    "description": "The rows above it by table, the nearest first",
                    "type": "object",
                    "properties": above,
                    "additionalProperties": False,
                },
            }
            in_trees = [rows[table.name] for table in self.responses.tree_tables]
            self.schema_of(TreeRow)["properties"]["row"] = {
                "description": "The row itself",
                "anyOf": in_trees,
            }
        request = self.schema_of(GenerateRequest)
        request["properties"]["records"] |= {
            "maximum": self.settings.max_records,
            "default": default_records(self.settings.max_records),
        }
        lists = self.responses.lists
        if lists:
            request["properties"]["defects"]["enum"] = list(lists)
        else:
            del request["properties"]["defects"]
        request["not"] = {"required": ["seed", "randomize"], "properties": {"randomize": {"const": True}}}
        return schemas

    def schema_of(self, struct: type[msgspec.Struct]) -> Json:
        """Return the schema of a Struct."""
        schema: Json = self.components[self.refs[struct]["$ref"].removeprefix(_REF)]
        return schema

    def tables_above(self) -> Iterator[str]:
        """Yield the names of the tables that others hang below."""
        for table in self.dataset.tables:
            if table.parent is not None:
                yield table.parent.name

    def describe_numbers(self, table: Table) -> None:
        """Say in a table's schema how its numbers are written: msgspec's own writing isn't ours."""
        numbers = [field for field in table.schema if field.type in ("integer", "decimal")]
        properties, wide = self.schema_of(table.record)["properties"], self.responses.wide_fields(table)
        for field in numbers:
            described = properties[field.name]
            value = next(each for each in described.get("anyOf", [described]) if each.get("type") != "null")
            if field.name in wide:
                for key in ("minimum", "maximum", "format"):
                    value.pop(key, None)
                digits = f"\\.[0-9]{{{field.scale}}}" if field.scale else ""
                value |= {"type": "string", "pattern": f"^-?[0-9]+{digits}$"}
            elif field.type == "decimal":
                value.pop("format")
                value["type"] = "number"

    def descriptions(self) -> dict[type[msgspec.Struct], str]:
        """Return the description of each Struct.

        Not the Structs' docstrings, which msgspec takes: those are gone under `python -OO`.
        """
        tables, responses, types = self.dataset.tables, self.responses, self.responses.types
        descriptions: dict[type[msgspec.Struct], str] = {
            **{types.tables[table]: f"A window of {table.name}." for table in tables},
            types.bundle: self.bundle_description(),
            types.record: "The record behind an id, and what the id says."
            if self.dataset.recipe is None
            else "The row behind an id, the rows above it, and what the id says.",
            HealthResponse: "That the app is up, what it generates by default, and what it asks of a client.",
            Plan: f"Everything that dataset version {self.dataset.dataset_version} generates.",
            ErrorResponse: "The body of every error.",
            GenerateRequest: "What to generate; an empty body is all defaults.",
            **{table.record: table.description for table in tables},
            responses.metadata_type: "What a set of records says of itself.",
            EntityPlan: "One entity: its names, its fields in order, and the statistics kept of it.",
            ErrorDetail: "What went wrong: a code for programs and a sentence for people.",
            FieldPlan: "One field: its schema, its rule and, where it is random, its streams and its odds.",
            PlanSteps: "What is generated, in order.",
            StatisticPlan: "A count that the manifest keeps, and the shares that the rules declare, rounded to nine digits.",
            TablePlan: "A lookup table that a field uses.",
        }
        if responses.lists:
            descriptions |= self.labelled_descriptions()
        if self.dataset.recipe is None:
            return descriptions
        trees: dict[type[msgspec.Struct], str] = {
            types.trees: _ANSWER_OF_TREES,
            TreeRow: "A row of a record with the rows below it.",
        }
        # A plan's recipe has a form of its own.
        return {each: text for each, text in descriptions.items() if each not in _OF_THE_PLAN} | trees

    def labelled_descriptions(self) -> dict[type[msgspec.Struct], str]:
        """Return the description of each Struct of an answer with defects."""
        types, tables = self.responses.labelled_types, [*self.dataset.tables, LABELS]
        beside = "with a list of defects laid over them, and the label of each wrong cell."
        trees = {types.trees: f"A window of whole records, each as a tree, {beside}"}
        return {
            **{types.tables[table]: f"A window of {table.name}, {beside}" for table in tables[:-1]},
            types.tables[LABELS]: "The labels of a window: what a list of defects makes wrong in it.",
            types.bundle: f"A window of {self.names}, {beside}",
            types.record: f"The rows behind an id {beside}",
            **({} if self.dataset.recipe is None else trees),
            LabelRow: "A label: one wrong cell, and why.",
        }

    def alternatives(self, answer: Callable[[AnswerTypes], type[msgspec.Struct]]) -> list[Json]:
        """Return the schemas of an answer: that with clean rows and, where there are defects, that with labels."""
        responses = self.responses
        every = [responses.types, *([responses.labelled_types] if responses.lists else [])]
        return [self.refs[answer(types)] for types in every]

    def bundle_description(self) -> str:
        """Return what a bundle is; where every table has one row a record, how they belong together."""
        if not all(table.one_a_record for table in self.dataset.tables):
            return "A window of every entity."
        return f"A window of every entity: {joined([f'`{table.name}[i]`' for table in self.dataset.tables])} are one record."

    def paths(self) -> Json:
        """Return every call."""
        # Without a key on the server a client may still send one: it is not looked at.
        guarded: Json = {"security": [*([] if self.settings.api_key else [{}]), {"ApiKey": []}]}
        return {
            "/healthz": {"get": self.health()},
            "/plan": {
                "get": _get(
                    "getPlan", "What is generated and how: the bytes of `esdh show-plan --format json`"
                )
                | _answers(_content(JSON, self.refs.get(Plan, {"type": "object"})), "ETag", tagged=True)
            },
            "/openapi.json": {
                "get": _get("getOpenapi", "This document")
                | _answers(_content(JSON, {"type": "object"}), "ETag", tagged=True)
            },
            **{
                f"/generate/{table.entity}": {"post": self.generate_table(table) | guarded}
                for table in self.dataset.tables
            },
            **(
                {f"/generate/{LABELS.name}": {"post": self.generate_labels() | guarded}}
                if self.responses.lists
                else {}
            ),
            "/generate/bundle": {"post": self.generate_bundle() | guarded},
            **(
                {}
                if self.dataset.recipe is None
                else {"/generate/record-trees": {"post": self.generate_trees() | guarded}}
            ),
            "/records/{id}": {"get": self.record() | guarded},
            **_page(),
        }

    def health(self) -> Json:
        """Return the call that says what the app is."""
        content = _content(JSON, self.refs[HealthResponse], self.responses.health(self.settings))
        summary = "That the app is up, what it generates by default and what it asks of a client"
        return _get("getHealth", summary) | _answers(content, "X-ESDH-Seed")

    def generate(self, name: str, summary: str, content: Json) -> Json:
        """Return a call that generates."""
        return {
            "operationId": f"generate{capitalized(name)}",
            "summary": summary,
            "requestBody": {
                "required": False,
                "description": "Without a body: the first five records of the default seed",
                "content": {JSON: {"schema": self.refs[GenerateRequest], "example": {"records": 1}}},
            },
        } | _answers(content, *self.headers(), errors=(400, 401, 406, 413, 415))

    def headers(self) -> list[str]:
        """Return the names of the headers that tell of generated rows."""
        return ["X-ESDH-Seed", *(_HEADER_OF_DEFECTS if self.responses.lists else ())]

    def is_shown(self, *tables: Table) -> bool:
        """Return whether the rows of one record are few enough to be an example."""
        return self.responses.expected_rows(tables, _EXAMPLE.records) <= _MOST_SHOWN

    def generate_table(self, table: Table) -> Json:
        """Return the call that gives a table's rows."""
        has_example = self.is_shown(table)
        content = _content(
            JSON,
            _any_of(self.alternatives(lambda types: types.tables[table])),
            self.responses.table(table, _EXAMPLE) if has_example else None,
        )
        for media_type, row_format in ROW_FORMATS.items():
            example = self.responses.rows(table, _EXAMPLE, row_format).decode() if has_example else None
            content |= _content(media_type, {"type": "string"}, example)
        return self.generate(table.entity, f"A window of {table.name}", content)

    def generate_labels(self) -> Json:
        """Return the call that gives the labels of a window."""
        content = _content(JSON, self.refs[self.responses.labelled_types.tables[LABELS]])
        for media_type in ROW_FORMATS:
            content |= _content(media_type, {"type": "string"})
        name = next(iter(self.responses.lists))
        call = self.generate(
            LABELS.name, "The labels of what a list of defects makes wrong in a window", content
        )
        body = call["requestBody"]
        body |= {"required": True, "description": "As of the calls for rows; `defects` must be there"}
        body["content"][JSON]["example"] = {"records": 1, "defects": name}
        body["content"][JSON]["schema"] = {"allOf": [self.refs[GenerateRequest]], "required": ["defects"]}
        return call

    def generate_bundle(self) -> Json:
        """Return the call that gives every table's rows."""
        example = self.responses.bundle(_EXAMPLE) if self.is_shown(*self.dataset.tables) else None
        content = _content(JSON, _any_of(self.alternatives(attrgetter("bundle"))), example)
        return self.generate("bundle", f"A window of {self.names}", content)

    def generate_trees(self) -> Json:
        """Return the call that gives whole records."""
        has_example = self.is_shown(*self.responses.tree_tables)
        example = self.responses.trees(_EXAMPLE) if has_example else None
        content = _content(JSON, _any_of(self.alternatives(attrgetter("trees"))), example)
        return self.generate("recordTrees", "A window of whole records, each as a tree", content)

    def record(self) -> Json:
        """Return the call that makes a record again."""
        example = encode_id(DEFAULT_SEED, self.dataset.root.entity, 0, dataset=self.dataset)
        known = {
            "name": "id",
            "in": "path",
            "required": True,
            "description": f"The id of {joined([a_row_of(table) for table in with_ids(self.dataset)], 'or')}",
            "schema": {"type": "string", "format": "uuid"},
            "example": example,
        }
        content = _content(JSON, _any_of(self.alternatives(_RECORD)), self.responses.record(example))
        operation = _get("getRecord", "The record behind an id, made again from the id alone") | _answers(
            content, *self.headers(), "ETag", errors=(401, 404, 406), tagged=True
        )
        operation["parameters"].insert(0, known)
        return operation


def _add_defects(operation: Json, names: Iterable[str]) -> None:
    """Let a call that makes a record again name a list of defects."""
    operation["parameters"].append(
        {
            "name": "defects",
            "in": "query",
            "required": False,
            "description": "A list of defects of the id's dataset: the answer has the rows as it leaves them, the clean ones and the "
            "labels",
            "schema": {"type": "string", "enum": list(dict.fromkeys(names))},
        }
    )
    operation["responses"]["400"] = {"$ref": "#/components/responses/400"}


def _any_of(refs: list[Json]) -> Json:
    return refs[0] if len(refs) == 1 else {"anyOf": refs}


def _page() -> Json:
    names = {"demo.css": "getDemoStyle", "demo.js": "getDemoScript"}
    files = {"/demo": ("getDemo", "text/html")}
    for name, media_type in PAGE_FILES.items():
        stem = capitalized(name.partition(".")[0])
        files[f"/demo/{name}"] = (names.get(name, f"getDemo{stem}"), media_type)
    return {
        path: {
            "get": _get(operation, "A file of the demo page")
            | _answers(_content(media_type, {"type": "string"}), "ETag", tagged=True)
        }
        for path, (operation, media_type) in files.items()
    }


def _get(operation_id: str, summary: str) -> Json:
    return {"operationId": operation_id, "summary": summary}


def _answers(content: Json, *headers: str, errors: tuple[int, ...] = (), tagged: bool = False) -> Json:
    """Return an operation's responses and, for one with an ETag, its If-None-Match parameter."""
    named = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", *headers)}
    responses: Json = {"200": {"description": "What was asked for", "headers": named, "content": content}}
    operation: Json = {"responses": responses}
    if tagged:
        responses["304"] = {"description": "The client has it", "headers": named}
        operation["parameters"] = [
            {
                "name": "If-None-Match",
                "in": "header",
                "required": False,
                "description": "An ETag that the client has",
                "schema": {"type": "string"},
            }
        ]
    responses |= {str(each): {"$ref": f"#/components/responses/{each}"} for each in (*errors, 500)}
    return operation


def _error(status: int, schema: Json) -> Json:
    names = ["X-Request-ID", *(["WWW-Authenticate"] if status == 401 else [])]
    example = ErrorResponse(ErrorDetail(code_of(status), _ERRORS[status]))
    return {
        "description": _ERRORS[status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": _content(JSON, schema, example),
    }


def _content(media_type: str, schema: Json, example: object = None) -> Json:
    examples = {} if example is None else {"example": example}
    return {media_type: {"schema": schema} | examples}

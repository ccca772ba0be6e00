"""The OpenAPI document: the calls, and schemas derived from the very Structs that are encoded.

Its examples are answers made by the same functions as the answers themselves.
"""

from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec
from esdh_core import DATASET_VERSION, DEFAULT_SEED, ENTITIES, encode_id
from esdh_core.plan import Plan
from esdh_core.rules import Entity

from esdh_api.answers import (
    ENTITY_ANSWERS,
    BundleAnswer,
    HealthAnswer,
    RecordAnswer,
    bundle_answer,
    entity_answer,
    entity_rows,
    health_answer,
    record_answer,
)
from esdh_api.errors import ErrorAnswer, ErrorDetail, code_of
from esdh_api.forms import JSON, ROW_FORMS
from esdh_api.requests import GenerateRequest, Window, default_records
from esdh_api.settings import MAX_BODY_BYTES, Settings

__all__ = ["openapi_json"]

_REF = "#/components/schemas/{name}"
_EXAMPLE = Window(records=1, start=0, seed=DEFAULT_SEED)
_ID = encode_id(DEFAULT_SEED, "person", 0)

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
# Of each schema. Not the Structs' docstrings, which msgspec would take: those are gone under `python -OO`.
_SCHEMAS = {
    **{entity.record.__name__: entity.description for entity in ENTITIES},
    **{ENTITY_ANSWERS[entity.name].__name__: f"A window of {entity.plural}." for entity in ENTITIES},
    "BundleAnswer": "A window of every entity: `persons[i]`, `vehicles[i]` and `profiles[i]` are one record.",
    "DatasetMetadata": "What a set of records says of itself.",
    "EntityPlan": "One entity: its names, its fields in order, and the statistics kept of it.",
    "ErrorAnswer": "The body of every error.",
    "ErrorDetail": "What went wrong: a code for programs and a sentence for people.",
    "FieldPlan": "One field: its schema, its rule and, where it is random, its streams and its odds.",
    "GenerateRequest": "What to generate; an empty body is all defaults.",
    "HealthAnswer": "That the app is up, what it generates by default, and what it asks of a client.",
    "Plan": f"Everything that dataset version {DATASET_VERSION} generates.",
    "PlanSteps": "What is generated, in order.",
    "RecordAnswer": "The record behind an id, and what the id says.",
    "StatisticPlan": "A count that the manifest keeps, and the shares that the rules declare, rounded to nine digits.",
    "TablePlan": "A lookup table that a field uses.",
}

Json = dict[str, Any]


@cache
def openapi_json(settings: Settings) -> bytes:
    """Return the OpenAPI 3.1 document of an app with these settings."""
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Enterprise Synthetic Data Hub",
                "summary": "Deterministic synthetic persons, vehicles and profiles, a window at a time",
                "version": version("esdh-api"),
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": "."}],  # relative to this document: a proxy may serve it below another path
            "paths": _paths(settings),
            "components": {
                "schemas": _schemas(settings),
                "headers": {
                    name: {"description": text, "schema": {"type": "string"}}
                    for name, text in _HEADERS.items()
                },
                "responses": {str(status): _error(status) for status in _ERRORS},
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
    )


def _schemas(settings: Settings) -> Json:
    answers = [*ENTITY_ANSWERS.values(), BundleAnswer, RecordAnswer, HealthAnswer, Plan, ErrorAnswer]
    _, schemas = msgspec.json.schema_components([*answers, GenerateRequest], ref_template=_REF)
    for name, schema in schemas.items():
        schema.pop("description", None)  # or where it stands would tell how Python runs
        schema["description"] = _SCHEMAS[name]
    request = schemas[GenerateRequest.__name__]
    request["properties"]["records"] |= {
        "maximum": settings.max_records,
        "default": default_records(settings.max_records),
    }
    request["not"] = {"required": ["seed", "randomize"], "properties": {"randomize": {"const": True}}}
    return schemas


def _paths(settings: Settings) -> Json:
    # Without a key on the server a client may still send one: it is not looked at.
    guarded: Json = {"security": [*([] if settings.api_key else [{}]), {"ApiKey": []}]}
    generate = {
        f"/generate/{entity.name}": {"post": _generate_entity(entity) | guarded} for entity in ENTITIES
    }
    return {
        "/healthz": {"get": _health(settings)},
        "/plan": {
            "get": _get("getPlan", "What is generated and how: the bytes of `esdh show-plan --format json`")
            | _answers(_content(JSON, _ref(Plan)), "ETag", tagged=True)
        },
        "/openapi.json": {
            "get": _get("getOpenapi", "This document")
            | _answers(_content(JSON, {"type": "object"}), "ETag", tagged=True)
        },
        **generate,
        "/generate/bundle": {"post": _generate_bundle() | guarded},
        "/records/{id}": {"get": _record() | guarded},
        **_page(),
    }


def _health(settings: Settings) -> Json:
    content = _content(JSON, _ref(HealthAnswer), health_answer(settings))
    summary = "That the app is up, what it generates by default and what it asks of a client"
    return _get("getHealth", summary) | _answers(content, "X-ESDH-Seed")


def _generate_entity(entity: Entity) -> Json:
    content = _content(JSON, _ref(ENTITY_ANSWERS[entity.name]), entity_answer(entity, _EXAMPLE))
    for media_type, form in ROW_FORMS.items():
        rows = form.render(entity, entity_rows(entity, _EXAMPLE))
        content |= _content(media_type, {"type": "string"}, rows.decode())
    return _generate(entity.name, f"A window of {entity.plural}", content)


def _generate_bundle() -> Json:
    content = _content(JSON, _ref(BundleAnswer), bundle_answer(_EXAMPLE))
    return _generate("bundle", "A window of persons, vehicles and profiles", content)


def _generate(name: str, summary: str, content: Json) -> Json:
    return {
        "operationId": f"generate{name.capitalize()}",
        "summary": summary,
        "requestBody": {
            "required": False,
            "description": "Without a body: the first five records of the default seed",
            "content": {JSON: {"schema": _ref(GenerateRequest), "example": {"records": 1}}},
        },
    } | _answers(content, "X-ESDH-Seed", errors=(400, 401, 406, 413, 415))


def _record() -> Json:
    known = {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The id of a person, a vehicle or a profile",
        "schema": {"type": "string", "format": "uuid"},
        "example": _ID,
    }
    content = _content(JSON, _ref(RecordAnswer), record_answer(_ID))
    operation = _get("getRecord", "The record behind an id, made again from the id alone") | _answers(
        content, "X-ESDH-Seed", "ETag", errors=(401, 404, 406), tagged=True
    )
    operation["parameters"].insert(0, known)
    return operation


def _page() -> Json:
    files = {"/demo": "text/html", "/demo/demo.css": "text/css", "/demo/demo.js": "text/javascript"}
    names = {"/demo": "getDemo", "/demo/demo.css": "getDemoStyle", "/demo/demo.js": "getDemoScript"}
    return {
        path: {
            "get": _get(names[path], "A file of the demo page")
            | _answers(_content(media_type, {"type": "string"}), "ETag", tagged=True)
        }
        for path, media_type in files.items()
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


def _error(status: int) -> Json:
    names = ["X-Request-ID", *(["WWW-Authenticate"] if status == 401 else [])]
    example = ErrorAnswer(ErrorDetail(code_of(status), _ERRORS[status]))
    return {
        "description": _ERRORS[status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": _content(JSON, _ref(ErrorAnswer), example),
    }


def _ref(struct: type[msgspec.Struct]) -> Json:
    return {"$ref": _REF.format(name=struct.__name__)}


def _content(media_type: str, schema: Json, example: object = None) -> Json:
    shown = {} if example is None else {"example": example}
    return {media_type: {"schema": schema} | shown}

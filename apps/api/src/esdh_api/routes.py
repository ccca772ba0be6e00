"""The calls: each parses, asks esdh-core once and answers."""

import hashlib
from functools import cache, partial
from importlib.metadata import version
from importlib.resources import files

import msgspec
from esdh_core import (
    DATASET_VERSION,
    DEFAULT_RECORDS,
    DEFAULT_SEED,
    ENTITIES,
    IdError,
    generate_bundle,
    generate_records,
    metadata_for,
    plan,
    plan_json,
    reproduce_record,
)
from esdh_core.rules import Entity
from flask import Flask, Response, g, request

from esdh_api.answers import ENTITY_ANSWERS, BundleAnswer, HealthAnswer, PlanSteps, RecordAnswer
from esdh_api.errors import InvalidRequest, NotFound
from esdh_api.forms import JSON, ROW_FORMS, choose
from esdh_api.openapi import openapi_json
from esdh_api.requests import Window, parse_window
from esdh_api.settings import Settings

__all__ = ["register_routes"]

_PAGE_FILES = {
    "demo.html": "text/html; charset=utf-8",
    "demo.css": "text/css; charset=utf-8",
    "demo.js": "text/javascript; charset=utf-8",
}
_ID_LENGTH = 36


def register_routes(app: Flask, settings: Settings) -> None:
    """Give the app its calls."""
    app.add_url_rule("/healthz", "health", partial(_health, settings))
    app.add_url_rule("/plan", "plan", _plan)
    app.add_url_rule("/openapi.json", "openapi", partial(_openapi, settings))
    for entity in ENTITIES:
        view = partial(_generate_entity, entity, settings)
        app.add_url_rule(f"/generate/{entity.name}", f"generate_{entity.name}", view, methods=["POST"])
    bundle = partial(_generate_bundle, settings)
    app.add_url_rule("/generate/bundle", "generate_bundle", bundle, methods=["POST"])
    app.add_url_rule("/records/<id>", "record", _record)
    app.add_url_rule("/demo", "demo", partial(_page_file, "demo.html"))
    for name in ("demo.css", "demo.js"):
        app.add_url_rule(f"/demo/{name}", name.replace(".", "_"), partial(_page_file, name))


def _json(answer: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(answer), content_type=JSON)


def _tagged(body: bytes, content_type: str, cache_control: str) -> Response:
    """Return a body with its ETag, or 304 where the client has it."""
    tag = hashlib.sha256(body).hexdigest()[:32]
    known = request.if_none_match.contains_weak(tag)
    response = Response(status=304) if known else Response(body, content_type=content_type)
    response.set_etag(tag)
    response.headers["Cache-Control"] = cache_control
    return response


def _health(settings: Settings) -> Response:
    g.seed = DEFAULT_SEED
    return _json(
        HealthAnswer(
            status="ok",
            dataset_version=DATASET_VERSION,
            version=version("esdh-api"),
            default_seed=DEFAULT_SEED,
            seed=DEFAULT_SEED,
            target_records=DEFAULT_RECORDS,
            plan=PlanSteps(
                [f"{entity.name}.{field.name}" for entity in plan().entities for field in entity.fields]
            ),
            api_key_required=settings.api_key is not None,
            max_records=settings.max_records,
        )
    )


def _plan() -> Response:
    return _tagged(plan_json(), JSON, "no-cache")


def _openapi(settings: Settings) -> Response:
    return _tagged(openapi_json(settings), JSON, "no-cache")


def _window(settings: Settings) -> Window:
    """Return the window that the request asks for, and note it for the log and the seed's header."""
    if request.args:
        raise InvalidRequest(
            "the query string is not read; put 'records', 'start' and 'seed' into a JSON body"
        )
    window = parse_window(request.get_data(), request.mimetype, max_records=settings.max_records)
    g.seed, g.records = window.seed, window.records
    return window


def _generate_entity(entity: Entity, settings: Settings) -> Response:
    media_type = choose(request.accept_mimetypes, JSON, *ROW_FORMS)
    window = _window(settings)
    rows = generate_records(entity.name, window.records, window.seed, window.start)
    if media_type in ROW_FORMS:
        form = ROW_FORMS[media_type]
        response = Response(form.render(entity, rows), content_type=form.content_type)
    else:
        metadata = metadata_for(window.records, window.seed)
        answer = ENTITY_ANSWERS[entity.name](metadata, rows, len(rows), window.seed, window.records)
        response = _json(answer)
    response.vary.add("Accept")
    return response


def _generate_bundle(settings: Settings) -> Response:
    choose(request.accept_mimetypes, JSON)
    window = _window(settings)
    bundle = generate_bundle(window.records, window.seed, window.start)
    return _json(BundleAnswer(*msgspec.structs.astuple(bundle), window.seed, window.records))


def _record(id: str) -> Response:  # noqa: A002 - the name in the path
    choose(request.accept_mimetypes, JSON)
    if len(id) > 2 * _ID_LENGTH:  # a message would quote all of it
        raise NotFound(f"an ESDH id has {_ID_LENGTH} characters, not {len(id)}")
    try:
        record = reproduce_record(id)
    except IdError as error:
        raise NotFound(str(error)) from error
    g.seed, g.records = record.id.seed, 1
    answer = RecordAnswer(
        id=id.lower(),
        seed=record.id.seed,
        dataset_version=record.id.dataset_version,
        entity=record.id.entity,
        index=record.id.index,
        person=record.person,
        vehicle=record.vehicle,
        profile=record.profile,
    )
    return _tagged(msgspec.json.encode(answer), JSON, "no-store")


@cache
def _page_bytes(name: str) -> bytes:
    return files("esdh_api").joinpath("page", name).read_bytes()


def _page_file(name: str) -> Response:
    return _tagged(_page_bytes(name), _PAGE_FILES[name], "no-cache")

"""The calls: each parses, asks esdh-core once and answers."""

import hashlib
from functools import cache, partial
from importlib.resources import files

import msgspec
from esdh_core import DEFAULT_SEED, ENTITIES, IdError, plan_json
from esdh_core.rules import Entity
from flask import Flask, Response, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from esdh_api.answers import bundle_answer, entity_answer, entity_rows, health_answer, record_answer
from esdh_api.errors import InvalidRequestError, NotFoundError
from esdh_api.forms import JSON, ROW_FORMS, choose
from esdh_api.openapi import openapi_json
from esdh_api.requests import Window, parse_window
from esdh_api.settings import MAX_BODY_BYTES, Settings

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
    return _json(health_answer(settings))


def _plan() -> Response:
    return _tagged(plan_json(), JSON, "no-cache")


def _openapi(settings: Settings) -> Response:
    return _tagged(openapi_json(settings), JSON, "no-cache")


def _window(settings: Settings) -> Window:
    """Return the window that the request asks for, and note it for the log and the seed's header."""
    if request.args:
        raise InvalidRequestError(
            "the query string is not read; put 'records', 'start' and 'seed' into a JSON body"
        )
    body = request.get_data()
    if len(body) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    coding = request.content_encoding or ""
    window = parse_window(body, request.mimetype, coding, max_records=settings.max_records)
    g.seed, g.records = window.seed, window.records
    return window


def _accept() -> str:
    return request.headers.get("Accept", "")


def _generate_entity(entity: Entity, settings: Settings) -> Response:
    media_type = choose(_accept(), JSON, *ROW_FORMS)
    window = _window(settings)
    if media_type in ROW_FORMS:
        form = ROW_FORMS[media_type]
        return Response(form.render(entity, entity_rows(entity, window)), content_type=form.content_type)
    return _json(entity_answer(entity, window))


def _generate_bundle(settings: Settings) -> Response:
    choose(_accept(), JSON)
    return _json(bundle_answer(_window(settings)))


def _record(id: str) -> Response:  # noqa: A002 - the name in the path
    choose(_accept(), JSON)
    if len(id) > 2 * _ID_LENGTH:  # a message would quote all of it
        raise NotFoundError(f"an ESDH id has {_ID_LENGTH} characters, not {len(id)}")
    try:
        answer = record_answer(id)
    except IdError as error:
        raise NotFoundError(str(error)) from error
    g.seed, g.records = answer.seed, 1
    return _tagged(msgspec.json.encode(answer), JSON, "no-store")


@cache
def _page_bytes(name: str) -> bytes:
    return files("esdh_api").joinpath("page", name).read_bytes()


def _page_file(name: str) -> Response:
    return _tagged(_page_bytes(name), _PAGE_FILES[name], "no-cache")

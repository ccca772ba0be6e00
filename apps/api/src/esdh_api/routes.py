"""The calls: each parses, asks esdh-core once and answers."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from importlib.resources import files

import msgspec
from esdh_core import DEFAULT_SEED, Dataset, IdError, Table
from esdh_core.overlay import LABELS
from flask import Flask, Response, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from esdh_api.defects import Lists
from esdh_api.demo_page import PAGE_FILES, Offered, demo_html
from esdh_api.errors import InvalidRequestError, NotFoundError
from esdh_api.negotiation import JSON, ROW_FORMATS, choose
from esdh_api.openapi import Served, openapi_json
from esdh_api.requests import Window, parse_window
from esdh_api.responses import Responses, check_rows, find_record
from esdh_api.row_cache import RowCache
from esdh_api.settings import MAX_BODY_BYTES, Settings

__all__ = ["register_routes"]

_ID_LENGTH = 36


def register_routes(
    app: Flask,
    settings: Settings,
    dataset: Dataset,
    plans: Mapping[str, Dataset],
    defects: Mapping[Dataset, Lists],
) -> None:
    """Give the app its calls on a dataset, and the same calls on each plan below its name; `defects` are the lists of each."""
    cache = RowCache(settings.cache_mb * 1_000_000)
    own = Responses(dataset, cache, defects.get(dataset))
    named = [
        Served(f"/plans/{name}", Responses(each, cache, defects.get(each))) for name, each in plans.items()
    ]
    # `plans` has the settings' references by name, in their order.
    offered = [
        Offered(each, f"plans/{name}/demo", reference)
        for (name, each), reference in zip(plans.items(), settings.plans, strict=True)
    ]
    _register(app, settings, Served("", own), named, offered)
    for served in named:
        _register(app, settings, served, [], offered)


def _register(
    app: Flask,
    settings: Settings,
    served: Served,
    plans: Sequence[Served],
    offered: Sequence[Offered],
) -> None:
    """Give the app the calls on a dataset, below its prefix; the document tells of the plans, and their ids are known.

    The page offers the pages of the plans that are `offered`.
    """
    prefix, responses = served
    dataset = responses.dataset
    known = [responses, *(each.responses for each in plans if each.responses.dataset is not dataset)]
    top = "../" * prefix.count("/")  # from the page to where the paths of the app begin
    # What doesn't change is made once, when it is first asked for.
    health = cache(lambda: msgspec.json.encode(responses.health(settings)))
    documents: dict[str, tuple[Callable[[], bytes], str]] = {
        "/plan": (lambda: dataset.plan_json, JSON),
        "/openapi.json": (cache(partial(openapi_json, settings, responses, plans)), JSON),
        "/demo": (
            cache(partial(demo_html, dataset, settings, offered, top, responses.lists)),
            "text/html; charset=utf-8",
        ),
        **{
            f"/demo/{name}": (cache(partial(_page_file, name)), f"{kind}; charset=utf-8")
            for name, kind in PAGE_FILES.items()
        },
    }

    def add(path: str, view: Callable[..., Response], *methods: str) -> None:
        app.add_url_rule(f"{prefix}{path}", f"{prefix}{path}", view, methods=methods or ["GET"])

    add("/healthz", partial(_health, health))
    for path, (body, content_type) in documents.items():
        add(path, partial(_document, body, content_type))
    for table in dataset.tables:
        add(f"/generate/{table.entity}", partial(_generate_table, table, responses, settings), "POST")
    if responses.lists:
        # No table has this name.
        add(f"/generate/{LABELS.name}", partial(_generate_labels, responses, settings), "POST")
    add("/generate/bundle", partial(_generate_bundle, responses, settings), "POST")
    if dataset.recipe is not None:  # else the rows of one number are the record
        # With a dash, which no table has in its name.
        add("/generate/record-trees", partial(_generate_trees, responses, settings), "POST")
    add("/records/<id>", partial(_record, known))


def _tagged(body: bytes, content_type: str, cache_control: str) -> Response:
    """Return a body with its ETag, or 304 where the client has it."""
    tag = hashlib.sha256(body).hexdigest()[:32]
    known = request.if_none_match.contains_weak(tag)
    response = Response(status=304) if known else Response(body, content_type=content_type)
    response.set_etag(tag)
    response.headers["Cache-Control"] = cache_control
    return response


def _health(body: Callable[[], bytes]) -> Response:
    g.seed = DEFAULT_SEED
    return Response(body(), content_type=JSON)


def _document(body: Callable[[], bytes], content_type: str) -> Response:
    return _tagged(body(), content_type, "no-cache")


def _page_file(name: str) -> bytes:
    return files("esdh_api").joinpath("page", name).read_bytes()


def _window(responses: Responses, settings: Settings) -> Window:
    """Return the window that the request asks for, and note it for the log and the seed's header."""
    if request.args:
        raise InvalidRequestError(
            "the query string is not read; put 'records', 'start' and 'seed' into a JSON body"
        )
    body = request.get_data()
    if len(body) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    coding = request.content_encoding or ""
    window = parse_window(
        body, request.mimetype, coding, max_records=settings.max_records, lists=responses.lists
    )
    g.seed, g.records, g.defects = window.seed, window.records, window.defects
    return window


def _accept() -> str:
    return request.headers.get("Accept", "")


def _generate_table(table: Table, responses: Responses, settings: Settings) -> Response:
    media_type = choose(_accept(), JSON, *ROW_FORMATS)
    window = _window(responses, settings)
    check_rows(responses, [table], window, settings)
    return _answer_rows(table, responses, window, media_type)


def _answer_rows(table: Table, responses: Responses, window: Window, media_type: str) -> Response:
    if media_type in ROW_FORMATS:
        row_format = ROW_FORMATS[media_type]
        return Response(responses.rows(table, window, row_format), content_type=row_format.content_type)
    return Response(msgspec.json.encode(responses.table(table, window)), content_type=JSON)


def _generate_bundle(responses: Responses, settings: Settings) -> Response:
    choose(_accept(), JSON)
    window = _window(responses, settings)
    check_rows(responses, responses.dataset.tables, window, settings)
    return Response(msgspec.json.encode(responses.bundle(window)), content_type=JSON)


def _generate_trees(responses: Responses, settings: Settings) -> Response:
    choose(_accept(), JSON)
    window = _window(responses, settings)
    check_rows(responses, responses.tree_tables, window, settings)
    return Response(msgspec.json.encode(responses.trees(window)), content_type=JSON)


def _generate_labels(responses: Responses, settings: Settings) -> Response:
    media_type = choose(_accept(), JSON, *ROW_FORMATS)
    window = _window(responses, settings)
    if window.defects is None:
        raise InvalidRequestError(
            f"'defects' is missing; name one of {', '.join(map(repr, responses.lists))}"
        )
    struck = [each.table for each in responses.lists[window.defects].overlay.defects]
    check_rows(responses, list(dict.fromkeys(struck)), window, settings)
    return _answer_rows(LABELS, responses, window, media_type)


def _record(known: Sequence[Responses], id: str) -> Response:  # noqa: A002 - the name in the path
    choose(_accept(), JSON)
    defects = request.args.getlist("defects")
    if len(defects) > 1:
        raise InvalidRequestError("'defects' is given twice; give it once")
    if len(id) > 2 * _ID_LENGTH:  # a message would quote all of it
        raise NotFoundError(f"an ESDH id has {_ID_LENGTH} characters, not {len(id)}")
    try:
        record = find_record(known, id, *defects)
    except IdError as error:
        raise NotFoundError(str(error)) from error
    g.seed, g.records, g.defects = record.seed, 1, next(iter(defects), None)
    return _tagged(msgspec.json.encode(record), JSON, "no-store")

"""What stands around every call: the key, the request id, the headers of an answer, its line in the log."""

import hmac
import re
import time
import uuid
from collections.abc import Mapping
from urllib.parse import quote

from flask import Flask, Response, g, request
from structlog.typing import FilteringBoundLogger

from esdh_api.errors import UnauthorizedError
from esdh_api.settings import Settings

__all__ = ["SECURITY_HEADERS", "register_middleware"]

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_GENERATED = re.compile(r"(/plans/[^/]*)?/(generate|records)/")  # where paths of generated data begin
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def register_middleware(app: Flask, settings: Settings, log: FilteringBoundLogger) -> None:
    """Put these steps around every call of the app; their order is the order of the answers' statuses."""

    @app.before_request
    def _begin() -> None:
        g.began = time.perf_counter()
        sent = request.headers.get("X-Request-ID", "")
        g.request_id = sent if _REQUEST_ID.fullmatch(sent) else str(uuid.uuid4())
        # By path and not by route: a path below these that leads nowhere answers nothing without the key.
        if settings.api_key is not None and _GENERATED.match(request.path):
            _check_key(settings.api_key, request.environ.get("HTTP_X_API_KEY"))

    @app.after_request
    def _end(response: Response) -> Response:
        response.headers.extend(SECURITY_HEADERS)
        response.headers["X-Request-ID"] = g.request_id
        response.headers.setdefault("Cache-Control", "no-store")
        if _GENERATED.match(request.path):
            response.vary.add("Accept")
        if "seed" in g:
            response.headers["X-ESDH-Seed"] = str(g.seed)
        if g.get("defects"):
            response.headers["X-ESDH-Defects"] = quote(g.defects)
        log.info(
            "request",
            method=request.method,
            route=request.url_rule.rule if request.url_rule else None,
            status=response.status_code,
            milliseconds=round((time.perf_counter() - g.began) * 1000, 3),
            records=g.get("records"),
            seed=g.get("seed"),
            request_id=g.request_id,
        )
        return response


def _check_key(expected: str, header: str | None) -> None:
    """Raise UnauthorizedError unless a client gave the key, compared in constant time as UTF-8 bytes.

    WSGI hands a header's bytes over as Latin-1 text. A client that sends the key in Latin-1, as browsers
    and Python's own client do with what fits, means the same key.
    """
    if header is None:
        raise UnauthorizedError("this call needs the key; send it in the header X-API-Key")
    key = expected.encode("utf-8", "surrogateescape")
    as_text = header.encode("utf-8", "surrogateescape")
    try:
        as_sent = header.encode("latin-1")
    except UnicodeEncodeError:  # an in-process client that doesn't follow WSGI
        as_sent = as_text
    if not hmac.compare_digest(key, as_sent) | hmac.compare_digest(key, as_text):
        raise UnauthorizedError("the key in X-API-Key is not the one this server was started with")

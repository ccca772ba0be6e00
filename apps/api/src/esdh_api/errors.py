"""Errors as answers: one JSON envelope, whatever went wrong."""

import uuid
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from flask import Flask, Response, g, request
from structlog.typing import FilteringBoundLogger
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from esdh_api.settings import MAX_BODY_BYTES

__all__ = [
    "TOO_LARGE",
    "ApiError",
    "ErrorDetail",
    "ErrorResponse",
    "InvalidRequestError",
    "NotAcceptableError",
    "NotFoundError",
    "UnauthorizedError",
    "UnsupportedCodingError",
    "UnsupportedMediaTypeError",
    "code_of",
    "envelope",
    "register_errors",
]

TOO_LARGE = f"the body is larger than {MAX_BODY_BYTES} bytes; a request is one small JSON object"
_CODES: dict[int, str] = {
    400: "invalid_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "payload_too_large",
    415: "unsupported_media_type",
    500: "internal_error",
}


class ErrorDetail(msgspec.Struct, frozen=True):
    """What went wrong: a code for programs and a sentence for people."""

    code: str
    message: str


class ErrorResponse(msgspec.Struct, frozen=True):
    """The body of every error."""

    error: ErrorDetail


ErrorResponse.__name__ = "ErrorAnswer"  # the name of its schema, which clients are generated from


class ApiError(Exception):
    """Base of the errors that a call is answered with."""

    status = 500
    headers: Mapping[str, str] = {}


class InvalidRequestError(ApiError):
    """A request body, or a value in it, that can't be."""

    status = 400


class UnauthorizedError(ApiError):
    """A call that needs the key came without it, or with another."""

    status = 401
    headers: Mapping[str, str] = {"WWW-Authenticate": 'ApiKey header="X-API-Key"'}


class NotFoundError(ApiError):
    """An id that is not ours."""

    status = 404


class NotAcceptableError(ApiError):
    """None of the media types that the client accepts can be given."""

    status = 406


class UnsupportedMediaTypeError(ApiError):
    """A body that is not declared as JSON."""

    status = 415
    headers: Mapping[str, str] = {"Accept": "application/json"}


class UnsupportedCodingError(ApiError):
    """A body that is declared as compressed."""

    status = 415
    headers: Mapping[str, str] = {"Accept-Encoding": "identity"}


def code_of(status: int) -> str:
    """Return an error's code."""
    return _CODES.get(status) or HTTPStatus(status).name.lower()


def envelope(status: int, message: str) -> bytes:
    """Return the body of an error."""
    return msgspec.json.encode(ErrorResponse(ErrorDetail(code_of(status), message)))


def _respond(status: int, message: str, headers: Mapping[str, str]) -> Response:
    return Response(envelope(status, message), status, headers, content_type="application/json")


def register_errors(app: Flask, log: FilteringBoundLogger) -> None:
    """Answer every error of the app with the envelope, those of Flask and Werkzeug too."""

    @app.errorhandler(ApiError)
    def _ours(error: ApiError) -> Response:
        return _respond(error.status, str(error), error.headers)

    @app.errorhandler(HTTPException)
    def _of_werkzeug(error: HTTPException) -> Response:
        status = error.code or 500
        headers: dict[str, str] = {}
        match status:
            case 404:
                message = "nothing is at this path; /openapi.json lists every call and /demo is the page"
            case 405:
                allowed = sorted((isinstance(error, MethodNotAllowed) and error.valid_methods) or ())
                useful = [each for each in allowed if each not in ("HEAD", "OPTIONS")]
                headers["Allow"] = ", ".join(allowed)
                message = f"{request.method[:20]} is not possible at this path; use {' or '.join(useful)}"
            case 413:
                message = TOO_LARGE
            case _:
                message = error.description or HTTPStatus(status).phrase
        return _respond(status, message, headers)

    @app.errorhandler(Exception)
    def _unforeseen(error: Exception) -> Response:
        number = uuid.uuid4().hex
        log.error("failure", error_id=number, request_id=g.get("request_id"), exc_info=error)
        return _respond(500, f"the server failed; its log has the reason under error id {number}", {})

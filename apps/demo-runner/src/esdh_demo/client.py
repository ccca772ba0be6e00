"""Calls to the demo's own server: over the loopback interface, past any proxy, each with a deadline."""

import http.client
import json
from typing import Any

__all__ = ["CallError", "Client", "NoAnswerError"]

_CALL_SECONDS = 30.0  # a thousand records take a few milliseconds


class CallError(Exception):
    """A call that got no answer, or not the one that was asked for."""


class NoAnswerError(CallError):
    """A call that got no answer."""


class Client:
    """The server at an address such as `http://127.0.0.1:5000`."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str, *, seconds: float = _CALL_SECONDS) -> bytes:
        """Return the body of an answer; raises CallError unless its status is 200."""
        return self._call("GET", path, seconds)

    def post(self, path: str, body: dict[str, Any], *, accept: str = "application/json") -> bytes:
        """Return the body of the answer to a JSON body; raises CallError unless its status is 200."""
        headers = {"Content-Type": "application/json", "Accept": accept}
        return self._call("POST", path, _CALL_SECONDS, json.dumps(body), headers)

    def _call(
        self,
        method: str,
        path: str,
        seconds: float,
        body: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=seconds)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(f"{method} {path} got no answer: {error or type(error).__name__}") from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            reason = data[:300].decode("utf-8", "replace")
            raise CallError(f"{method} {path} was answered with status {response.status}: {reason}")
        return data

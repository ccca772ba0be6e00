"""Calls to the demo's own server: over the loopback interface, past any proxy, each with a deadline."""

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

__all__ = ["CallError", "Client", "NoAnswerError"]

_CALL_SECONDS = 30.0  # a thousand records take a few milliseconds


class CallError(Exception):
    """A call that got no answer, or not the one that was asked for."""


class NoAnswerError(CallError):
    """A call that got no answer."""


@dataclass(frozen=True)
class Client:
    """The server at an address such as `http://127.0.0.1:5000`."""

    address: str

    def get(self, path: str, *, seconds: float = _CALL_SECONDS) -> bytes:
        """Return the body of an answer; raises CallError unless its status is 200."""
        return self._call(urllib.request.Request(self.address + path), seconds)  # noqa: S310 - our own http address

    def post(self, path: str, body: dict[str, Any], *, accept: str = "application/json") -> bytes:
        """Return the body of the answer to a JSON body; raises CallError unless its status is 200."""
        request = urllib.request.Request(  # noqa: S310 - as above
            self.address + path,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Accept": accept},
        )
        return self._call(request, _CALL_SECONDS)

    def _call(self, request: urllib.request.Request, seconds: float) -> bytes:
        # A proxy that the environment names must not stand between two programs of one machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        what = f"{request.get_method()} {request.selector}"
        try:
            with opener.open(request, timeout=seconds) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(300).decode("utf-8", "replace")
            raise CallError(f"{what} was answered with status {error.code}: {said}") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error) or type(error).__name__
            raise NoAnswerError(f"{what} got no answer: {reason}") from error

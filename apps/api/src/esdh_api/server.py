"""The production server: waitress on one socket, stopped without cutting off a request under way."""

import errno
import ipaddress
import logging
import os
import select
import signal
import socket
import struct
import sys
import time
import uuid
from array import array
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Final

import structlog
from flask import Flask
from structlog.typing import FilteringBoundLogger
from waitress import create_server, wasyncore
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask, WSGITask

from esdh_api.errors import TOO_LARGE, envelope
from esdh_api.logs import JSON_LINE, PROCESSORS
from esdh_api.middleware import SECURITY_HEADERS

__all__ = ["ListenError", "hold_back", "is_loopback", "listen", "serve", "url_of"]

# Waitress reads a whole body before it calls the app. Up to this size the app refuses a body that is too
# large, after reading it, so that the client surely gets the answer; past it the connection is closed.
_MAX_READ_BYTES: Final = 1 << 20
_MOST_HEADER_BYTES: Final = 64 * 1024
_GRACE: Final = 30.0  # seconds that requests under way have to finish once the server is to stop
_SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h; Python has no name for it
# The instructions of a socket filter (linux/filter.h): drop a segment with the flag SYN, keep the others.
_NO_SYN: Final = (
    (0x30, 0, 0, 13),  # load the byte of a TCP header that holds the flags
    (0x45, 0, 1, 0x02),  # go on if SYN is among them, else to the last
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFF_FFFF),  # keep
)
_POLL: Final = hasattr(select, "poll")  # select() fails past file descriptor 1023; Windows has no poll()


class ListenError(OSError):
    """An address that can't be listened on."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to a host and a port (0: any that is free); it doesn't accept yet.

    Raises ListenError, in one sentence, for a host that isn't this machine's or a port that can't be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise ListenError(f"{host!r} is no host name or address ({error.strerror}); try 127.0.0.1") from error
    # `localhost` is often both: clients try IPv4 last or not at all, but every one of them tries it.
    family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # there it lets a port be taken again after a stop, on Windows by two at once
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Listening now, not when waitress is ready: of two servers that bind at once, one must fail here.
        listener.listen()
    except OSError as error:
        listener.close()
        reason = {
            errno.EADDRINUSE: "another program listens there",
            errno.EACCES: "this user may not listen there",
            errno.EADDRNOTAVAIL: "the address is not this machine's",
        }.get(error.errno or 0, str(error.strerror))
        raise ListenError(
            f"port {port} of {host} can't be had: {reason}; choose another with --port (0 takes a free one) or --host"
        ) from error
    return listener


def is_loopback(listener: socket.socket) -> bool:
    """Return whether only this machine reaches a socket."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def url_of(listener: socket.socket) -> str:
    """Return the address of a bound socket as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    app: Flask,
    listener: socket.socket,
    *,
    threads: int,
    log: FilteringBoundLogger,
    ready: Callable[[], None],
) -> None:
    """Serve an app on a bound socket until SIGINT or SIGTERM; requests under way finish first.

    `ready` is called once a signal would stop the server cleanly.
    From the signal on new connections are refused. A second signal, or 30 seconds, cuts off what is left.
    """
    _log_as_json()
    channels: dict[int, Any] = {}
    server = create_server(
        app,
        map=channels,
        sockets=[listener],
        threads=threads,
        ident=None,
        log_socket_errors=False,  # a client that goes away is no error of ours
        max_request_body_size=_MAX_READ_BYTES,
        max_request_header_size=_MOST_HEADER_BYTES,
    )
    server.channel_class = _Channel
    server.stopping = False
    server.log = log

    def stop(number: int, _: FrameType | None) -> None:
        if server.stopping:
            raise SystemExit(128 + number)
        server.stopping = True
        server.pull_trigger()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ready()
        while not server.stopping:
            wasyncore.loop(timeout=1, use_poll=_POLL, map=channels, count=1)
        _drain(server, channels)
    finally:
        server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(channels, ignore_all=True)
        for number, handler in before.items():
            signal.signal(number, handler)


def hold_back(listener: socket.socket) -> None:
    """Have the kernel complete no more connections, so that those that it has completed can all be accepted.

    It answers clients by itself and resets, when the socket closes, each one that is not accepted by then: that
    client was connected, may have sent its request, and can't know whether it was served. Held back, it tries again
    after a second and is refused. Only Linux can do this; elsewhere a client of that moment is reset.
    """
    if sys.platform == "linux":
        filter_ = array("B", b"".join(struct.pack("HBBI", *each) for each in _NO_SYN))
        program = struct.pack("HP", len(_NO_SYN), filter_.buffer_info()[0])
        with suppress(OSError):  # a sandbox that stands in for the kernel may not know it
            listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def _drain(server: Any, channels: dict[int, Any]) -> None:
    """Refuse new connections, and let the requests that have begun to arrive finish."""
    hold_back(server.socket)
    for _ in range(server.adj.backlog):  # connected already, but not accepted yet
        if not select.select([server.socket], [], [], 0)[0]:
            break
        server.handle_accept()
    wasyncore.dispatcher.close(server)  # the server's own `close` would close its trigger too
    deadline = time.monotonic() + _GRACE
    while True:
        wasyncore.loop(timeout=0, use_poll=_POLL, map=channels, count=1)  # read what has arrived
        open_channels = [each for each in list(channels.values()) if isinstance(each, HTTPChannel)]
        for channel in open_channels:
            if not _is_busy(channel):
                channel.handle_close()
        busy = sum(map(_is_busy, open_channels))
        left = deadline - time.monotonic()
        if not busy:
            return
        if left <= 0:
            server.log.warning("requests were cut off", requests=busy, seconds=_GRACE)
            return
        wasyncore.loop(timeout=min(left, 1), use_poll=_POLL, map=channels, count=1)


def _is_busy(channel: Any) -> bool:
    """Return whether a connection has a request that is arriving, being answered or being sent.

    In this order: the thread that answers takes a request off the list after its answer is in the buffer.
    """
    return channel.connected and bool(
        channel.request is not None or channel.requests or channel.total_outbufs_len
    )


class _Task(WSGITask):  # type: ignore[misc]  # waitress ships no types
    """A request's task, which closes its connection when the server is stopping."""

    def build_response_header(self) -> bytes:
        """Return the head of the answer."""
        if self.channel.server.stopping:
            self.request.headers["CONNECTION"] = "close"
        head: bytes = super().build_response_header()
        return head

    def set_close_on_finish(self) -> None:
        """Close the connection after the answer.

        Waitress asks for it wherever there is no Content-Length, after a 304 too, which ends with its head.
        """
        closes = self.request.headers.get("CONNECTION", "").lower() == "close"
        if self.has_body or self.version == "1.0" or closes:
            super().set_close_on_finish()


class _EnvelopeTask(ErrorTask):  # type: ignore[misc]  # waitress ships no types
    """What waitress refuses before the app sees it (a malformed head, say), answered and logged as the app does."""

    def execute(self) -> None:
        """Write the answer."""
        error = self.request.error
        request_id = str(uuid.uuid4())
        message = TOO_LARGE if error.code == 413 else f"the request can't be read: {error.body}"
        body = envelope(error.code, message)
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            *SECURITY_HEADERS.items(),
            ("Cache-Control", "no-store"),
            ("Content-Type", "application/json"),
            ("X-Request-ID", request_id),
        ]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.channel.server.log.info(
            "request",
            method=None,
            route=None,
            status=error.code,
            milliseconds=round((time.time() - self.start_time) * 1000, 3),
            records=None,
            seed=None,
            request_id=request_id,
        )
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """A connection with our tasks."""

    task_class = _Task
    error_task_class = _EnvelopeTask


def _log_as_json() -> None:
    """Send what waitress logs to stderr as JSON lines, as the app's own."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=PROCESSORS,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, JSON_LINE],
        )
    )
    logger = logging.getLogger("waitress")
    logger.handlers, logger.propagate = [handler], False
    logging.getLogger("waitress.queue").setLevel(
        logging.ERROR
    )  # a queue is how threads are meant to be shared

"""Servers that misbehave: `fake_server.py MODE --host H --port P`; FAKE_READY names a pipe that tells their start."""

import contextlib
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_MODE = sys.argv[1]


class _Handler(BaseHTTPRequestHandler):
    """Passes calls to the real app, and spoils what the mode spoils."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        if _MODE == "unwell":
            self.send_error(503)
            return
        if _MODE == "dies" and self.command == "POST":
            sys.stderr.write("out of memory\n")
            sys.stderr.flush()
            os._exit(3)
        from esdh_api.app import create_app  # late: most modes never answer, and Flask takes a while

        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = (
            create_app()
            .test_client()
            .open(self.path, method=self.command, data=body or None, headers=list(self.headers.items()))
        )
        data = answer.data.replace(b"Louise", b"Louisa") if _MODE == "untrue" else answer.data
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _answer  # noqa: N815 - the names that http.server calls


def main() -> None:
    """Serve, or not."""
    if _MODE == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if ready := os.environ.get("FAKE_READY"):
        with contextlib.suppress(OSError), Path(ready).open("w") as pipe:
            pipe.write("ready")
    if _MODE == "broken":
        sys.exit("no such configuration")
    if _MODE in ("mute", "stubborn"):
        signal.pause()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    if _MODE == "deaf":
        print(f"Listening on http://127.0.0.1:{server.server_port}", flush=True)
        while True:
            signal.pause()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print(f"Listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

"""The objects below a prefix of an object store, and an S3 protocol server on loopback that holds them."""

import logging
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from esdh_manifest import files_below
from pyarrow import fs

__all__ = ["SECRET", "contents", "environment", "local", "make_bucket", "put", "server"]

SECRET = "hush-hush"


@contextmanager
def server(before: Callable[[Mapping[str, str]], None] | None = None) -> Iterator[str]:
    """Run a server and yield its address; `before` is called with each request's WSGI environment before it is answered."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    if before is not None:
        running = moto._server
        answer = running.app

        def app(environ: Any, start: Any) -> Any:
            before(environ)
            return answer(environ, start)

        running.app = app
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


def environment(endpoint: str) -> dict[str, str]:
    """Return what tells a process where the store is, and its credentials."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def make_bucket(endpoint: str, name: str) -> None:
    """Make an empty bucket."""
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT")).close()


def contents(uri: str) -> dict[str, bytes]:
    """Return every object below a prefix, as Arrow reads it back."""
    system, path = fs.FileSystem.from_uri(uri)
    found = system.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
    return {
        each.path.removeprefix(f"{path}/"): system.open_input_stream(each.path).read()
        for each in found
        if each.type == fs.FileType.File
    }


def local(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {path: (folder / path).read_bytes() for path in files_below(folder)}


def put(uri: str, name: str, data: bytes) -> None:
    """Put an object below a prefix."""
    system, path = fs.FileSystem.from_uri(uri)
    with system.open_output_stream(f"{path}/{name}") as stream:
        stream.write(data)

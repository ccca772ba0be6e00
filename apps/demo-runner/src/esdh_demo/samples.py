"""The canned answers in data/demo_samples: what the API gives, for a demo whose laptop fails."""

from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
from esdh_core import DEFAULT_DATASET, DEFAULT_SEED

from esdh_demo.errors import DemoError
from esdh_demo.paths import Paths

__all__ = ["SAMPLES", "check_samples", "write_samples"]

Post: TypeAlias = Callable[[str, dict[str, Any]], bytes]
"""Gives the body of the API's answer to a path and a body."""
_RECORDS: Final = 10
SAMPLES: Final = {
    **{f"{table.name}.json": f"/generate/{table.entity}" for table in DEFAULT_DATASET.tables},
    "bundle.json": "/generate/bundle",
}


def write_samples(post: Post, paths: Paths) -> list[Path]:
    """Write the canned answers and return their paths; for a new dataset version, since those of one never change."""
    paths.samples.mkdir(parents=True, exist_ok=True)
    for name in SAMPLES:
        (paths.samples / name).write_bytes(_sample(post, name))
    return [paths.samples / name for name in SAMPLES]


def check_samples(post: Post, paths: Paths) -> int:
    """Return how many canned answers equal the API's, which is all.

    Raises DemoError for one that is missing or differs, with the first line that does.
    """
    for name in SAMPLES:
        file = paths.display(paths.samples / name)
        restore = f"git checkout {file}"
        try:
            committed = (paths.samples / name).read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            raise DemoError(f"{file} is missing", remedy=f"put it back: {restore}") from None
        answer = _sample(post, name).splitlines(keepends=True)
        for number, lines in enumerate(zip_longest(committed, answer, fillvalue=b""), 1):
            left, right = (line.decode("utf-8", "replace").strip(" ") for line in lines)
            if lines[0] != lines[1]:
                raise DemoError(
                    f"{file}, line {number}: the file has {left!r} and the API gives {right!r}",
                    remedy=f"if the file was changed, put it back ({restore}); if not, the data have changed",
                )
    return len(SAMPLES)


def _sample(post: Post, name: str) -> bytes:
    """Return the answer as the file has it: the same document, two spaces a level, for people to read."""
    body = post(SAMPLES[name], {"records": _RECORDS, "seed": DEFAULT_SEED})
    return msgspec.json.format(body, indent=2) + b"\n"

"""The canned answers in data/demo_samples: what the API gives, for a demo whose laptop fails."""

from itertools import zip_longest
from pathlib import Path
from typing import Final

import msgspec
from esdh_core import DEFAULT_DATASET, DEFAULT_SEED

from esdh_demo.client import Client
from esdh_demo.errors import DemoError
from esdh_demo.paths import Paths

__all__ = ["SAMPLES", "check_samples", "write_samples"]

_RECORDS: Final = 10
SAMPLES: Final = {
    **{f"{table.name}.json": f"/generate/{table.entity}" for table in DEFAULT_DATASET.tables},
    "bundle.json": "/generate/bundle",
}


def write_samples(client: Client, paths: Paths) -> list[Path]:
    """Write the canned answers and return their paths; for a new dataset version, since those of one never change."""
    paths.samples.mkdir(parents=True, exist_ok=True)
    for name in SAMPLES:
        (paths.samples / name).write_bytes(_sample(client, name))
    return [paths.samples / name for name in SAMPLES]


def check_samples(client: Client, paths: Paths) -> int:
    """Return how many canned answers equal the API's, which is all.

    Raises DemoError for one that is missing or differs, with the first line that does.
    """
    for name in SAMPLES:
        file = paths.display(paths.samples / name)
        restore = f"git checkout {file}"
        try:
            committed = (paths.samples / name).read_bytes()
        except FileNotFoundError:
            raise DemoError(f"{file} is missing", remedy=f"put it back: {restore}") from None
        answer = _sample(client, name)
        if committed != answer:
            ours, theirs = (
                data.decode("utf-8", "replace").splitlines(keepends=True) for data in (committed, answer)
            )
            pairs = enumerate(zip_longest(ours, theirs, fillvalue=""), 1)
            number, left, right = next((at, a, b) for at, (a, b) in pairs if a != b)
            raise DemoError(
                f"{file}, line {number}: the file has {left.strip(' ')!r} and the API gives {right.strip(' ')!r}",
                remedy=f"if the file was changed, put it back ({restore}); if not, the data have changed",
            )
    return len(SAMPLES)


def _sample(client: Client, name: str) -> bytes:
    """Return the answer as the file has it: the same document, two spaces a level, for people to read."""
    body = client.post(SAMPLES[name], {"records": _RECORDS, "seed": DEFAULT_SEED})
    return msgspec.json.format(body, indent=2) + b"\n"

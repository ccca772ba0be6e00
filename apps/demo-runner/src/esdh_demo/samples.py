"""The canned answers in data/demo_samples: what the API gives, for a demo whose laptop fails."""

from pathlib import Path
from typing import Final

import msgspec
from esdh_core import DEFAULT_SEED

from esdh_demo.client import Client
from esdh_demo.errors import DemoError
from esdh_demo.places import Places

__all__ = ["SAMPLES", "check_samples", "write_samples"]

_RECORDS: Final = 10
SAMPLES: Final = {
    "persons.json": "/generate/person",
    "vehicles.json": "/generate/vehicle",
    "profiles.json": "/generate/profile",
    "bundle.json": "/generate/bundle",
}


def _answer(client: Client, path: str) -> bytes:
    """Return the answer as the file has it: the same document, two spaces a level, for people to read."""
    body = client.post(path, {"records": _RECORDS, "seed": DEFAULT_SEED})
    return msgspec.json.format(body, indent=2) + b"\n"


def write_samples(client: Client, places: Places) -> list[Path]:
    """Write the canned answers and return their paths; for a new dataset version, since those of one never change."""
    places.samples.mkdir(parents=True, exist_ok=True)
    written = []
    for name, path in SAMPLES.items():
        written.append(places.samples / name)
        written[-1].write_bytes(_answer(client, path))
    return written


def check_samples(client: Client, places: Places) -> int:
    """Return how many canned answers equal the API's, which is all.

    Raises DemoError for one that is missing or differs, with the first line that does.
    """
    for name, path in SAMPLES.items():
        shown = places.shown(places.samples / name)
        try:
            kept = (places.samples / name).read_bytes()
        except FileNotFoundError:
            raise DemoError(f"{shown} is missing", remedy=f"put it back: git checkout {shown}") from None
        given = _answer(client, path)
        if kept != given:
            number, left, right = _first_difference(kept.splitlines(), given.splitlines())
            raise DemoError(
                f"{shown}, line {number}: the file has {left!r} and the API gives {right!r}",
                remedy=f"if the file was changed, put it back (git checkout {shown}); if not, the data have changed",
            )
    return len(SAMPLES)


def _first_difference(kept: list[bytes], given: list[bytes]) -> tuple[int, str, str]:
    for number, (left, right) in enumerate(zip(kept, given, strict=False), 1):
        if left != right:
            return number, left.decode("utf-8", "replace").strip(), right.decode("utf-8", "replace").strip()
    shorter = min(len(kept), len(given))
    return shorter + 1, f"{len(kept)} lines", f"{len(given)} lines"

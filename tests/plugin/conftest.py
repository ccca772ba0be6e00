"""A project of a user's in a folder of its own, and what its tests were given."""

import json
from collections.abc import Callable

import pytest

_NOTES = """
import json, os, pathlib, pytest

@pytest.fixture(scope="session")
def note(pytestconfig):
    def note(key, rows):
        with open(pytestconfig.rootpath / "notes.txt", "a") as file:
            file.write(json.dumps([key, [repr(row) for row in rows]]) + "\\n")
    return note
"""
Notes = Callable[[], dict[str, list[list[str]]]]


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project whose tests can note, by a key, which rows they were given."""
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider\n")
    pytester.makeconftest(_NOTES)
    return pytester


@pytest.fixture
def notes(project: pytest.Pytester) -> Notes:
    """Return what was noted since the last call: for each key the rows, as often as they were noted."""

    def read() -> dict[str, list[list[str]]]:
        path = project.path / "notes.txt"
        found: dict[str, list[list[str]]] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            key, rows = json.loads(line)
            found.setdefault(key, []).append(rows)
        path.unlink()
        return found

    return read

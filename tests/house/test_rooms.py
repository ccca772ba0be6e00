"""The rooms of the house: who knows the first dataset by name, that nothing stands twice, what the README installs."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = {".py", ".js", ".html", ".css", ".jinja"}
NAMES = re.compile(r"\b(persons?|vehicles?|profiles?)\b|\bv0[_.]1\b", re.IGNORECASE)
# The rooms that know it; a public page's address; the demo's own profiles, of its configuration.
KNOWS = ("packages/esdh-core/src/esdh_core/datasets/", "packages/esdh-proof/src/esdh_proof/checks/v0_1.py")
ADDRESS = "https://datapackage.org/profiles/"
OWN_PROFILES = "apps/demo-runner/"

MEMBERS = [*ROOT.glob("packages/*/pyproject.toml"), *ROOT.glob("apps/*/pyproject.toml")]
FILES = sorted(
    path
    for folder in ("packages", "apps")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in SUFFIXES and not path.relative_to(ROOT).as_posix().startswith(KNOWS)
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_room_names_no_dataset(path: Path) -> None:
    """No code outside the datasets' own rooms names a table of the first dataset, or its version."""
    text = path.read_text(encoding="utf-8").replace(ADDRESS, "")
    if path.relative_to(ROOT).as_posix().startswith(OWN_PROFILES):
        text = re.sub(r"profiles?", "", text, flags=re.IGNORECASE)
    named = {
        number: match[0] for number, line in enumerate(text.splitlines(), 1) if (match := NAMES.search(line))
    }
    assert {} == named


def test_no_module_stands_twice() -> None:
    """No module of packages and apps has the text of another."""
    rooms: dict[str, list[str]] = {}
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 10:  # an `__init__` with a docstring alone may
            rooms.setdefault(text, []).append(path.relative_to(ROOT).as_posix())
    assert [] == [paths for paths in rooms.values() if len(paths) > 1]


def test_readme_installs_every_member() -> None:
    """The README's lines for a mirror install every member; those for pip the two apps and all that these need."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    editable = re.findall(r"-e ((?:packages|apps)/\S+)", readme)
    assert sorted(path.parent.relative_to(ROOT).as_posix() for path in MEMBERS) == sorted(editable)
    wheels = re.findall(r"^esdh/bin/pip install --no-index .* dist (.*)$", readme, re.MULTILINE)
    assert [_closure({"esdh-cli", "esdh-api"})] == [set(line.split()) for line in wheels]


def _closure(names: set[str]) -> set[str]:
    """Return members and the members that they need, by their declarations."""
    projects = [tomllib.loads(path.read_text(encoding="utf-8"))["project"] for path in MEMBERS]
    needs = {
        each["name"]: {re.split(r"[\[<>=]", need)[0] for need in each["dependencies"]} for each in projects
    }
    while more := {need for name in names for need in needs[name] & needs.keys()} - names:
        names |= more
    return names

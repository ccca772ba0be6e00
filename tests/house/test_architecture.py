"""docs/ARCHITECTURE.md, held against the checkout: every room and module that it lists is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/ARCHITECTURE.md").read_text(encoding="utf-8")
TREE = re.search(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
LINE = re.compile(r"( *)(\S+(?: \S+)*)(?: {2,}(.*))?")


def _room(folder: Path, name: str) -> Path:
    """Return a folder of the listing; a member of the workspace stands for its package."""
    path = folder / name
    packages = [each.parent for each in path.glob("src/*/__init__.py")]
    return packages[0] if packages else path


def _listed() -> Iterator[Path]:
    """Yield each path that the listing names; a folder's own line may name the modules in it."""
    assert TREE is not None
    stack = [ROOT]
    for line in TREE[1].splitlines():
        found = LINE.fullmatch(line)
        assert found is not None, line
        del stack[len(found[1]) // 2 + 1 :]
        names = found[2].split()
        for name in names:
            yield _room(stack[-1], name) if name.endswith("/") else stack[-1] / f"{name}.py"
        if len(names) == 1 and names[0].endswith("/"):
            folder = _room(stack[-1], names[0])
            stack.append(folder)
            modules = re.fullmatch(r"\{(.*)\}", found[3] or "")
            for name in modules[1].split() if modules else ():
                yield folder / (name if name.endswith("/") else f"{name}.py")


PATHS = sorted(set(_listed()))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_listed_path_exists(path: Path) -> None:
    """Every folder and module of the listing is in the checkout."""
    assert path.exists()


def test_every_member_is_listed() -> None:
    """Every package and app of the workspace is in the listing."""
    members = {each.parent for each in ROOT.glob("[pa]*/*/src/*/__init__.py")}
    assert set() == members - set(PATHS)


def test_every_module_of_core_and_export_is_listed() -> None:
    """A module that is added to core or export, or to a room of theirs, is in the listing."""
    modules = {
        path
        for member in ("core", "export")
        for path in (ROOT / f"packages/esdh-{member}/src").rglob("*.py")
        if path.name != "__init__.py"
    }
    assert set() == modules - set(PATHS)


def test_named_code_exists() -> None:
    """Every name of code that the page quotes stands somewhere in packages, apps or tests."""
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("packages", "apps")
        for path in (ROOT / folder).rglob("*.py")
    )
    quoted = re.findall(
        r"`(?:[A-Z]\w+\.)?([A-Za-z_]{4,})(?:\([^`]*\))?`", PAGE.replace(TREE[1], "") if TREE else PAGE
    )
    assert [] == [name for name in quoted if not re.search(rf"\b{name}\b", source)]

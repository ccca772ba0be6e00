"""Names say what a thing is: none is a participle that leaves the noun out, or a private word for a term of the field."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Participles of which nobody knows what was told, shown or kept, and words that the field has terms for.
AVOIDED = re.compile(
    r"_?(told|wanted|shown|made|kept|asked|begun|given"
    r"|Told|Made|Kept|Given|Asked|Behind|Memory|Trail|Coded|Vocabulary|Joined|Drift|Archive|Folders|Objects"
    r"|FEW|MOST|LEAST|MOMENT)"
)
FILES = sorted(path for folder in ("packages", "apps") for path in (ROOT / folder).rglob("*.py"))


def _names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of every function, class, parameter, variable and attribute that a module makes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.alias(asname=str(name)):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_names_say_what_things_are(path: Path) -> None:
    """No module of packages and apps makes such a name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [] == [(line, name) for line, name in _names(tree) if AVOIDED.fullmatch(name)]

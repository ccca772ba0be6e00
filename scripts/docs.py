"""Writes docs/PYTHON_API.md, the public names of our packages, the reference in docs/PLANS.md, and the trees in docs/DATASETS.md.

`--check` compares instead, and exits with 1 when a page is another one.
"""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from esdh_cli.commands.check_plan import drawn_tables
from esdh_core.dataset import Dataset
from esdh_plan import load_plan
from plan_reference import MARKER, reference

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, GUIDE, DATASETS = DOCS / "PYTHON_API.md", DOCS / "PLANS.md", DOCS / "DATASETS.md"
TREE = re.compile(r"(<!-- tree of (\S+) -->\n```\n).*?(```\n)", re.DOTALL)
RECORDS = 1_000
# A package's names are those that its `__init__` imports, a module's those of its `__all__`.
PACKAGES = (
    "esdh_core",
    "esdh_manifest",
    "esdh_plan",
    "esdh_export",
    "esdh_proof",
    "esdh_load",
    "pytest_esdh",
)
MODULES = (
    "esdh_core.testing",
    "esdh_plan.reader",
    "esdh_plan.distributions",
    "pytest_esdh.strategies",
    "pyspark_esdh.digest",  # not the package, whose data source needs pyspark
)
HEAD = """# The Python API

Made from the docstrings by `just docs`; `just check` compares. The tests run every example. Options after `*` are
passed by name. Names that don't stand here may change in any release.
"""


def names(module: str) -> list[str]:
    """Return the public names of a package, or of a module with an `__all__`."""
    imported = importlib.import_module(module)
    if module in MODULES:
        return sorted(imported.__all__)
    found: list[str] = []
    for node in ast.walk(ast.parse(inspect.getsource(imported))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{module}."):
            every = [alias.name for alias in node.names]
            found += importlib.import_module(node.module).__all__ if every == ["*"] else every
    return sorted(set(found) - {"lazy_names"})


def signature(node: ast.AST) -> str:
    """Return the head of a function, or a class with its fields, as it stands in the source."""
    if isinstance(node, ast.FunctionDef):
        node.body = [ast.Expr(ast.Constant(...))]
        node.decorator_list = [each for each in node.decorator_list if ast.unparse(each) != "overload"]
    elif isinstance(node, ast.ClassDef):
        node.body = [each for each in node.body if _is_field(each)] or [ast.Expr(ast.Constant(...))]
        node.decorator_list = []
    return ast.unparse(node)


def _is_field(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and not node.target.id.startswith("_")
    )


def parsed(value: Any) -> ast.AST:
    """Return the definition of a class or a function."""
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(value)))
    return tree.body[0]


def entry(name: str, value: Any, level: int) -> list[tuple[str, str, str]]:
    """Return heading, signature and docstring of a name and of its public methods."""
    heading = f"{'#' * level} `{name}`"
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        shown = f"{name} = {value!r}"
        return [(heading, shown if isinstance(value, int | str | tuple) and len(shown) < 120 else "", "")]
    doc = inspect.getdoc(value) or ""
    found = [(heading, signature(parsed(value)), doc)]
    if inspect.isclass(value):
        for each, member in vars(value).items():
            function = inspect.unwrap(getattr(member, "fget", None) or getattr(member, "func", member))
            function = getattr(function, "__func__", function)
            if not each.startswith("_") and inspect.isfunction(function):
                found += entry(f"{name}.{each}", function, level + 1)
    return found


def formatted(text: str) -> str:
    """Return Markdown with its code laid out by Ruff, as `just check` wants it."""
    command = [sys.executable, "-m", "ruff", "format", "-", f"--stdin-filename={PAGE}"]
    return subprocess.run(
        command, input=text, capture_output=True, encoding="utf-8", check=True, cwd=PAGE.parent
    ).stdout


def page() -> str:
    """Return the page."""
    entries: list[tuple[str, str, str]] = []
    for module in (*PACKAGES, *MODULES):
        imported = importlib.import_module(module)
        entries.append((f"## {module}", "", inspect.getdoc(imported) or ""))
        for name in names(module):
            entries += entry(name, getattr(imported, name), 3)
    lines = [HEAD]
    for heading, code, doc in entries:
        lines.append(f"{heading}\n")
        if code:
            lines.append(f"```python\n{code}\n```\n")
        text, _, examples = doc.partition("\n\n>>> ")
        if text:
            lines.append(f"{text}\n")
        if examples:
            lines.append(f"```pycon\n>>> {examples}\n```\n")
    return formatted("\n".join(lines).rstrip() + "\n")


def guide() -> str:
    """Return the guide of plans with its reference made anew."""
    return GUIDE.read_text(encoding="utf-8").partition(MARKER)[0] + reference()


def trees() -> str:
    """Return the page of datasets with the trees of their tables drawn anew."""
    text = DATASETS.read_text(encoding="utf-8")
    return TREE.sub(
        lambda found: found[1] + "".join(f"{line}\n" for line in tree(load_plan(found[2]))) + found[3], text
    )


def tree(dataset: Dataset) -> list[str]:
    """Return the tables of a dataset as they hang together, with their rows in the first 1,000 records and what a row is."""
    columns = dataset.columns(0, RECORDS)
    drawn = list(drawn_tables(dataset, ascii_only=False))
    width = max(len(lines + name) for lines, name in drawn)
    return [
        f"{lines + name:<{width}}  {len(next(iter(columns[name].values()))):>7,}  {dataset.table(name).description}".rstrip()
        for lines, name in drawn
    ]


def main() -> int:
    """Write the pages, or compare them."""
    pages = {PAGE: page(), GUIDE: guide(), DATASETS: trees()}
    if "--check" not in sys.argv[1:]:
        for path, made in pages.items():
            path.write_text(made, encoding="utf-8")
        return 0
    stale = [path.name for path, made in pages.items() if path.read_text(encoding="utf-8") != made]
    if stale:
        print(f"{' and '.join(stale)} in docs/ isn't what the code says; run `just docs`", file=sys.stderr)
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())

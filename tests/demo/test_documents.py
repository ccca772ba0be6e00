"""The demo's documents, recipes and workflows say what is so."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from demoing import Finished, entries
from esdh_demo.config import Profile, Runs, Server
from esdh_demo.paths import find_root

ROOT = find_root(Path(__file__))
READINESS = (ROOT / "docs" / "DEMO_READINESS.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "apps" / "demo-runner" / "src" / "esdh_demo"


def test_every_event_is_documented() -> None:
    """Each event that the code logs has its line in the document, and no other has."""
    source = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.glob("*.py"))
    logged = set(re.findall(r'"((?:run|step|port|log)\.[a-z]+)"', source))
    documented = set(re.findall(r"^\| `((?:run|step|port|log)\.[a-z]+)` \|", READINESS, flags=re.MULTILINE))
    assert logged == documented


def test_every_field_is_documented(finished: Finished) -> None:
    """Each field of a line of the log stands in the document."""
    for entry in entries(finished.paths):
        for name in entry:
            assert re.search(rf"`{name}[`.]", READINESS), name


def test_every_step_is_documented(finished: Finished) -> None:
    """Each step of the flow and of the validation has its line."""
    validation = re.findall(r'run\.step\("([a-z]+)"', (PACKAGE / "validation.py").read_text(encoding="utf-8"))
    for name in [*validation, *(step.name for step in finished.run.record.steps)]:
        assert f"| `{name}` |" in READINESS


@pytest.mark.parametrize(("section", "kind"), [("server", Server), ("runs", Runs), ("profiles.P", Profile)])
def test_every_key_is_documented(section: str, kind: type[msgspec.Struct]) -> None:
    """Each key of the configuration has its line, with its default."""
    for field in msgspec.structs.fields(kind):
        line = next(
            line for line in READINESS.splitlines() if line.startswith(f"| `{section}.{field.name}` |")
        )
        if field.default is not msgspec.NODEFAULT:
            assert line.endswith(f"| {field.default} |")


def test_recipes_call_python() -> None:
    """The demo's recipes are each one call of the entry point, so that they need no shell of a kind."""
    lines = (ROOT / "justfile").read_text(encoding="utf-8").splitlines()
    names = (
        "demo-gate",
        "demo",
        "demo-smoke",
        "demo-validate",
        "demo-stop",
        "demo-clean",
        "demo-log",
        "doctor",
    )
    for name in names:
        at = next(number for number, line in enumerate(lines) if re.match(rf"{name}( \*args)?:$", line))
        assert lines[at - 1].startswith("# ")
        assert re.fullmatch(r"    uv run esdh-demo [a-z -]+( \{\{ args \}\})?", lines[at + 1])
        assert "".join(lines[at + 2 : at + 3]) == ""


def workflow(name: str) -> dict[Any, Any]:
    """Return a workflow; YAML 1.1 reads its key `on` as true."""
    read: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))
    return read


def test_ci_runs_what_decides() -> None:
    """The CI workflow runs .ci/run and may read alone."""
    ci = workflow("ci.yml")
    assert {"contents": "read"} == ci["permissions"]
    assert ".ci/run" == ci["jobs"]["check"]["steps"][-1]["run"]


def test_snapshot_is_verified_before_it_is_published() -> None:
    """The snapshot workflow verifies before it packs; the job that may write runs no code of the repository."""
    jobs = workflow("snapshot.yml")["jobs"]
    assert {} == workflow("snapshot.yml")["permissions"]
    assert {"contents": "read"} == jobs["build"]["permissions"]
    commands = "\n".join(step.get("run", "") for step in jobs["build"]["steps"])
    assert commands.index("generate-snapshot") < commands.index("verify-snapshot") < commands.index("tar ")
    assert "build" == jobs["publish"]["needs"]
    assert not any("checkout" in step.get("uses", "") for step in jobs["publish"]["steps"])


@pytest.mark.parametrize("name", ["ci.yml", "snapshot.yml"])
def test_actions_are_pinned(name: str) -> None:
    """Every action is the platform's own, at a major version."""
    for job in workflow(name)["jobs"].values():
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])

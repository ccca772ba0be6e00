"""The examples of docs/EXTENDING.md, PLANS.md, DEFECTS.md and TESTING_WITH_ESDH.md: files are written, diffs applied, sessions and commands run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from esdh_cli.main import main
from esdh_plan.defects.overlay import KINDS
from guides import BLOCK, apply_diff, follow

ROOT = Path(__file__).resolve().parents[2]


def _path(name: str, folder: Path) -> Path:
    """Return where a file of the page stands: in the folder, with a copy of the package that it belongs to."""
    if not name.startswith("packages/"):
        return folder / name
    source, _, inside = name.partition("/src/")
    package = inside.partition("/")[0]
    if not (folder / package).exists():
        shutil.copytree(ROOT / source / "src" / package, folder / package)
    return folder / inside


def _install(folder: Path, project: dict[str, Any]) -> None:
    """Put into a folder what an installer tells Python of a package."""
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(head, encoding="utf-8")
    lines = [
        line
        for group, points in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


def test_extending(tmp_path: Path) -> None:
    """What docs/EXTENDING.md tells to add is all that is needed, and gives what it says."""
    kinds = set()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    for kind, name, text in BLOCK.findall((ROOT / "docs/EXTENDING.md").read_text(encoding="utf-8")):
        kinds.add(kind)
        if kind in ("python", "toml", "yaml"):
            _path(name, tmp_path).write_text(text, encoding="utf-8")
            if name == "pyproject.toml":
                _install(tmp_path, tomllib.loads(text)["project"])
        elif kind == "diff":
            apply_diff(_path(name, tmp_path), text)
        else:
            session = tmp_path / "session.txt"
            session.write_text(text, encoding="utf-8")
            done = subprocess.run(
                [sys.executable, "-m", "doctest", session],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
    assert {"python", "toml", "yaml", "diff", "pycon"} == kinds


def _printed(arguments: str) -> list[str]:
    """Return the lines that a command prints, on stdout and stderr as they come."""
    result = CliRunner().invoke(main, shlex.split(arguments), prog_name="esdh")
    return result.output.rstrip("\n").splitlines()


def _agrees(shown: list[str], printed: list[str]) -> bool:
    """Whether a page shows what is printed; a line of three dots stands for any lines."""
    if not shown:
        return not printed
    if shown[0] == "...":
        return any(_agrees(shown[1:], printed[at:]) for at in range(len(printed) + 1))
    return bool(printed) and shown[0] == printed[0] and _agrees(shown[1:], printed[1:])


@pytest.mark.parametrize("page", ["docs/PLANS.md"])
def test_guides(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file that a guide shows can be written, and every command after it prints what the guide shows."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text(encoding="utf-8")
    commands = 0
    for kind, name, body in re.findall(
        r"^```(yaml|console) ?([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    ):
        if kind == "yaml":
            path, _, added = name.partition(" ")
            with (tmp_path / path).open("a" if added else "x", encoding="utf-8") as file:
                file.write(body)
            continue
        for command, shown in re.findall(r"^\$ esdh (.+)\n((?:(?!\$ ).*\n)*)", body, re.MULTILINE):
            commands += 1
            printed = _printed(command)
            assert _agrees(shown.splitlines(), printed), (command, printed)
    assert commands > 5


def test_defects(tmp_path: Path) -> None:
    """The worked example of docs/DEFECTS.md finds and misses what it says, and its table has every kind."""
    page = (ROOT / "docs/DEFECTS.md").read_text(encoding="utf-8")
    kinds = []
    for kind, name, text in BLOCK.findall(page):
        kinds.append(kind)
        if kind == "console":
            follow(text, tmp_path)
        else:
            (tmp_path / name).write_text(text, encoding="utf-8")
    assert ["yaml", "console", "python", "console", "console", "console"] == kinds
    for known in KINDS.values():
        assert f"| `{known.word}` | {known.about} | {known.fits} |" in page


def test_testing(tmp_path: Path) -> None:
    """The tests of docs/TESTING_WITH_ESDH.md fail and pass as it says, and its commands print what it shows."""
    (tmp_path / "pytest.ini").touch()
    kinds = []
    for kind, name, text in BLOCK.findall((ROOT / "docs/TESTING_WITH_ESDH.md").read_text(encoding="utf-8")):
        kinds.append(kind)
        if kind == "python":
            (tmp_path / name).write_text(text, encoding="utf-8")
        elif kind == "diff":
            apply_diff(tmp_path / name, text)
        else:
            follow(text, tmp_path)
    assert ["python", "python", "console", "console", "diff", "console"] == kinds[:6]
    assert 6 == kinds.count("console")

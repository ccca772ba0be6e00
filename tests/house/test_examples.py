"""The examples of docs/EXTENDING.md, docs/PLANS.md and docs/TESTING_WITH_ESDH.md: files are written, diffs applied, sessions and commands run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(python|diff|pycon|console) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _path(name: str, folder: Path) -> Path:
    """Return where a file of the page stands: in the folder, with a copy of the package that it belongs to."""
    if not name.startswith("packages/"):
        return folder / name
    source, _, inside = name.partition("/src/")
    package = inside.partition("/")[0]
    if not (folder / package).exists():
        shutil.copytree(ROOT / source / "src" / package, folder / package)
    return folder / inside


def _apply(path: Path, diff: str) -> None:
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] or line for line in lines if not line.startswith("+")).rstrip("\n")
    after = "".join(line[1:] or line for line in lines if not line.startswith("-")).rstrip("\n")
    text = path.read_text(encoding="utf-8")
    assert 1 == text.count(before), f"{path.name} has this not once: {before}"
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_extending(tmp_path: Path) -> None:
    """What docs/EXTENDING.md tells to add is all that is needed, and gives what it says."""
    kinds = set()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    for kind, name, text in BLOCK.findall((ROOT / "docs/EXTENDING.md").read_text(encoding="utf-8")):
        kinds.add(kind)
        if kind == "python":
            _path(name, tmp_path).write_text(text, encoding="utf-8")
        elif kind == "diff":
            _apply(_path(name, tmp_path), text)
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
    assert {"python", "diff", "pycon"} == kinds


def test_plans(tmp_path: Path) -> None:
    """The plan of docs/PLANS.md is sound, and every command that is shown for it works, in order."""
    text = (ROOT / "docs/PLANS.md").read_text(encoding="utf-8")
    [(name, plan)] = re.findall(r"^```yaml (\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / name).write_text(plan, encoding="utf-8")
    commands = re.findall(r"^\$ esdh (.+)$", text, re.MULTILINE)
    assert ["check-plan", "sample", "generate-snapshot", "verify-snapshot", "reproduce"] == [
        command.split()[0] for command in commands
    ]
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "esdh_cli", *shlex.split(command)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (0, True) == (done.returncode, bool(done.stdout)), (command, done.stderr)


def _follow(session: str, folder: Path) -> None:
    """Run the commands of a session and hold what each prints against what the page shows: `...` stands for anything."""
    environment = {**os.environ, "COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1"}
    modules = {
        "pytest": ["pytest", "-p", "no:cacheprovider", "-p", "no:randomly"],
        "esdh": ["esdh_cli"],
        "python": [],
    }
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        program, *arguments = shlex.split(command)
        module = [*(["-m"] if modules[program] else []), *modules[program]]
        done = subprocess.run(
            [sys.executable, *module, *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        place = 0
        for piece in shown.split("...\n"):
            assert piece in done.stdout[place:], (command, piece, done.stdout)
            place = done.stdout.index(piece, place) + len(piece)
        assert shown or done.returncode == 0, (command, done.stdout)


def test_testing(tmp_path: Path) -> None:
    """The tests of docs/TESTING_WITH_ESDH.md fail and pass as it says, and its commands print what it shows."""
    (tmp_path / "pytest.ini").touch()
    kinds = []
    for kind, name, text in BLOCK.findall((ROOT / "docs/TESTING_WITH_ESDH.md").read_text(encoding="utf-8")):
        kinds.append(kind)
        if kind == "python":
            (tmp_path / name).write_text(text, encoding="utf-8")
        elif kind == "diff":
            _apply(tmp_path / name, text)
        else:
            _follow(text, tmp_path)
    assert ["python", "python", "console", "console", "diff", "console"] == kinds[:6]
    assert 5 == kinds.count("console")

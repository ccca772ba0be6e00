"""Plans that are wrong, as their authors meet them: through the command line, with all that is told.

`wrong/` has a plan for each mistake, and files that some of them read. What a plan is told stands at its end, after
`# is told:`; it is compared whole. To renew it after a message was changed on purpose, run this file:
`PYTHONPATH=tests uv run python tests/plan/test_wrong.py`, and read what changed.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from esdh_cli.main import main

WRONG = Path(__file__).parent / "wrong"
PLANS = sorted(path.name for path in WRONG.glob("*.yaml"))
MARK = "# is told:\n"


def run(*args: object) -> Result:
    """Run esdh in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args], catch_exceptions=False)


def told_in(path: Path) -> str:
    """Return what a plan says that it is told."""
    told = path.read_text(encoding="utf-8").partition(MARK)[2]
    return "".join(f"{line.removeprefix('# ')}\n" for line in told.splitlines())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the plans."""
    copy = tmp_path_factory.mktemp("wrong") / "plans"
    shutil.copytree(WRONG, copy)
    return copy


@pytest.mark.parametrize("name", PLANS)
def test_plan_is_refused_and_nothing_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A wrong plan gives its faults, exit status 2, and no file, whatever was asked for."""
    monkeypatch.chdir(folder)
    before = sorted(Path().iterdir())
    for made in (
        run("check-plan", name),
        run("generate-snapshot", "--plan", name, "--records", 10, "--output-dir", "out"),
    ):
        assert (2, "", told_in(WRONG / name)) == (made.exit_code, made.stdout, made.stderr)
    assert before == sorted(Path().iterdir())


def test_faults_stand_in_the_order_of_their_lines() -> None:
    """What a plan is told goes from its beginning to its end."""
    for name in PLANS:
        told = [line.split(", ")[1] for line in told_in(WRONG / name).splitlines()]
        lines = [
            int(word.removeprefix("line ").partition(":")[0]) for word in told if word.startswith("line ")
        ]
        assert sorted(lines) == lines, name


def renew() -> None:
    """Write at the end of each plan what it is told now."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(WRONG, copy, dirs_exist_ok=True)
        os.chdir(copy)
        for name in PLANS:
            text = (WRONG / name).read_text(encoding="utf-8").partition(MARK)[0]
            told = "".join(f"# {line}\n" for line in run("check-plan", name).stderr.splitlines())
            (WRONG / name).write_text(f"{text}{MARK}{told}", encoding="utf-8")


if __name__ == "__main__":
    renew()

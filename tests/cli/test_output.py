"""`--json` prints one JSON document, whatever the names in it."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from esdh_cli.main import main


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole snapshot."""
    folder = tmp_path_factory.mktemp("pristine") / "snapshot"
    run = CliRunner().invoke(main, ["generate-snapshot", "--output-dir", str(folder)], catch_exceptions=False)
    assert 0 == run.exit_code
    return folder


def answered(*arguments: str | Path) -> dict[str, object]:
    """Return the document that a command prints."""
    result = CliRunner().invoke(main, [*map(str, arguments), "--json"], catch_exceptions=False)
    document: dict[str, object] = json.loads(result.stdout)
    return document


def test_names_that_are_no_utf8_are_spelled_out(pristine: Path, tmp_path: Path) -> None:
    """A folder, a file too many in it and a log whose names JSON can't hold are answered like any others."""
    odd = Path(shutil.copytree(pristine, tmp_path / "a\udcff"))
    assert f"{tmp_path}/a\\udcff" == answered("diff-snapshots", odd, odd)["a"]
    assert ("passed", f"{tmp_path}/a\\udcff") == tuple(
        answered("verify-snapshot", odd)[name] for name in ("verdict", "folder")
    )
    (odd / "\udcfe").touch()
    checks = answered("verify-snapshot", odd)["checks"]
    assert isinstance(checks, list)
    assert "\\udcfe" == next(check for check in checks if check["name"] == "files")["first"]["file"]
    (tmp_path / "b\udcff.jsonl").touch()
    assert f"{tmp_path}/b\\udcff.jsonl" == answered("verify-audit", tmp_path / "b\udcff.jsonl")["file"]


def test_arguments_that_are_no_utf8_are_spelled_out(tmp_path: Path) -> None:
    """What a run wrote, and an id that is none, are answered in JSON whatever bytes they were named with."""
    assert (
        f"{tmp_path}/c\\udcff"
        == answered("generate-snapshot", "--output-dir", tmp_path / "c\udcff")["output_dir"]
    )
    errors = answered("reproduce", "\udcff")["errors"]
    assert isinstance(errors, list)
    assert "\\udcff" == errors[0]["id"]

"""What a command tells of a plan that it can't open, and of records that a plan can't have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from esdh_cli.main import main
from esdh_plan.locks import read_lock

HEAD = "esdh: plan/1\nname: few\nversion: 1\nreference_date: 2026-01-01\ntables:\n  buyers:\n    fields:\n"
FEW = f'{HEAD}      code: {{pattern: "[0-9]{{3}}", unique: true}}\n'
FULL = f"{HEAD}      i: {{id: true}}\n  orders: {{per: buyers, count: 1, room: 16777216, fields: {{n: k}}}}\n"
FIRMS = f"{HEAD}      firm: {{faker: {{provider: company, pool: 3}}}}\n"


def run(*args: object) -> Result:
    """Run esdh in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args], prog_name="esdh", catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with plans and what is no plan."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "few.yaml").write_text(FEW, encoding="utf-8")
    (tmp_path / "full.yaml").write_text(FULL, encoding="utf-8")
    (tmp_path / "latin.yaml").write_bytes("esdh: plan/1\nname: café\n".encode("latin-1"))
    (tmp_path / "folder.yaml").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.yaml")
    return tmp_path


UNIQUE = "1,001 records are too many for buyers.code, which is unique and has 1,000 values for 1,001 slots; a pattern of 4 digits, [0-9]{4}, would do, or at most 1,000 records"
IDS = "2,000,000 records are too many for the ids of orders: a record takes 16,777,216 slots of 2^44, so 1,048,576 records are the most; lower counts or `room` would do"
NONE = "there is no such file or folder"


@pytest.mark.parametrize(
    ("args", "status", "told"),
    [
        (["check-plan", "fews.yaml"], 2, f"fews.yaml: {NONE}; did you mean 'few.yaml'?"),
        (["generate-snapshot", "--plan", "./few.yml"], 2, f"./few.yml: {NONE}; did you mean 'few.yaml'?"),
        (["sample", "--plan", "none/few.yml"], 2, f"none/few.yml: {NONE}"),
        (
            ["sample", "--plan", "few"],
            2,
            "few: no plan of this name ships; there are v0.1, bank, insurance, people and shop, and a file is given by a path with a slash or a suffix; the file here is ./few.yaml",
        ),
        (
            ["sample", "--plan", "lati"],
            2,
            "lati: no plan of this name ships; there are v0.1, bank, insurance, people and shop, and a file is given by a path with a slash or a suffix; did you mean './latin.yaml'?",
        ),
        (
            ["sample", "--plan", ""],
            2,
            "'': a plan has a name (v0.1, bank, insurance, people or shop), or is a file or a snapshot's folder",
        ),
        (
            ["show-plan", "--plan", "latin.yaml"],
            2,
            "latin.yaml, line 2: it isn't UTF-8: the byte 0xe9 is no character; save the file as UTF-8",
        ),
        (
            ["check-plan", "folder.yaml"],
            1,
            "Error: folder 'folder.yaml' is no snapshot: there is no snapshot_manifest_*.json in it",
        ),
        (["lock-plan", "pipe.yaml"], 2, "pipe.yaml: it is no file; give the path of a YAML file"),
        (["check-plan", "/dev/zero"], 2, "/dev/zero: it is no file; give the path of a YAML file"),
        (
            ["generate-snapshot", "--plan", "few.yaml", "--records", "1001"],
            2,
            f"Error: {UNIQUE} (see esdh generate-snapshot --help)",
        ),
        (
            ["check-plan", "few.yaml", "--records", "1001"],
            2,
            f"Error: {UNIQUE} (see esdh check-plan --help)",
        ),
        (
            ["generate-snapshot", "--plan", "full.yaml", "--records", "2000000"],
            2,
            f"Error: {IDS} (see esdh generate-snapshot --help)",
        ),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="it has no pipes with names, and no such devices")
def test_refused_in_one_sentence(folder: Path, args: list[str], status: int, told: str) -> None:
    """What can't be opened or made is told in one sentence, and nothing is written."""
    before = sorted(folder.rglob("*"))
    made = run(*args)
    assert (status, "", f"{told}\n") == (made.exit_code, made.stdout, made.stderr)
    assert before == sorted(folder.rglob("*"))


def test_process_tells_all_faults_and_writes_nothing(folder: Path) -> None:
    """The command itself, in a process of its own, tells every fault on stderr and exits with 2."""
    (folder / "bad.yaml").write_text(
        HEAD.replace("version", "versoin") + "      a: othr + 1\n", encoding="utf-8"
    )
    before = sorted(folder.rglob("*"))
    command = [sys.executable, "-m", "esdh_cli", "generate-snapshot", "--plan", "bad.yaml"]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (2, "") == (made.returncode, made.stdout)
    assert [
        "bad.yaml, line 3, versoin: unknown key 'versoin'; did you mean 'version'?",
        "bad.yaml, line 8, tables.buyers.fields.a: 'buyers' has no field 'othr'",
    ] == made.stderr.splitlines()
    assert before == sorted(folder.rglob("*"))


def test_damaged_lock_is_made_again_when_told(folder: Path) -> None:
    """A lock that can't be read is kept, until --renew says that its pools may be made anew."""
    (folder / "firms.yaml").write_text(FIRMS, encoding="utf-8")
    lock = folder / "firms.lock.json"
    lock.write_text("<<<<<<< ours\n", encoding="utf-8")
    made = run("lock-plan", "firms.yaml")
    assert 2 == made.exit_code
    assert made.stderr.startswith("firms.lock.json: it is no lock (")
    assert made.stderr.endswith("; `esdh lock-plan firms.yaml --renew` makes it again\n")
    assert "<<<<<<< ours\n" == lock.read_text(encoding="utf-8")
    assert 0 == run("lock-plan", "firms.yaml", "--renew").exit_code
    assert 3 == len(read_lock(folder, "firms.yaml")["company/en_US/3"])

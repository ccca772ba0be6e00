"""One end-to-end pass over the installed command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.smoke, pytest.mark.demo]


def esdh(*args: str, cwd: Path) -> str:
    """Run the installed command and return what it prints."""
    command = [str(Path(sys.executable).with_name("esdh")), *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout


def test_thousand_records_end_to_end(tmp_path: Path) -> None:
    """1,000 records in every format are written, checked by sha256sum, and any id reproduces its record."""
    formats = ("csv", "json", "ndjson", "parquet")
    out = esdh(
        "generate-snapshot",
        "--output-dir",
        "s",
        "--records",
        "1000",
        "--output-format",
        *formats,
        cwd=tmp_path,
    )
    assert "1,000 persons" in out
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=tmp_path / "s", check=True)
    row = json.loads((tmp_path / "s" / "profiles_v0_1.ndjson").read_text().splitlines()[777])
    record = json.loads(esdh("reproduce", "--json", row["vehicle_id"], cwd=tmp_path))["records"][0]
    assert (777, row) == (record["index"], record["profile"])
    assert json.loads(esdh("show-plan", "--json", cwd=tmp_path))["default_seed"] == 20240601

"""The demo's configuration is decoded strictly, and a refusal says where and what is near."""

from pathlib import Path

import pytest
from esdh_core import DEFAULT_RECORDS, DEFAULT_SEED
from esdh_demo.config import Config, Profile, read_config
from esdh_demo.errors import DemoError
from esdh_demo.paths import Paths, find_root

COMMITTED = Paths(find_root(Path(__file__)))
GOOD = """\
server:
  port: 0
runs:
  keep: 5
profiles:
  baseline:
    description: Few
    records: 200
    seed: 20240601
    formats: [csv, json]
"""


def read(folder: Path, text: str | bytes) -> Config:
    """Return the configuration of a repository with such a file."""
    paths = Paths(folder)
    paths.config.parent.mkdir(parents=True)
    paths.config.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_config(paths)


def refusal(folder: Path, text: str | bytes) -> str:
    """Return why a configuration is refused."""
    with pytest.raises(DemoError) as caught:
        read(folder, text)
    return caught.value.what


def test_committed_profiles() -> None:
    """The committed file has the three profiles, as promised."""
    profiles = read_config(COMMITTED).profiles
    assert ["baseline", "heavy", "exploratory"] == list(profiles)
    assert (DEFAULT_RECORDS, DEFAULT_SEED) == (profiles["baseline"].records, profiles["baseline"].seed)
    assert (100_000, ["csv", "json", "ndjson", "parquet"]) == (
        profiles["heavy"].records,
        profiles["heavy"].formats,
    )
    assert "random" == profiles["exploratory"].seed


def test_what_may_be_left_out(tmp_path: Path) -> None:
    """Server and runs have defaults; a profile has none."""
    config = read(tmp_path, GOOD[GOOD.index("profiles:") :])
    assert (0, 5) == (config.server.port, config.runs.keep)
    expected = Profile(description="Few", records=200, seed=20240601, formats=["csv", "json"])
    assert {"baseline": expected} == config.profiles


@pytest.mark.parametrize(
    ("old", "new", "where", "why"),
    [
        (
            "records:",
            "recrods:",
            "line 8, profiles.baseline.recrods",
            "unknown key 'recrods'; did you mean 'records'?",
        ),
        (
            "records: 200",
            "records: two",
            "line 8, profiles.baseline.records",
            "expected a whole number from 1 to 8,589,934,592; found 'two'",
        ),
        (
            "records: 200",
            "records: 0",
            "line 8, profiles.baseline.records",
            "expected a whole number from 1 to 8,589,934,592; found 0",
        ),
        ("records: 200", "records: '200'", "line 8, profiles.baseline.records", "a whole number"),
        (
            "20240601",
            "randm",
            "line 9, profiles.baseline.seed",
            "a whole number from 0 to 9,007,199,254,740,991 or `random`",
        ),
        ("20240601", "-1", "line 9, profiles.baseline.seed", "found -1"),
        ("20240601", "1.5", "line 9, profiles.baseline.seed", "found 1.5"),
        ("20240601", "true", "line 9, profiles.baseline.seed", "found true"),
        ("json]", "jsn]", "line 10, profiles.baseline.formats[1]", "found 'jsn'; did you mean 'json'?"),
        ("[csv, json]", "csv", "line 10, profiles.baseline.formats", "expected a list; found 'csv'"),
        ("[csv, json]", "[csv, csv]", "line 6, profiles.baseline", "a format is given twice"),
        ("[csv, json]", "[parquet]", "line 6, profiles.baseline", "parquet alone can't be compared"),
        ("    records: 200\n", "", "line 6, profiles.baseline", "the key 'records' is missing"),
        (
            "    records: 200\n",
            "    records: 200\n    records: 3\n",
            "line 9",
            "given twice, first in line 8",
        ),
        ("  port: 0", "  prot: 0", "line 2, server.prot", "did you mean 'port'?"),
        ("  port: 0", "  port: 70000", "line 2, server.port", "from 0 to 65,535; found 70000"),
        ("server:", "sevrer:", "line 1, sevrer", "did you mean 'server'?"),
        (
            "baseline:",
            "Base Line:",
            "line 6, profiles.Base Line",
            "expected lower-case letters, digits and hyphens",
        ),
        ("baseline:", "../up:", "line 6, profiles.../up", "expected lower-case letters, digits and hyphens"),
        ("keep: 5", "keep: [5", "line 5", "this isn't YAML"),
        ("keep: 5", "keep: 2024-13-45", "line 4, runs.keep", "found '2024-13-45'"),
        (GOOD, "", "", "expected {server, runs, profiles}; found nothing"),
        (GOOD, "- 1", "line 1", "expected {server, runs, profiles}; found a list of 1"),
        (GOOD, "profiles: {}", "line 1, profiles", "at least one entry is needed"),
    ],
)
def test_refusals(tmp_path: Path, old: str, new: str, where: str, why: str) -> None:
    """What is wrong is refused with its line, its path in the file, the reason and the near match."""
    assert old in GOOD
    reason = refusal(tmp_path, GOOD.replace(old, new, 1))
    assert reason.startswith(f"config/demo.yaml, {where}" if where else "config/demo.yaml")
    assert why in reason


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A file that isn't UTF-8, and one with a control character, are refused plainly."""
    assert "it isn't UTF-8" in refusal(tmp_path / "a", b"\xff\xfe\x00")
    assert "the character U+0007 can't stand" in refusal(tmp_path / "b", b"a: \x07")


def test_file_that_is_missing(tmp_path: Path) -> None:
    """A file that isn't there is named."""
    with pytest.raises(DemoError, match=r"config/demo\.yaml: it can't be read: No such file"):
        read_config(Paths(tmp_path))


def test_profile_that_is_unknown() -> None:
    """A profile that the file doesn't have is refused with the near match."""
    with pytest.raises(DemoError, match="did you mean 'baseline'"):
        read_config(COMMITTED).profile("baselin")

"""Rules that other packages offer: a plan takes those that it names, from check to verification, and no other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from esdh_export import SnapshotRequest, write_snapshot
from esdh_plan import PlanError, load_plan, load_recipe
from esdh_proof import judge, verify_snapshot

MODULE = """
import sys
from fractions import Fraction

import numpy as np
from esdh_core.choices import Choice
from esdh_core.columns import Categorical, Categories
from esdh_core.streams import high32
from esdh_plan import Offer, Rule
from esdh_plan.definitions import Definition
from esdh_plan.expressions import ValueType
from msgspec import Struct

class Words(Struct, frozen=True, forbid_unknown_fields=True):
    heads: int = 1

class Coin(Rule, frozen=True):
    coin: Words

def column_of(rule, place):
    weights = [rule.coin.heads, 1]
    chosen, sides = Choice([weights]), Categories(["heads", "tails"])
    return Definition(
        ValueType("string", labels=("heads", "tails")),
        lambda block: Categorical(chosen.codes(high32(place.words(block))), sides),
        "A coin that is tossed",
        streams=(place.stream,),
        shares=dict(zip(sides.values, (Fraction(each, sum(weights)) for each in weights))),
    )

offer = Offer(Coin, column_of)
"""
PLAN = """\
esdh: plan/1
name: tosses
version: 1
reference_date: 2024-06-01
uses: [Esdh-Coins]
tables:
  games:
    fields:
      game_id: {id: true}
      first: {coin: {heads: 3}}
      won: "first == 'heads'"
  tosses:
    per: games
    count: {by: first, of: {heads: 2, tails: {from: 0, to: 3}}}
    fields:
      side: {case: [{when: k == 0, coin: {}}, {value: tails}]}
      again: {coin: {heads: 9}, missing: 20%, stream: side_again}
"""


def install(folder: Path, module: str = MODULE, version: str = "1.0") -> None:
    """Put the package in a folder, as an installer would."""
    (folder / "esdh_coins.py").write_text(module, encoding="utf-8")
    info = folder / f"esdh_coins-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: esdh-coins\nVersion: {version}\n", "utf-8")
    (info / "entry_points.txt").write_text("[esdh.rules]\ncoin = esdh_coins:offer\n", "utf-8")


def esdh(folder: Path, *args: str, path: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, in a process of its own that finds packages on a path."""
    return subprocess.run(
        [sys.executable, "-m", "esdh_cli", *args],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the plan, and a package in a folder beside it."""
    (tmp_path / "tosses.yaml").write_text(PLAN, encoding="utf-8")
    (tmp_path / "site").mkdir()
    install(tmp_path / "site")
    return tmp_path


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with the package where this process finds it, imported afresh."""
    monkeypatch.syspath_prepend(str(folder / "site"))
    monkeypatch.delitem(sys.modules, "esdh_coins", raising=False)
    monkeypatch.setattr("esdh_plan.recipe._known", {})
    return folder


def test_a_package_from_check_to_verification(folder: Path) -> None:
    """Commands take the rule of a package that is installed; once it is gone they say which one is needed."""
    site, out = str(folder / "site"), ["--output-dir", "out"]
    for command in (
        ["check-plan", "tosses.yaml"],
        [
            "generate-snapshot",
            "--plan",
            "./tosses.yaml",
            *out,
            "--workers",
            "2",
            "--output-format",
            "csv",
            "parquet",
        ],
        ["verify-snapshot", "out"],
    ):
        done = esdh(folder, *command, path=site)
        assert (0, "") == (done.returncode, done.stderr if command[0] == "check-plan" else ""), done.stderr
    (folder / "tosses.yaml").unlink()
    assert 0 == esdh(folder, "verify-snapshot", "out", path=site).returncode
    recipe = json.loads((folder / "out" / "plan_tosses_v1.json").read_bytes())
    assert {"esdh-coins": "1.0"} == recipe["packages"]
    without = esdh(folder, "verify-snapshot", "out", path="")
    assert 1 == without.returncode
    told = "uses[0]: no installed package 'Esdh-Coins' offers rules; install it; did you mean 'esdh-plan'?; the recipe was made with its version 1.0"
    assert told in without.stdout + without.stderr


def test_nothing_unnamed_is_imported(folder: Path) -> None:
    """A plan that names no package imports none, though one is installed and offers its word."""
    for uses, expected in (("", "False\n"), ("uses: [esdh-coins]\n", "True\n")):
        text = f"esdh: plan/1\nname: a\nversion: 1\nreference_date: 2024-06-01\n{uses}tables: {{a: {{fields: {{b: {{id: true}}}}}}}}\n"
        (folder / "a.yaml").write_text(text, encoding="utf-8")
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys, esdh_plan; esdh_plan.load_plan('a.yaml').bundle(2); print('esdh_coins' in sys.modules)",
            ],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder / "site")},
            capture_output=True,
            text=True,
            check=True,
        )
        assert expected == done.stdout


def test_its_values_follow_the_fields_stream(here: Path) -> None:
    """A rule of a package draws by the field's own stream, in any window, and in a branch of a case."""
    dataset = load_plan(here / "tosses.yaml")
    whole = dataset.rows("tosses", 60, 7)
    assert whole == [row for start in range(0, 60, 20) for row in dataset.rows("tosses", 20, 7, start)]
    assert {"heads", "tails", None} == {row.again for row in whole}
    assert {"heads", "tails"} == {row.side for row in whole}
    renamed = (here / "tosses.yaml").read_text().replace("again:", "more:")
    (here / "renamed.yaml").write_text(renamed, encoding="utf-8")
    assert [row.again for row in whole] == [
        row.more for row in load_plan(here / "renamed.yaml").rows("tosses", 60, 7)
    ]


def test_its_shares_are_counted_and_judged(here: Path) -> None:
    """The shares that a package's rule declares are gates; other odds than it declares fail them."""
    dataset = load_plan(here / "tosses.yaml")
    request = SnapshotRequest(dataset=dataset, records=20_000, formats=("parquet",))
    written = write_snapshot(here / "out", request)
    counts = written.manifest.stats["games"]["games.first"]
    assert 20_000 == sum(counts.values())
    assert "passed" == judge(written.manifest.stats, dataset=dataset).verdict
    skewed = {**written.manifest.stats, "games": {"games.first": {"heads": 13_000, "tails": 7_000}}}
    assert "failed" == judge(skewed, dataset=dataset).verdict


def test_another_version_is_told_by_the_fields_that_it_made(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recipe keeps the version that it was made with; a plan that is compiled with another has other digests."""
    old = load_plan(here / "tosses.yaml")
    (here / "site" / "esdh_coins-1.0.dist-info").rename(here / "site" / "esdh_coins-1.1.dist-info")
    metadata = here / "site" / "esdh_coins-1.1.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("1.0", "1.1"), encoding="utf-8")
    monkeypatch.setattr("esdh_plan.recipe._known", {})
    again, new = load_recipe(old.plan_json, "plan.json"), load_plan(here / "tosses.yaml")
    assert old.field_hashes == again.field_hashes
    assert {"games.first", "tosses.side", "tosses.again"} == {
        name for name, digest in new.field_hashes.items() if digest != old.field_hashes[name]
    }
    write_snapshot(here / "out", SnapshotRequest(dataset=old, records=20))
    assert "passed" == verify_snapshot(here / "out").verdict


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "import sys\n",
            "raise OSError('no coins')\n",
            r"the rule 'coin' of 'Esdh-Coins' can't be loaded: no coins",
        ),
        (
            "heads: int = 1",
            "heads: complex = 1",
            "the rule 'coin' of 'Esdh-Coins' has words that a plan can't hold",
        ),
        ("Offer(Coin, column_of)", "Offer(3, column_of)", "is no Offer with a Rule of the one key 'coin'"),
        (
            "weights = [rule.coin.heads, 1]",
            "1 / 0",
            r"the rule 'coin' of esdh-coins failed: ZeroDivisionError",
        ),
        ("return Definition(", "return str(", "the rule 'coin' of esdh-coins failed: TypeError"),
        ("weights = [rule.coin.heads, 1]", "return 'heads'", "made no Definition, but 'heads'"),
    ],
)
def test_a_faulty_package_is_told(here: Path, old: str, new: str, expected: str) -> None:
    """Whatever is wrong with a package is one sentence at the place of the plan that needs it."""
    assert old in MODULE
    install(here / "site", MODULE.replace(old, new, 1))
    with pytest.raises(PlanError, match=expected):
        load_plan(here / "tosses.yaml")


def test_an_edited_version_is_refused(here: Path) -> None:
    """A recipe that names other packages than its plan isn't taken."""
    recipe = load_plan(here / "tosses.yaml").plan_json
    edited = recipe.replace(b'"esdh-coins": "1.0"', b'"esdh-coins": "1.0", "esdh-dice": "2.0"')
    assert recipe != edited
    with pytest.raises(PlanError, match="so it was edited"):
        load_recipe(edited, "plan.json")


def test_the_schema_has_the_rules_that_are_asked_for(folder: Path) -> None:
    """`check-plan --schema --uses` prints the JSON Schema with a package's rules; one that isn't there is wrong usage."""
    site = str(folder / "site")
    plain = esdh(folder, "check-plan", "--schema", path=site)
    more = esdh(folder, "check-plan", "--schema", "--uses", "esdh-coins", "--uses", "esdh-plan", path=site)
    words = [
        {
            name
            for each in json.loads(done.stdout)["$defs"]["Field"]["anyOf"][1]["oneOf"]
            for name in each["required"]
        }
        for done in (plain, more)
    ]
    assert {"coin", "vin", "license_number"} == words[1] - words[0]
    wrong = esdh(folder, "check-plan", "--schema", "--uses", "esdh-coin", path=site)
    assert 2 == wrong.returncode
    assert (
        "no installed package 'esdh-coin' offers rules; install it; did you mean 'esdh-coins'?"
        in wrong.stderr
    )

"""The command line on datasets that plans make: check, lock, sample, show, generate and reproduce."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from esdh_cli.main import main
from esdh_core import DEFAULT_DATASET, canonical_id
from esdh_core.ids import TaggedIds
from esdh_plan import load_plan, plans
from esdh_plan.language import json_schema
from msgspec import to_builtins

PLANS = Path(__file__).resolve().parents[1] / "plan" / "plans"
BANK = PLANS / "bank.yaml"
TABLES = ["merchants", "customers", "accounts", "transactions"]


def run(*args: object) -> Result:
    """Run esdh in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args], catch_exceptions=False)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of forty records of the bank in every text format."""
    folder = tmp_path_factory.mktemp("plans") / "bank"
    made = run(
        *("generate-snapshot", "--plan", BANK, "--records", 40, "--output-dir", folder),
        *("--output-format", "csv", "json", "ndjson"),
    )
    assert 0 == made.exit_code, made.output
    return folder


def test_summary_counts_the_rows_of_each_table(tmp_path: Path) -> None:
    """What a plan's snapshot holds is told by records and by rows a table, and the way to find a row names the plan."""
    told = run("generate-snapshot", "--plan", BANK, "--records", 5, "--output-dir", tmp_path / "s").stdout
    rows = len((tmp_path / "s" / "accounts_bank_v1.csv").read_text(encoding="utf-8").splitlines()) - 1
    assert "  records  5\n" in told
    assert f"500 merchants, 5 customers, {rows} accounts, " in told
    assert f"esdh reproduce ID --plan {BANK}" in told


def test_default_folder_is_the_slug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless told, a plan's snapshot takes the folder of its slug."""
    monkeypatch.chdir(tmp_path)
    assert 0 == run("generate-snapshot", "--plan", "bank", "--records", 1).exit_code
    assert (tmp_path / "data/snapshots/bank_v1/snapshot_manifest_bank_v1.json").is_file()


def test_filter_takes_the_tables_of_the_plan(tmp_path: Path) -> None:
    """Only the tables that are named are written, with the values that they have beside the others."""
    folder = tmp_path / "s"
    made = run(
        *("generate-snapshot", "--plan", BANK, "--records", 40, "--output-dir", folder),
        *("--output-format", "csv", "--entity-filter", "accounts,transactions"),
    )
    assert 0 == made.exit_code
    assert {"accounts_bank_v1.csv", "transactions_bank_v1.csv"} == {
        each.name for each in folder.glob("*.csv")
    }


def test_filtered_table_has_its_values(tmp_path: Path, snapshot: Path) -> None:
    """A filter changes no byte of the tables that stay."""
    folder = tmp_path / "s"
    run(
        *("generate-snapshot", "--plan", BANK, "--records", 40, "--output-dir", folder),
        *("--entity-filter", "accounts"),
    )
    name = "accounts_bank_v1.csv"
    assert (snapshot / name).read_bytes() == (folder / name).read_bytes()


def test_snapshot_is_a_plan(tmp_path: Path, snapshot: Path) -> None:
    """A snapshot's folder stands for its plan: the same rows come of it."""
    assert (
        0
        == run(
            *("generate-snapshot", "--plan", snapshot, "--records", 40, "--output-dir", tmp_path / "s"),
            *("--output-format", "csv"),
        ).exit_code
    )
    for table in TABLES:
        name = f"{table}_bank_v1.csv"
        assert (snapshot / name).read_bytes() == (tmp_path / "s" / name).read_bytes()


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (
            ["--plan", "bnak"],
            "bnak: no plan of this name ships; there are v0.1, bank, insurance, people and shop, and a file is given by a path with ",
        ),
        (["--plan", "v0.2"], "v0.2: there is no such file or folder; did you mean 'v0.1'?"),
        (["--plan", "bank.yml"], "bank.yml: there is no such file or folder; did you mean 'bank'?"),
        (
            ["--plan", "bank", "--entity-filter", "acounts"],
            "Error: Invalid value for '--entity-filter': 'acounts' is not one of ",
        ),
        (["--plan", "bank", "--shard-rows", "5"], "Error: shard rows 5 is not a positive multiple of 65536"),
    ],
)
def test_wrong_use_is_told_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], sentence: str
) -> None:
    """A plan or an option that is wrong gives one sentence, exit status 2, and no folder."""
    monkeypatch.chdir(tmp_path)
    made = run("generate-snapshot", *args)
    assert 2 == made.exit_code
    assert made.stderr.startswith(sentence), made.stderr
    assert [] == list(tmp_path.iterdir())


def test_records_past_a_unique_field(tmp_path: Path) -> None:
    """Records beyond the capacity of a unique field are wrong usage, which names the field and what would do."""
    plan = tmp_path / "few.yaml"
    plan.write_text(
        "esdh: plan/1\nname: few\nversion: 1\nreference_date: 2024-06-01\n"
        'tables:\n  things:\n    fields:\n      code: {pattern: "[0-9]{2}", unique: true}\n',
        encoding="utf-8",
    )
    made = run("generate-snapshot", "--plan", plan, "--records", 101, "--output-dir", tmp_path / "s")
    assert 2 == made.exit_code
    assert "things.code" in made.stderr
    assert not (tmp_path / "s").exists()
    assert 100 == json.loads(run("check-plan", plan, "--records", 10, "--json").stdout)["max_records"]


def broken(folder: Path, kind: str) -> None:
    """Damage a copy of a snapshot."""
    recipe = folder / "plan_bank_v1.json"
    manifest = folder / "snapshot_manifest_bank_v1.json"
    if kind == "no manifest":
        manifest.unlink()
    elif kind == "no recipe":
        recipe.unlink()
    elif kind == "edited recipe":
        recipe.write_bytes(recipe.read_bytes().replace(b"grocery", b"grocers"))
    elif kind == "not JSON":
        manifest.write_text("{", encoding="utf-8")
    else:
        text = manifest.read_text(encoding="utf-8").replace('"bank v1"', '"v0.1"')
        manifest.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("no manifest", "is no snapshot: there is no snapshot_manifest_*.json in it"),
        ("no recipe", "is of bank v1, and has no recipe, plan_bank_v1.json"),
        ("edited recipe", "plan_bank_v1.json, was changed"),
        ("not JSON", "can't be read"),
        ("another version", "another version of the program made it"),
    ],
)
def test_folder_that_is_no_plan(tmp_path: Path, snapshot: Path, kind: str, reason: str) -> None:
    """A folder that gives no dataset is told in one sentence with exit status 1, and nothing is written."""
    folder = tmp_path / "copy"
    shutil.copytree(snapshot, folder)
    broken(folder, kind)
    made = run("generate-snapshot", "--plan", folder, "--output-dir", tmp_path / "s")
    assert 1 == made.exit_code
    assert reason in made.stderr
    assert 1 == made.stderr.count("\n")
    assert not (tmp_path / "s").exists()


def test_check_tells_every_fault(tmp_path: Path) -> None:
    """Every fault of a plan has a line of its own with file, line and path, as text and as JSON; exit status 2."""
    plan = tmp_path / "bad.yaml"
    plan.write_text(
        "esdh: plan/1\nname: bad\nversion: 1\nreference_date: 2024-06-01\ntables:\n"
        "  a: {fields: {x: {intger: {from: 1, to: 3}}}}\n  b: {per: aa, fields: {y: {value: 1}}}\n",
        encoding="utf-8",
    )
    text, document = run("check-plan", plan), run("check-plan", plan, "--json")
    assert [2, 2] == [text.exit_code, document.exit_code]
    first, second = text.stderr.splitlines()
    assert first == f"{plan}, line 6, tables.a.fields.x.intger: unknown key 'intger'; did you mean 'integer'?"
    assert second.startswith(f"{plan}, line 7, tables.b.per: there is no table 'aa'")
    assert [6, 7] == [fault["line"] for fault in json.loads(document.stdout)["faults"]]


def test_check_counts_what_is_written(snapshot: Path) -> None:
    """The rows and the bytes of text that check-plan expects of few records are those that are written."""
    tables = json.loads(run("check-plan", BANK, "--records", 40, "--json").stdout)["tables"]
    assert TABLES == [table["name"] for table in tables]
    for table in tables:
        for form in ("csv", "ndjson"):
            assert (snapshot / f"{table['name']}_bank_v1.{form}").stat().st_size == table["bytes"][form]


def test_check_scales_what_is_many() -> None:
    """The rows of very many records are scaled from those of fewer, which says so, in proportion."""
    few, many = (
        json.loads(run("check-plan", BANK, "--records", records, "--json").stdout)["tables"][3]
        for records in (20_000, 2_000_000)
    )
    assert [True, False] == [few["exact"], many["exact"]]
    assert 100 * few["rows"] == pytest.approx(many["rows"], rel=0.05)


def test_check_draws_the_tree() -> None:
    """Tables stand below their parents with F and their blocks, then capacities and declared shares."""
    told = run("check-plan", BANK).stdout
    tree = told.splitlines()[3:7]
    drawn = ["customers ", "└─ accounts ", "   └─ transactions ", "merchants (fixed) "]
    assert [True] * 4 == [line.startswith(start) for line, start in zip(tree, drawn, strict=True)]
    assert " 256 " in tree[2]
    assert "  customers.customer_no: 100,000,000,000 values, enough for " in told
    assert "  customers.segment: retail 80.00%, business 20.00%" in told


def test_check_draws_in_ascii() -> None:
    """Where the output's encoding has no lines to draw with, the tree is drawn in ASCII."""
    own = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "esdh_cli", "check-plan", str(BANK)]
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=True)
    assert "\n`- accounts " in done.stdout


def test_schema_is_the_languages() -> None:
    """--schema prints the JSON Schema that the language says of itself, and takes no file."""
    assert json_schema() == json.loads(run("check-plan", "--schema").stdout)
    assert [2, 2] == [run("check-plan").exit_code, run("check-plan", BANK, "--schema").exit_code]


def test_lock_makes_what_a_plan_lacks(tmp_path: Path) -> None:
    """A plan with pools can't be read before its lock is made, and can be after it; a second run changes nothing."""
    plan = tmp_path / "shop.yaml"
    shutil.copy(PLANS / "faker_pool.yaml", plan)
    before = run("check-plan", plan)
    assert (2, True) == (before.exit_code, "`esdh lock-plan" in before.stderr)
    assert 1 == run("lock-plan", plan, "--check").exit_code
    assert not (tmp_path / "shop.lock.json").exists()
    made = run("lock-plan", plan)
    assert (0, True) == (made.exit_code, "company/de_DE/5: 5 values (new)" in made.stdout)
    written = (tmp_path / "shop.lock.json").read_bytes()
    assert [0, 0] == [run("lock-plan", plan, "--check").exit_code, run("check-plan", plan).exit_code]
    assert "Nothing to do" in run("lock-plan", plan).stdout
    assert written == (tmp_path / "shop.lock.json").read_bytes()


def test_lock_keeps_the_pools_that_stand(tmp_path: Path) -> None:
    """A pool that the lock has stays when another is made, and is made anew with --renew."""
    plan, lock = tmp_path / "shop.yaml", tmp_path / "shop.lock.json"
    shutil.copy(PLANS / "faker_pool.yaml", plan)
    run("lock-plan", plan)
    content = json.loads(lock.read_text(encoding="utf-8"))
    honest = dict(content["pools"])
    content["pools"]["company/de_DE/5"] = ["a", "b", "c", "d", "e"]
    del content["pools"]["city/en_US/3"]
    lock.write_text(json.dumps(content), encoding="utf-8")
    run("lock-plan", plan)
    kept = json.loads(lock.read_text(encoding="utf-8"))["pools"]
    assert {**honest, "company/de_DE/5": ["a", "b", "c", "d", "e"]} == kept
    run("lock-plan", plan, "--renew")
    assert honest == json.loads(lock.read_text(encoding="utf-8"))["pools"]


def test_sample_is_the_snapshots_bytes(snapshot: Path) -> None:
    """Rows that are piped are those of a snapshot's NDJSON, from any record on."""
    whole = run("sample", "--plan", BANK, "--records", 40, "--table", "transactions").stdout
    assert (snapshot / "transactions_bank_v1.ndjson").read_text(encoding="utf-8") == whole
    first = run("sample", "--plan", BANK, "--records", 7, "--table", "transactions").stdout
    rest = run("sample", "--plan", BANK, "--records", 33, "--start", 7, "--table", "transactions").stdout
    assert whole == first + rest


def test_sample_names_the_near_table() -> None:
    """A table that isn't there is wrong usage, with the near match."""
    made = run("sample", "--plan", BANK, "--table", "acounts")
    assert (2, True) == (made.exit_code, "did you mean 'accounts'?" in made.stderr)


def test_sample_json_has_every_table() -> None:
    """--json gives one document, a list of rows a table; fixed tables come when they are named."""
    tables = json.loads(run("sample", "--plan", BANK, "--records", 2, "--json").stdout)["tables"]
    assert TABLES[1:] == list(tables)
    fixed = json.loads(run("sample", "--plan", BANK, "--table", "merchants", "--json").stdout)["tables"]
    assert 500 == len(fixed["merchants"])


def test_sample_of_the_default_dataset() -> None:
    """Without a plan the rows of the default dataset are printed."""
    first = json.loads(run("sample", "--records", 1).stdout.splitlines()[0])
    assert to_builtins(DEFAULT_DATASET.bundle(1))[DEFAULT_DATASET.root.name][0] == first


def test_show_plan_prints_source_and_recipe(snapshot: Path) -> None:
    """The YAML of a plan is printed as it is, and the JSON is the snapshot's recipe to the byte."""
    assert BANK.read_bytes() == run("show-plan", "--plan", BANK, "--format", "yaml").stdout_bytes
    assert plans.source("bank") == run("show-plan", "--plan", "bank", "--format", "yaml").stdout
    recipe = (snapshot / "plan_bank_v1.json").read_bytes()
    for plan in (BANK, snapshot):
        assert recipe == run("show-plan", "--plan", plan, "--format", "json").stdout_bytes
    assert "TRANSACTIONS" in run("show-plan", "--plan", snapshot).stdout
    assert "## transactions" in run("show-plan", "--plan", BANK, "--format", "markdown").stdout


@pytest.mark.parametrize("plan", [None, "snapshot"])
def test_show_plan_has_no_yaml_of_others(snapshot: Path, plan: str | None) -> None:
    """The default dataset and a snapshot have no YAML, which is told with exit status 2."""
    made = run("show-plan", "--format", "yaml", *(["--plan", snapshot] if plan else []))
    assert (2, "") == (made.exit_code, made.stdout)


def test_list_plans_names_what_plan_takes() -> None:
    """Every name that is listed opens, the default dataset's first."""
    listed = json.loads(run("list-plans", "--json").stdout)["plans"]
    assert ["v0.1", *plans.names()] == [each["name"] for each in listed]
    for each in listed:
        assert each["dataset_version"] == load_plan(each["name"]).dataset_version
        assert f"{each['name']}  " in run("list-plans").stdout


def rows(folder: Path, table: str) -> list[dict[str, object]]:
    """Return the rows of a table of a snapshot."""
    text = (folder / f"{table}_bank_v1.ndjson").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("plan", [[], ["--plan", "bank"], ["--plan", str(BANK)], ["--plan", "snapshot"]])
def test_reproduce_gives_the_row_and_its_parents(snapshot: Path, plan: list[str]) -> None:
    """From its id comes the row that the files have, with the rows above it, from a name, a file, a snapshot or nothing."""
    plan = [str(snapshot) if each == "snapshot" else each for each in plan]
    row = rows(snapshot, "transactions")[-1]
    account = next(each for each in rows(snapshot, "accounts") if each["account_id"] == row["account_id"])
    owner = next(
        each for each in rows(snapshot, "customers") if each["customer_id"] == account["customer_id"]
    )
    (record,) = json.loads(run("reproduce", row["transaction_id"], *plan, "--json").stdout)["records"]
    assert ["id", "seed", "dataset_version", "table", "slot", "row", "parents"] == list(record)
    assert ("transactions", "bank v1") == (record["table"], record["dataset_version"])
    assert (row, {"accounts": account, "customers": owner}) == (record["row"], record["parents"])


def test_reproduce_tree_is_the_whole_record(snapshot: Path) -> None:
    """--tree gives the root row with every row below it, and no other; the text marks the row that was asked for."""
    account = rows(snapshot, "accounts")[-1]
    owner = account["customer_id"]
    accounts = [each for each in rows(snapshot, "accounts") if each["customer_id"] == owner]
    ids = [each["account_id"] for each in accounts]
    below = [each for each in rows(snapshot, "transactions") if each["account_id"] in ids]
    (record,) = json.loads(run("reproduce", account["account_id"], "--tree", "--json").stdout)["records"]
    assert [owner] == [each["customer_id"] for each in record["tree"]["customers"]]
    assert (accounts, below) == (record["tree"]["accounts"], record["tree"]["transactions"])
    text = run("reproduce", account["account_id"], "--tree").stdout
    marked = text.index("accounts  <- this id")
    assert f"account_id             {account['account_id']}" in text[marked : marked + 100]
    assert len(below) == text.count("\n    transactions\n")


def test_reproduce_refuses_a_row_that_there_isnt() -> None:
    """An id whose number is not below its parent's count is refused, though its tag is the plan's."""
    bank = load_plan("bank")
    account = bank.bundle(1, 20240601).accounts
    slots = np.array([len(account)], dtype=np.uint64)
    text = bank.ids.texts(20240601, "accounts", slots).tobytes().decode()
    made = run("reproduce", text)
    assert (1, True) == (made.exit_code, "which there isn't" in made.stderr)


def test_reproduce_of_another_plan_says_what_is_known() -> None:
    """An id of a plan that isn't here is told with the seed, tag and slot that it holds, and --plan."""
    text = TaggedIds("other v1", ["rows"]).texts(5, "rows", np.array([7], dtype=np.uint64)).tobytes().decode()
    made = run("reproduce", text)
    assert 1 == made.exit_code
    assert canonical_id(text) in made.stderr
    assert "seed 5" in made.stderr
    assert "slot 7" in made.stderr
    assert "--plan" in made.stderr
    assert "is no id of bank v1" in run("reproduce", text, "--plan", "bank").stderr


@pytest.mark.parametrize("command", ["sample", "show-plan", "generate-snapshot"])
def test_plan_without_its_option(command: str) -> None:
    """A plan that is given without --plan, as check-plan takes it, is answered with the option."""
    refused = run(command, "store.yaml")
    assert 2 == refused.exit_code
    assert "(store.yaml); a plan is given with --plan (see " in refused.stderr


def test_stray_word_where_no_plan_is_taken() -> None:
    """A word too many of a command without --plan is not taken for a plan."""
    assert "--plan" not in run("check-plan", "a.yaml", "b.yaml").stderr


def test_lock_of_a_plan_that_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that ships needs no lock, and lock-plan says how to have a copy, also beside a folder of that name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people").mkdir()
    refused = run("lock-plan", "people")
    assert 2 == refused.exit_code
    assert "people ships, with the pools that it draws from; " in refused.stderr
    assert "esdh show-plan --plan people --format yaml > mine.yaml" in refused.stderr


@pytest.mark.parametrize(
    ("plan", "text", "owner"),
    [
        ("bank", "7325de0f-b0c4-806c-8636-3e3a1bdbceb4", "v0.1"),
        ("v0.1", "3f2f9d23-be71-80e2-9d6d-9ce1862c5664", "bank v1"),
        ("shop", "3f2f9d23-be71-80e2-9d6d-9ce1862c5664", "bank v1"),
    ],
)
def test_id_of_another_dataset(plan: str, text: str, owner: str) -> None:
    """An id of a dataset that is known, looked up in another, is answered with the one that it is of."""
    refused = run("reproduce", text, "--plan", plan)
    assert 1 == refused.exit_code
    assert f"'{text}' is an id of {owner}, not of {plan}" in refused.stderr
    assert refused.stderr.endswith("; leave out --plan\n")
    assert 0 == run("reproduce", text).exit_code

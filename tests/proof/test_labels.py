"""Labels are proved: every finding of the checks reads a labelled place, and every label is of a place that differs."""

import csv
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from defects import fitting, overlay, with_rate
from esdh_core import DEFAULT_DATASET, Dataset, Table
from esdh_core.columns import Categorical, Categories
from esdh_core.overlay import DefectiveRows, Label, Overlay
from esdh_export import SnapshotRequest, array, write_snapshot
from esdh_plan import compile_plan, load_plan, parse_plan
from esdh_plan.defects.overlay import KINDS
from esdh_proof import Check, Verification, verify_snapshot
from esdh_proof.checks import checks_of, schema
from esdh_proof.checks.finding import Read
from esdh_proof.reading import Rows
from esdh_proof.verification.labelled import LABEL_CHECKS, LabelReport, check_labels
from hypothesis import given
from hypothesis import strategies as st
from tampering import forged

BANK = load_plan("bank")
SHOP = load_plan("shop")
TREE = compile_plan(
    parse_plan(
        """
esdh: plan/1
name: tree
version: 1
reference_date: 2024-06-01
tables:
  makers:
    rows: 30
    fields:
      code: {pattern: "[A-Z]{2}[0-9]{2}", unique: true}
  owners:
    fields:
      owner_id: {id: true}
      worth: {rollup: sum(items.price)}
      cheapest: {rollup: min(items.price)}
      latest: {rollup: last(items.code)}
  items:
    per: owners
    count: {from: 0, to: 5}
    pick:
      by: {from: makers}
    fields:
      item_id: {id: true}
      owner_id: parent.owner_id
      number: {integer: {from: 1, to: 400000}, unique: true, ordered: true}
      since: {date: {from: today - days(700000), to: today}, unique: true, ordered: true, missing: 20%}
      price: {decimal: {from: 1, to: 99, scale: 2}, missing: 20%}
      code: {choice: [red, green, blue]}
      worth_so_far: {running: sum(price)}
      dearest: {running: max(price)}
      first_code: {running: first(code)}
      maker: by.code
  parts:
    per: items
    fields:
      weight: {integer: {from: 1, to: 9}}
""",
        "tree.yaml",
    ),
)
DATASETS = {"v0.1": DEFAULT_DATASET, "bank": BANK, "shop": SHOP, "tree": TREE}
ALL = ("csv", "json", "ndjson", "parquet")

# Which checks find each label of a kind on a field (or a table); none where only the regeneration does.
FOUND_BY: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("v0.1", {"kind": "missing", "table": "persons", "field": "city"}, ("schema", "integrity", "rules")),
    ("v0.1", {"kind": "blank", "table": "persons", "field": "last_name"}, ("schema", "integrity", "rules")),
    ("v0.1", {"kind": "whitespace", "table": "persons", "field": "last_name"}, ("integrity", "rules")),
    ("v0.1", {"kind": "placeholder", "table": "persons", "field": "state"}, ("schema", "integrity", "rules")),
    ("v0.1", {"kind": "out_of_range", "table": "vehicles", "field": "model_year"}, ("integrity", "rules")),
    ("v0.1", {"kind": "wrong_type", "table": "persons", "field": "date_of_birth"}, ("schema", "rules")),
    ("v0.1", {"kind": "bad_pattern", "table": "persons", "field": "postal_code"}, ("schema", "rules")),
    ("v0.1", {"kind": "bad_check_digit", "table": "vehicles", "field": "vin"}, ("integrity", "rules")),
    ("v0.1", {"kind": "bad_enum", "table": "persons", "field": "state"}, ("schema", "integrity", "rules")),
    ("v0.1", {"kind": "truncated", "table": "persons", "field": "person_id"}, ("schema", "synthetic")),
    ("v0.1", {"kind": "wrong_case", "table": "persons", "field": "first_name"}, ("integrity", "rules")),
    ("v0.1", {"kind": "typo", "table": "persons", "field": "city"}, ("integrity", "rules")),
    ("v0.1", {"kind": "mojibake", "table": "persons", "field": "last_name"}, ("integrity", "rules")),
    ("v0.1", {"kind": "homoglyph", "table": "profiles", "field": "full_name"}, ("integrity", "rules")),
    ("v0.1", {"kind": "injection", "table": "vehicles", "field": "vin"}, ("schema", "integrity", "rules")),
    (
        "v0.1",
        {"kind": "swapped_fields", "table": "persons", "field": "city", "with": "last_name"},
        ("rules",),
    ),
    ("v0.1", {"kind": "shifted_date", "table": "persons", "field": "date_of_birth"}, ()),
    ("v0.1", {"kind": "stale_copy", "table": "vehicles", "field": "garaging_postal_code"}, ("integrity",)),
    ("v0.1", {"kind": "orphan", "table": "vehicles", "field": "person_id"}, ("integrity",)),
    ("v0.1", {"kind": "duplicate_key", "table": "persons", "field": "person_id"}, ("synthetic",)),
    ("v0.1", {"kind": "duplicate_key", "table": "vehicles", "field": "vin"}, ("integrity",)),
    ("v0.1", {"kind": "duplicate_row", "table": "vehicles"}, ("synthetic",)),
    ("v0.1", {"kind": "missing_row", "table": "persons"}, ("synthetic", "integrity")),
    ("v0.1", {"kind": "missing_row", "table": "profiles"}, ("synthetic",)),
    ("v0.1", {"kind": "near_duplicate", "table": "persons", "fields": ["first_name"]}, ()),
    ("v0.1", {"kind": "reordered", "table": "profiles"}, ("synthetic",)),
    ("v0.1", {"kind": "bad_encoding", "table": "persons", "field": "last_name"}, ("schema",)),
    ("v0.1", {"kind": "bad_quoting", "table": "persons", "field": "city"}, ("schema",)),
    ("v0.1", {"kind": "ragged_row", "table": "vehicles"}, ("schema",)),
    ("v0.1", {"kind": "renamed_column", "table": "persons", "field": "last_name"}, ("schema",)),
    ("v0.1", {"kind": "extra_column", "table": "profiles"}, ("schema",)),
    ("v0.1", {"kind": "truncated_file", "table": "profiles"}, ("schema",)),
    ("bank", {"kind": "ragged_row", "table": "transactions"}, ("schema",)),
    ("bank", {"kind": "bad_encoding", "table": "merchants", "field": "name"}, ("schema",)),
    ("bank", {"kind": "missing", "table": "accounts", "field": "opened_on"}, ("schema",)),
    ("bank", {"kind": "blank", "table": "accounts", "field": "type"}, ("schema",)),
    ("bank", {"kind": "whitespace", "table": "accounts", "field": "type"}, ("schema",)),
    ("bank", {"kind": "placeholder", "table": "accounts", "field": "type"}, ("schema",)),
    ("bank", {"kind": "out_of_range", "table": "customers", "field": "account_count"}, ("rules",)),
    ("bank", {"kind": "wrong_type", "table": "transactions", "field": "amount"}, ("schema",)),
    (
        "bank",
        {"kind": "bad_pattern", "table": "transactions", "field": "transaction_id"},
        ("schema", "synthetic"),
    ),
    ("bank", {"kind": "bad_enum", "table": "accounts", "field": "type"}, ("schema",)),
    ("bank", {"kind": "truncated", "table": "accounts", "field": "account_id"}, ("schema", "synthetic")),
    ("bank", {"kind": "wrong_case", "table": "accounts", "field": "account_id"}, ("schema", "synthetic")),
    ("bank", {"kind": "typo", "table": "accounts", "field": "customer_id"}, ("integrity",)),
    ("bank", {"kind": "typo", "table": "customers", "field": "last_name"}, ()),
    ("bank", {"kind": "mojibake", "table": "accounts", "field": "account_id"}, ("schema", "synthetic")),
    ("bank", {"kind": "homoglyph", "table": "accounts", "field": "account_id"}, ("schema", "synthetic")),
    ("bank", {"kind": "injection", "table": "accounts", "field": "account_id"}, ("synthetic",)),
    (
        "bank",
        {"kind": "swapped_fields", "table": "accounts", "field": "account_id", "with": "type"},
        ("schema",),
    ),
    ("bank", {"kind": "shifted_date", "table": "accounts", "field": "opened_on"}, ()),
    (
        "bank",
        {"kind": "time_travel", "table": "accounts", "field": "opened_on", "before": "parent.born_on"},
        (),
    ),
    ("bank", {"kind": "wrong_total", "table": "transactions", "field": "balance_after"}, ("rules",)),
    ("bank", {"kind": "orphan", "table": "transactions", "field": "merchant_id"}, ("integrity",)),
    ("bank", {"kind": "orphan", "table": "accounts", "field": "customer_id"}, ("integrity",)),
    ("bank", {"kind": "duplicate_key", "table": "transactions", "field": "transaction_id"}, ("synthetic",)),
    ("bank", {"kind": "duplicate_row", "table": "transactions"}, ("synthetic",)),
    ("bank", {"kind": "missing_row", "table": "accounts"}, ("synthetic",)),
    (
        "bank",
        {"kind": "missing_row", "table": "merchants", "exactly": 1, "where": "merchant_id == 2"},
        ("integrity",),
    ),
    ("bank", {"kind": "near_duplicate", "table": "customers", "fields": ["last_name"]}, ()),
    ("bank", {"kind": "reordered", "table": "transactions"}, ("synthetic",)),
]


def _check(dataset: Dataset, *defects: dict[str, Any], records: int = 400, seed: int = 3) -> LabelReport:
    """Return what the checks find in a snapshot, of which no file is written."""
    request = SnapshotRequest(
        dataset=dataset, records=records, seed=seed, formats=("csv",), defects=overlay(dataset, *defects)
    )
    whole = LabelReport()
    for shard in request.shards():
        report = check_labels(request, shard)
        whole.failures += report.failures
        whole.rows += report.rows
        for sums, more in (
            (whole.kinds, report.kinds),
            (whole.found, report.found),
            (whole.missed, report.missed),
        ):
            sums.update(more)
        whole.fixed |= report.fixed
        for check, ids in report.found_fixed.items():
            whole.found_fixed[check] |= ids
    return whole


def _found(report: LabelReport) -> dict[str, int]:
    return {check: report.found[check] + len(report.found_fixed[check]) for check in LABEL_CHECKS}


@pytest.mark.parametrize(
    ("name", "defect", "checks"),
    FOUND_BY,
    ids=[f"{name}-{each['kind']}-{each['table']}-{each.get('field', '')}" for name, each, _ in FOUND_BY],
)
def test_each_kind_is_found_by_the_check_that_should(
    name: str, defect: dict[str, Any], checks: tuple[str, ...]
) -> None:
    """Every label of a kind is found by these checks, and no check finds anything that no label tells of."""
    report = _check(DATASETS[name], defect if "exactly" in defect else with_rate(defect, "1/40"))
    labels = report.kinds.total()
    assert (report.failures, labels > 0) == ([], True)
    found = _found(report)
    assert {check: found[check] for check in checks} == dict.fromkeys(checks, labels)


def test_every_kind_is_in_the_table() -> None:
    """No kind is left out of what is held above."""
    assert {each["kind"] for _, each, _ in FOUND_BY} == set(KINDS)


def _each_field(dataset: Dataset, kind: str) -> Iterator[dict[str, Any]]:
    """Yield a defect of a kind on every field or table that it fits; of two that would undo each other the first."""
    seen = set()
    for defect in fitting(dataset, kind):
        pair = defect["table"], frozenset((defect.get("field"), defect.get("with", defect.get("field"))))
        if pair not in seen:
            yield defect
        seen.add(pair)


@pytest.mark.parametrize("name", DATASETS)
def test_few_labels_explain_every_finding(name: str) -> None:
    """Where one row in hundreds is struck, wherever a kind fits, no check finds anything beside the labels, and each differs."""
    failures = {}
    for kind in KINDS:
        defects = [with_rate(each, "1/300") for each in _each_field(DATASETS[name], kind)]
        if defects:
            failures[kind] = _check(DATASETS[name], *defects).failures
    assert len(failures) > 20
    assert {kind: found for kind, found in failures.items() if found} == {}


@pytest.mark.parametrize("name", DATASETS)
def test_many_kinds_at_once_explain_every_finding(name: str) -> None:
    """Where rows are missing, doubled, moved and wrong in their cells, all at once, labels still explain what is found."""
    defects = chain.from_iterable(_each_field(DATASETS[name], kind) for kind in KINDS)
    report = _check(DATASETS[name], *(with_rate(each, "3%") for each in defects), records=200)
    assert report.failures == []
    assert {"duplicate_row", "missing_row", "reordered", "missing", "typo"} <= set(report.kinds)


@pytest.mark.parametrize("name", DATASETS)
def test_rows_that_hide_each_other_have_their_labels(name: str) -> None:
    """Where half of the rows are missing and half are moved, a row that has passed none that is there is no failure."""
    defects = chain.from_iterable(
        _each_field(DATASETS[name], kind) for kind in ("missing_row", "reordered", "duplicate_row")
    )
    report = _check(DATASETS[name], *({**each, "rate": "50%"} for each in defects), records=200)
    assert (report.failures, len(report.kinds)) == ([], 3)


# --- forgers: the program that labels is wrong, and writes and verifies so


@pytest.fixture
def relabelled(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[Callable[[Overlay, DefectiveRows], DefectiveRows]], None]:
    """Return a function that changes what every overlay makes."""
    apply = Overlay.apply

    def change(edit: Callable[[Overlay, DefectiveRows], DefectiveRows]) -> None:
        monkeypatch.setattr(
            Overlay, "apply", lambda self, table, block: edit(self, apply(self, table, block))
        )

    return change


def _failures(report: LabelReport) -> dict[str, str]:
    """Return the first failure of each check in words."""
    first: dict[str, str] = {}
    for each in report.failures:
        of = each.failure
        first.setdefault(each.check, f"{of.row} {of.field}: {of.found!r}, not {of.expected}")
    return first


def _without_first(kind: str) -> Callable[[Overlay, DefectiveRows], DefectiveRows]:
    def edit(_: Overlay, made: DefectiveRows) -> DefectiveRows:
        of_kind = [label for label in made.labels if label.kind == kind][:1]
        return made._replace(labels=[label for label in made.labels if label not in of_kind])

    return edit


@pytest.mark.parametrize(
    ("defect", "checks"),
    [
        (
            {"kind": "missing", "table": "persons", "field": "city"},
            {"regenerated", "schema", "integrity", "rules"},
        ),
        (
            {"kind": "stale_copy", "table": "vehicles", "field": "garaging_postal_code"},
            {"regenerated", "integrity"},
        ),
        (
            {"kind": "wrong_type", "table": "persons", "field": "date_of_birth"},
            {"regenerated", "schema", "rules"},
        ),
        ({"kind": "duplicate_row", "table": "persons"}, {"regenerated", "synthetic"}),
        ({"kind": "missing_row", "table": "persons"}, {"regenerated", "synthetic", "integrity"}),
        ({"kind": "reordered", "table": "persons"}, {"regenerated", "synthetic"}),
        ({"kind": "ragged_row", "table": "persons"}, {"regenerated", "schema"}),
        ({"kind": "bad_encoding", "table": "persons", "field": "city"}, {"regenerated", "schema"}),
    ],
    ids=lambda each: each["kind"] if isinstance(each, dict) else "",
)
def test_a_label_left_out_fails_every_check_that_finds_the_place(
    relabelled: Any, defect: dict[str, Any], checks: set[str]
) -> None:
    """What is wrong without a label fails the comparison, and the checks that find it say that no label tells of it."""
    relabelled(_without_first(defect["kind"]))
    failures = _failures(_check(DEFAULT_DATASET, {**defect, "rate": "1/60"}))
    assert set(failures) == checks
    assert all(text.endswith("; or a label that says what is wrong") for text in failures.values())


def test_a_second_row_without_its_label_fails(relabelled: Any) -> None:
    """A near duplicate that no label tells of is a row that is there twice; one whose fields have none differs too much."""

    def without(*, rows: bool) -> Callable[[Overlay, DefectiveRows], DefectiveRows]:
        return lambda _, made: made._replace(
            labels=[label for label in made.labels if (label.field is None) is not rows]
        )

    defect = {"kind": "near_duplicate", "table": "persons", "fields": ["city"], "edits": 1, "rate": "1/60"}
    relabelled(without(rows=False))
    assert "another value than in the row before" in _failures(_check(DEFAULT_DATASET, defect))["regenerated"]
    relabelled(without(rows=True))
    assert "regenerated" in _failures(_check(DEFAULT_DATASET, defect))
    relabelled(
        lambda _, made: made._replace(
            labels=[*made.labels, *(each._replace(field="state") for each in made.labels if each.field)]
        )
    )
    failure = _failures(_check(DEFAULT_DATASET, defect))["regenerated"]
    assert ", state: 'a label of what is as it is without defects'" in failure


def test_a_label_of_a_clean_cell_or_row_fails(relabelled: Any) -> None:
    """A label where nothing differs fails, of a cell, of a row and of a second row that there isn't."""

    def more(change: Callable[[Label], Label]) -> Callable[[Overlay, DefectiveRows], DefectiveRows]:
        return lambda _, made: made._replace(labels=[*made.labels, *map(change, made.labels[:1])])

    cell = {"kind": "missing", "table": "persons", "field": "city", "exactly": 1}
    changes: tuple[Callable[[Label], Label], ...] = (
        lambda label: label._replace(field="state", defect_id="forged"),
        lambda label: label._replace(field=None, defect_id="forged"),
        lambda label: label._replace(slot=(label.slot or 0) + 1, defect_id="forged"),
        lambda label: label._replace(slot=DEFAULT_DATASET.max_records - 1, field=None, defect_id="forged"),
    )
    for change in changes:
        relabelled(more(change))
        failure = _failures(_check(DEFAULT_DATASET, cell))["regenerated"]
        assert "forged" in failure
        assert "a label of what is as it is without defects" in failure


@pytest.mark.parametrize("kind", ["renamed_column", "extra_column", "truncated_file"])
def test_a_file_and_its_label_hold_each_other(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of another shape without its label fails, and so does a label of a file that is as its schema says."""
    defect = {"kind": kind, "table": "vehicles", **({"field": "vin"} if kind == "renamed_column" else {})}
    labels_of = Overlay._file_labels

    def others(self: Overlay, table: Table, seed: int) -> Iterator[Label]:
        return (label._replace(found="forged", defect_id="forged") for label in labels_of(self, table, seed))

    monkeypatch.setattr(Overlay, "_file_labels", others)
    failures = _failures(_check(DEFAULT_DATASET, defect))
    assert set(failures) == {"schema", "regenerated"}
    assert "None forged: 'a label of what is as it is without defects'" in failures["regenerated"]
    monkeypatch.setattr(Overlay, "_file_labels", lambda *_: iter(()))
    assert set(_failures(_check(DEFAULT_DATASET, defect))) == {"schema"}


def test_a_wrong_cell_beyond_the_labels_fails(relabelled: Any) -> None:
    """A cell that another than a labelled defect has changed is found by comparing and by the check that knows better."""

    def also(_: Overlay, made: DefectiveRows) -> DefectiveRows:
        if made.edits.cells:
            made.edits.cells["state"] = {7: "ZZ"}
        return made

    relabelled(also)
    failures = _failures(
        _check(DEFAULT_DATASET, {"kind": "missing", "table": "persons", "field": "city", "exactly": 1})
    )
    assert set(failures) == {"regenerated", "schema", "integrity", "rules"}
    assert failures["regenerated"].startswith("7 state: 'ZZ', not ")
    assert failures["schema"].startswith("7 state: 'ZZ', not one of ")


def test_a_rule_that_makes_wrong_values_is_no_defect() -> None:
    """A program that makes a column wrong, labels nothing of it and finds it again in the files still fails."""
    with forged(DEFAULT_DATASET.table("persons"), ["city"], _first_place):
        report = _check(
            DEFAULT_DATASET, {"kind": "typo", "table": "persons", "field": "last_name", "rate": "1/60"}
        )
    assert "rules" in _failures(report)


def _first_place(column: Any) -> Any:
    return Categorical(np.zeros(len(column), dtype=np.int64), Categories(["Nowhere"]))


# --- what a finding read


class _Recorded(Mapping[str, pa.Array]):
    """The arrays of a table's fields, which remember who was asked for."""

    def __init__(self, table: str, arrays: dict[str, pa.Array], read: set[tuple[str, str]]) -> None:
        self._table, self._arrays, self._read = table, arrays, read

    def __getitem__(self, field: str) -> pa.Array:
        self._read.add((self._table, field))
        return self._arrays[field]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def values(self) -> Any:
        """Return the arrays, for those who only count rows."""
        return self._arrays.values()


@pytest.mark.parametrize("name", [*DATASETS, "insurance"])
def test_a_finding_names_every_field_that_was_looked_at(name: str) -> None:
    """Between one finding and the next a check asks for no field but the finding's own and those that it says it read."""
    dataset = DATASETS.get(name) or load_plan(name)
    block = dataset.block(0, 50, 5)
    read: set[tuple[str, str]] = set()
    tables = {}
    for table in dataset.tables:
        columns = table.columns(dataset.block_of(table, block))
        arrays = {field: array(column) for field, column in columns.items()}
        tables[table.name] = Rows(table.name, 0, _Recorded(table.name, arrays, read), None)
    checks = checks_of(dataset)
    runs = [schema(tables[table.name], table) for table in dataset.tables]
    runs += [getattr(checks, check)(block, tables) for check in LABEL_CHECKS[1:]]
    count = 0
    for run in runs:
        read.clear()
        for finding in run:
            named = {
                (finding.rows.file, finding.field),
                *((each.rows.file, each.field) for each in finding.reads),
            }
            assert read <= named
            read.clear()
            count += 1
    assert count > 20


@given(st.data())
def test_ranges_are_looked_at_as_one_by_one(data: st.DataObject) -> None:
    """Which rows read a labelled place, and which places the failing rows read, are what a loop over the ranges says."""
    from esdh_proof.checks import Finding
    from esdh_proof.verification.labelled import _read

    places = data.draw(st.integers(1, 12))
    ends = st.tuples(st.integers(0, places), st.integers(0, places)).map(sorted)
    ranges = data.draw(st.lists(ends, min_size=1, max_size=12))
    labelled = np.array(data.draw(st.lists(st.booleans(), min_size=places, max_size=places)))
    wrong = np.array(data.draw(st.lists(st.booleans(), min_size=len(ranges), max_size=len(ranges))))
    rows = Rows("", 0, {}, None)
    first, stop = (np.array(each, dtype=np.intp) for each in zip(*ranges, strict=True))
    found = _read(Finding(rows, "a", wrong, ""), Read(rows, "b", lambda: (first, stop)), labelled)
    explained = [any(labelled[begin:end]) for begin, end in ranges]
    read = [
        any(fails and begin <= place < end for fails, (begin, end) in zip(wrong, ranges, strict=True))
        for place in range(places)
    ]
    assert (found[0].tolist(), found[1].tolist()) == (explained, read)


# --- whole snapshots


MIXED = (
    {"kind": "typo", "table": "persons", "field": "last_name", "rate": "1%"},
    {"kind": "missing", "table": "vehicles", "field": "vin", "exactly": 4},
    {"kind": "duplicate_row", "table": "persons", "rate": "1%"},
    {"kind": "missing_row", "table": "vehicles", "rate": "1%"},
    {"kind": "reordered", "table": "profiles", "rate": "1%"},
    {"kind": "near_duplicate", "table": "persons", "rate": "1%"},
)


def _by_name(outcome: Verification) -> dict[str, Check]:
    return {check.name: check for check in outcome.checks}


OF_TEXT = ("ragged_row", "bad_encoding", "bad_quoting", "renamed_column", "extra_column", "truncated_file")
OF_ROWS = ("duplicate_row", "missing_row", "near_duplicate", "reordered")


@pytest.mark.parametrize(("kinds", "formats"), [(OF_ROWS, ALL), ((*OF_ROWS, *OF_TEXT), ALL[:3])])
@pytest.mark.parametrize("name", DATASETS)
def test_every_check_is_proved_in_every_format(
    name: str, kinds: tuple[str, ...], formats: tuple[str, ...], tmp_path: Path
) -> None:
    """No check of a snapshot with defects stays unproven; each says what it found, and how many rows it looked at."""
    dataset = DATASETS[name]
    defects = [with_rate(each, "1/100") for kind in kinds for each in _each_field(dataset, kind)]
    request = SnapshotRequest(
        dataset=dataset, records=150, formats=formats, defects=overlay(dataset, *defects)
    )
    written = write_snapshot(tmp_path / "out", request)
    outcome = verify_snapshot(Path(str(written.folder)))
    assert {check.name: check.status for check in outcome.checks} == dict.fromkeys(
        _by_name(outcome), "passed"
    )
    labels = written.manifest.record_counts["defects"]
    rows = len(formats) * (sum(written.manifest.record_counts.values()) - labels)
    for check in LABEL_CHECKS:
        assert _by_name(outcome)[check].rows == rows
        assert _by_name(outcome)[check].notes[-1].endswith(f"of {labels:,} labels")
        assert _by_name(outcome)[check].claim.endswith(", but where a label says otherwise")


def test_who_verifies_changes_nothing(tmp_path: Path) -> None:
    """In parts, verified by this process or by others side by side, every check says the same; progress counts each record once."""
    request = SnapshotRequest(
        records=66_000, shard_rows=65_536, formats=("csv",), defects=overlay(DEFAULT_DATASET, *MIXED)
    )
    folder = Path(str(write_snapshot(tmp_path / "parts", request).folder))
    done: list[int] = []
    alone = verify_snapshot(folder, progress=lambda count, _: done.append(count))
    assert (alone.verdict, sum(done)) == ("passed", 66_000)
    with ThreadPoolExecutor(2) as executor:
        assert verify_snapshot(folder, executor=executor).checks == alone.checks


def test_a_failure_in_a_later_part_names_the_row_of_the_file(relabelled: Any, tmp_path: Path) -> None:
    """A place that no label tells of is named by its row in the table, whichever part it is in and whatever rows are missing."""

    def unlabelled(_: Overlay, made: DefectiveRows) -> DefectiveRows:
        return made._replace(
            labels=[label for label in made.labels if label.kind != "typo" or label.record < 65_536]
        )

    relabelled(unlabelled)
    request = SnapshotRequest(
        records=66_500, shard_rows=65_536, formats=("csv",), defects=overlay(DEFAULT_DATASET, *MIXED)
    )
    folder = Path(str(write_snapshot(tmp_path / "parts", request).folder))
    check = _by_name(verify_snapshot(folder))["regenerated"]
    assert check.first is not None
    assert (check.status, check.first.file) == ("failed", "persons_v0_1.csv/part-00001.csv")
    rows = [
        list(csv.DictReader(file.read_text("utf-8").splitlines()))
        for file in sorted((folder / "persons_v0_1.csv").iterdir())
    ]
    there = (rows[0] + rows[1])[check.first.row or 0]
    assert there["last_name"] == check.first.found

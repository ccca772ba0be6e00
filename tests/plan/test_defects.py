"""Defects in files and in plans: their language, which kinds fit which fields, and what each makes of a value."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from defects import fitting, overlay, with_rate
from esdh_core import DEFAULT_DATASET, Dataset
from esdh_core.columns import Numbers
from esdh_core.overlay import Dice, Overlay
from esdh_plan import PlanError, load_plan
from esdh_plan.defects.forbidden import _luhn, _mod_97, _vin
from esdh_plan.defects.overlay import KINDS, read_overlay
from esdh_plan.language import DEFECT_KINDS
from esdh_plan.references import defects_of_plan

DATASETS = (DEFAULT_DATASET, load_plan("bank"), load_plan("people"))
SMALL = """\
esdh: plan/1
name: cards
version: 1
reference_date: 2024-06-01
tables:
  cards:
    fields:
      number: {pattern: "4[0-9]{14}"}
      pan: "number + luhn(number)"
      limit: {integer: {from: 1, to: 5000}}
"""


def _labels(of: Overlay, records: int = 400, seed: int = 7) -> list[Any]:
    return [
        label
        for table in of.dataset.tables
        for label in of.apply(table, of.dataset.block_of(table, of.dataset.block(0, records, seed))).labels
    ]


def _faults(file: Path, text: str, dataset: Dataset = DEFAULT_DATASET) -> str:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        read_overlay(file, dataset)
    return str(caught.value).replace(str(file), "defects.yaml")


def test_faults_of_form_and_of_fit_are_reported_at_once(tmp_path: Path) -> None:
    """A list with an unknown word, one defect twice and a kind that doesn't fit reports all three, each in its line."""
    lines = [
        "- {kind: typpo, table: persons, field: city, rate: 1%}",
        "- {kind: blank, table: persons, field: city, rate: 1%}",
        "- {kind: blank, table: persons, field: city, rate: 1%}",
        "- {kind: typo, table: persons, field: date_of_birth, rate: 1%}",
    ]
    faults = _faults(tmp_path / "defects.yaml", "\n".join(lines)).splitlines()
    assert [fault.partition(":")[0] for fault in faults] == [
        "defects.yaml, line 1, defects[0].kind",
        "defects.yaml, line 3, defects[2]",
        "defects.yaml, line 4, defects[3].kind",
    ]


def test_bare_list_is_the_list_below_its_key(tmp_path: Path) -> None:
    """A file that is a list of defects is read as one with `defects:`, and its faults have their own lines."""
    lines = [
        "- {kind: typo, table: persons, field: last_name, rate: 2%}",
        "- {kind: blank, table: persons, field: city, rate: 2%}",
    ]
    bare, keyed = tmp_path / "bare.yaml", tmp_path / "keyed.yaml"
    bare.write_text("\n".join(lines), encoding="utf-8")
    keyed.write_text("\n".join(["esdh: defects/1", "defects:", *lines]), encoding="utf-8")
    assert read_overlay(keyed, DEFAULT_DATASET).recipe == read_overlay(bare, DEFAULT_DATASET).recipe
    faults = _faults(tmp_path / "wrong.yaml", "\n".join([lines[0], lines[1].replace("persons", "perzons")]))
    assert (
        "defects.yaml, line 2, defects[1].table: there is no table 'perzons'; did you mean 'persons'?"
        == faults
    )


def test_every_kind_has_a_word_and_every_word_a_kind() -> None:
    """The words of the language are those of the kinds that there are."""
    assert set(DEFECT_KINDS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_strikes_a_field_of_the_shipped_datasets(kind: str) -> None:
    """Each kind fits at least one field of the datasets that ship, and strikes rows of each that it fits."""
    struck = 0
    for dataset in DATASETS:
        for defect in fitting(dataset, kind):
            of = overlay(dataset, with_rate(defect, 1))
            labels = _labels(of) + of.labels_of_no_record(dataset.tables, 7)
            assert all(label.found != label.clean for label in labels if label.field is not None), defect
            assert {label.kind for label in labels} <= {kind}
            struck += bool(labels)
    assert struck


def test_a_value_of_every_out_of_range_is_outside_the_bounds() -> None:
    """`out_of_range` writes no value that the field can have."""
    dataset = load_plan("bank")
    for defect in fitting(dataset, "out_of_range"):
        table = dataset.table(defect["table"])
        column = dataset.columns(0, 1, tables=[table.name])[table.name][defect["field"]]
        assert isinstance(column, Numbers)
        low, high = replace(column, values=np.array([column.low, column.high]), valid=None).tolist()
        cells = (
            overlay(dataset, {**defect, "rate": 1})
            .apply(table, dataset.block_of(table, dataset.block(0, 50, 3)))
            .edits.cells
        )
        assert cells, defect
        assert not [value for value in cells[defect["field"]].values() if low <= value <= high], defect


def test_placeholder_passes_over_a_decimal_that_has_no_other(tmp_path: Path) -> None:
    """A decimal with so many digits that 0 is its only placeholder has none where it is 0, and 0 elsewhere."""
    plan = tmp_path / "fine.yaml"
    plan.write_text(
        "{esdh: plan/1, name: fine, version: 1, reference_date: 2024-06-01, tables: {dust: {fields: "
        "{grams: {decimal: {from: 0, to: 0.000000000000000001, scale: 18}}}}}}",
        encoding="utf-8",
    )
    defect = {"kind": "placeholder", "table": "dust", "field": "grams", "rate": 1}
    labels = _labels(overlay(load_plan(plan), defect), 100)
    assert 0 < len(labels) < 100
    assert {label.found for label in labels} == {f"{0:.18f}"}


def test_bad_pattern_and_bad_enum_write_what_the_schema_forbids() -> None:
    """No value of theirs matches the pattern, or is among the values."""
    for dataset in DATASETS:
        for kind in ("bad_pattern", "bad_enum"):
            for defect in fitting(dataset, kind):
                table = dataset.table(defect["table"])
                schema = next(each for each in table.schema if each.name == defect["field"])
                for label in _labels(overlay(dataset, {**defect, "rate": 1}), 60):
                    if kind == "bad_pattern":
                        assert not re.search(schema.constraints["pattern"], label.found)
                    else:
                        assert label.found not in schema.constraints["enum"]


def test_check_digits_are_those_of_the_standards() -> None:
    """Luhn's test, MOD 97-10 and the VIN's hold for known numbers, and not for their neighbours."""
    assert [_luhn("4539 1488 0343 6467"), _luhn("8273123273520569"), _luhn("7")] == [True, False, False]
    assert [_mod_97("GB82WEST12345698765432"), _mod_97("GB82WEST12345698765423"), _mod_97("GB8")] == [
        True,
        False,
        False,
    ]
    assert _mod_97("5493001KJTIIGC8Y1R12")  # an LEI
    assert [_vin("1M8GDM9AXKP042788"), _vin("1M8GDM9A1KP042788"), _vin("1M8")] == [True, False, False]


def test_bad_check_digit_finds_the_check_that_a_plan_computes(tmp_path: Path) -> None:
    """A number that a plan ends with Luhn's digit fails Luhn's test after `bad_check_digit`."""
    (tmp_path / "cards.yaml").write_text(SMALL, encoding="utf-8")
    dataset = load_plan(tmp_path / "cards.yaml")
    labels = _labels(
        overlay(dataset, {"kind": "bad_check_digit", "table": "cards", "field": "pan", "rate": 1}), 100
    )
    assert len(labels) == 100
    assert not [label for label in labels if _luhn(label.found)]
    assert all(_luhn(label.clean) for label in labels)


def test_time_travel_comes_before_what_it_names() -> None:
    """Every date of `time_travel` is before the one that `before` names."""
    bank = load_plan("bank")
    defect = {
        "kind": "time_travel",
        "table": "accounts",
        "field": "opened_on",
        "before": "parent.born_on",
        "rate": 1,
    }
    accounts, customers = bank.table("accounts"), bank.table("customers")
    block = bank.block(0, 100, 5)
    born = customers.columns(block)["born_on"].take(block.level(accounts).parents).tolist()  # type: ignore[arg-type]
    cells = overlay(bank, defect).apply(accounts, block).edits.cells["opened_on"]
    assert len(cells) == len(born)
    assert not [row for row, value in cells.items() if value >= born[row]]


def test_dice_are_splitmix64() -> None:
    """Dice give what SplitMix64 gives of the lower half of a word, scaled: known answers."""
    dice = Dice((5 << 32) + 0)
    # The first outputs of SplitMix64 from the state 0 (Vigna's reference implementation).
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert [dice.below(1 << 64) for _ in expected] == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "kind: tipo, table: persons, field: city, rate: 1%",
            "defects[0].kind: there is no kind of defect 'tipo'; did you mean 'typo'?",
        ),
        (
            "kind: typo, table: persns, field: city, rate: 1%",
            "defects[0].table: there is no table 'persns'; did you mean 'persons'?",
        ),
        (
            "kind: typo, table: persons, field: cty, rate: 1%",
            "defects[0].field: 'persons' has no field 'cty'; did you mean 'city'?",
        ),
        (
            "kind: typo, table: persons, field: city",
            "defects[0]: a defect has `rate`, such as 1%, or `exactly`, such as 3",
        ),
        (
            "kind: typo, table: persons, field: city, rate: 1%, exactly: 2",
            "defects[0]: a defect has `rate`, such as 1%, or `exactly`, such as 3; this one has both",
        ),
        (
            "kind: typo, table: persons, field: city, rate: 101%",
            "defects[0].rate: expected a share from 0 to 1, such as 8%, 0.08 or 2/25; found '101%'",
        ),
        (
            "kind: typo, table: persons, field: city, rat: 1%",
            "defects[0].rat: unknown key 'rat'; did you mean 'rate'?",
        ),
        (
            "kind: wrong_type, table: persons, field: date_of_birth, rate: 1%, where: \"stat == 'CA'\"",
            "defects[0].where: 'persons' has no field 'stat'; did you mean 'state'?",
        ),
        (
            "kind: bad_enum, table: persons, field: date_of_birth, rate: 1%",
            "defects[0].kind: `bad_enum` is for texts whose values the schema lists, and persons.date_of_birth is a date; kinds that fit it are "
            "missing, placeholder, out_of_range, wrong_type, shifted_date and time_travel",
        ),
        (
            "kind: missing, table: persons, field: address_line_2, rate: 1%",
            "defects[0].kind: `missing` is for fields that are never null, and persons.address_line_2 is a string or null; kinds that fit it are "
            "blank, whitespace, placeholder, truncated, wrong_case, typo, mojibake, homoglyph, injection, swapped_fields, bad_encoding and bad_quoting",
        ),
        (
            "kind: blank, table: persons, field: synthetic_source, rate: 1%",
            "defects[0].field: 'synthetic_source' says of every row that it is synthetic, so no defect strikes it",
        ),
        (
            "kind: swapped_fields, table: vehicles, field: make, with: model_year, rate: 1%",
            "defects[0].kind: `swapped_fields` needs another field of its type as `with`, and 'model_year' is none; did you mean 'model'?",
        ),
        (
            "kind: time_travel, table: persons, field: date_of_birth, rate: 1%, before: city",
            "defects[0].kind: `time_travel` needs a date as `before`, and 'city' is of the type string",
        ),
        (
            "kind: truncated_file, table: persons, rate: 1%",
            "defects[0].rate: `truncated_file` is of a file as a whole and has no `rate`; take it out",
        ),
        (
            "kind: renamed_column, table: persons, field: city, exactly: 1",
            "defects[0].exactly: `renamed_column` is of a file as a whole and has no `exactly`; take it out",
        ),
        (
            "kind: extra_column, table: persons, where: \"state == 'CA'\"",
            "defects[0].where: `extra_column` is of a file as a whole and has no `where`; take it out",
        ),
        (
            "kind: truncated_file, table: persons, field: city",
            "defects[0].field: `truncated_file` is of a file as a whole and has no `field`; take it out",
        ),
        (
            "kind: ragged_row, table: persons, field: city, rate: 1%",
            "defects[0].field: `ragged_row` is of rows as a whole and has no `field`; take it out",
        ),
        (
            "kind: renamed_column, table: persons, field: synthetic_source",
            "defects[0].field: 'synthetic_source' says of every row that it is synthetic, so no defect strikes it",
        ),
        (
            "kind: bad_quoting, table: persons, field: date_of_birth, rate: 1%",
            "defects[0].kind: `bad_quoting` is for texts, and persons.date_of_birth is a date; kinds that fit it are "
            "missing, placeholder, out_of_range, wrong_type, shifted_date and time_travel",
        ),
        (
            "kind: missing_row, table: persons, field: city, rate: 1%",
            "defects[0].field: `missing_row` is of rows as a whole and has no `field`; take it out",
        ),
        (
            "kind: orphan, table: persons, rate: 1%",
            "defects[0]: the key 'field' is missing; expected a name of a-z, 0-9 and _ that begins with a letter, of at most 63",
        ),
        (
            "kind: orphan, table: persons, field: city, rate: 1%",
            "defects[0].kind: `orphan` is for fields that refer to another table's rows, and persons.city is a string; kinds that "
            "fit it are missing, blank, whitespace, placeholder, truncated, wrong_case, typo, mojibake, homoglyph, injection, swapped_fields, bad_encoding and bad_quoting",
        ),
        (
            "kind: duplicate_key, table: persons, field: city, rate: 1%",
            "defects[0].kind: `duplicate_key` is for ids and other unique fields, and persons.city is a string; kinds that fit it "
            "are missing, blank, whitespace, placeholder, truncated, wrong_case, typo, mojibake, homoglyph, injection, swapped_fields, bad_encoding and bad_quoting",
        ),
        (
            "kind: near_duplicate, table: persons, rate: 1%, fields: [cty]",
            "defects[0].fields[0]: 'persons' has no field 'cty'; did you mean 'city'?",
        ),
        (
            "kind: near_duplicate, table: persons, rate: 1%, fields: [person_id]",
            "defects[0].kind: `near_duplicate` writes texts and dates otherwise, but no keys, and 'person_id' is none of them; there "
            "are first_name, last_name, date_of_birth, address_line_1, address_line_2 and city",
        ),
        (
            "kind: near_duplicate, table: persons, rate: 1%, edits: 2, fields: [city]",
            "defects[0].kind: `near_duplicate` can't write 2 fields otherwise, with 1 that may be: city",
        ),
        (
            "kind: near_duplicate, table: persons, rate: 1%, edits: 0",
            "defects[0].edits: expected a whole number from 1 to 100 or a list; found 0",
        ),
    ],
)
def test_a_defect_that_cant_be_is_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """The message names the place, the value and what would be right."""
    file = tmp_path / "defects.yaml"
    assert f"defects.yaml, line 2, {sentence}" == _faults(file, f"esdh: defects/1\ndefects: [{{{text}}}]\n")


def test_two_defects_of_one_key_need_a_name(tmp_path: Path) -> None:
    """Two of one kind on one field are told apart by `name`, under either name of the table."""
    one = other = "{kind: typo, table: persons, field: city, rate: 1%}"
    assert "give one of them a `name`" in _faults(
        tmp_path / "d.yaml", f"esdh: defects/1\ndefects: [{one}, {other}]\n"
    )
    aliased = other.replace("persons", "person")
    assert "persons.city!typo is written before" in _faults(
        tmp_path / "d.yaml", f"esdh: defects/1\ndefects: [{one}, {aliased}]\n"
    )
    named = overlay(
        DEFAULT_DATASET,
        *(
            {"kind": "typo", "table": "persons", "field": "city", "rate": "20%", **more}
            for more in ({}, {"name": "second"})
        ),
    )
    ids = {label.defect_id.partition("#")[0] for label in _labels(named)}
    assert {"persons.city!typo", "persons.city!second"} == ids


def test_defects_that_undo_each_other_are_refused(tmp_path: Path) -> None:
    """The same two fields can't be exchanged twice."""
    swaps = [
        {"kind": "swapped_fields", "table": "persons", "field": one, "with": other, "rate": "1%"}
        for one, other in (("first_name", "last_name"), ("last_name", "first_name"))
    ]
    assert "the two would undo each other" in _faults(
        tmp_path / "d.yaml", json.dumps({"esdh": "defects/1", "defects": swaps})
    )


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (
            "kind: renamed_column, table: persons, field: city",
            "kind: renamed_column, table: persons, field: city",
            "defects[0] does the same to persons.city; take one out",
        ),
        (
            "kind: renamed_column, table: persons, field: city",
            "kind: renamed_column, table: person, field: city, name: other",
            "persons.city!renamed_column does the same to persons.city; take one out",
        ),
        (
            "kind: truncated_file, table: persons",
            "kind: truncated_file, table: persons, name: other",
            "persons!truncated_file does the same to the file of persons; take one out",
        ),
    ],
)
def test_a_file_is_wrong_in_one_way_once(tmp_path: Path, first: str, second: str, reason: str) -> None:
    """Two defects that do the same to a file, or to a column of it, are refused, whatever their names."""
    text = f"esdh: defects/1\ndefects: [{{{first}}}, {{{second}}}]\n"
    assert f"defects.yaml, line 2, defects[1]: {reason}" == _faults(tmp_path / "d.yaml", text)


def test_a_table_has_one_near_duplicate(tmp_path: Path) -> None:
    """Second rows are named by their first ones, so that a row can't have two; a list of edits says all that two would."""
    near = {"kind": "near_duplicate", "table": "persons", "rate": "1%"}
    two = [near, {**near, "name": "more", "edits": 2}]
    assert "a row has one second row at most; take one out, and give the other a list of `edits`" in _faults(
        tmp_path / "d.yaml", json.dumps({"esdh": "defects/1", "defects": two})
    )


def test_defects_of_a_plan_are_no_part_of_its_dataset(tmp_path: Path) -> None:
    """A plan that lists defects gives the dataset that it gives without them, and its faults have their places."""
    plan = tmp_path / "cards.yaml"
    plan.write_text(SMALL, encoding="utf-8")
    clean = load_plan(plan)
    plan.write_text(
        f"{SMALL}defects:\n  - {{kind: typo, table: cards, field: pan, exactly: 2}}\n", encoding="utf-8"
    )
    assert load_plan(plan) is clean
    found = defects_of_plan(str(plan), clean)
    assert found is not None
    assert [each.key for each in found.defects] == ["cards.pan!typo"]
    plan.write_text(
        f"{SMALL}defects:\n  - {{kind: typo, table: cards, field: limit, exactly: 2}}\n", encoding="utf-8"
    )
    with pytest.raises(PlanError, match=r"line 12, defects\[0\].kind: `typo` is for texts"):
        load_plan(plan)

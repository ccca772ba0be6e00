"""Hypothesis draws records: they shrink towards record 0, and a falsifying example tells its recipe."""

import re

import pytest
from esdh_core import DEFAULT_DATASET, DEFAULT_SEED, decode_id, generate_records, reproduce_record
from esdh_plan import load_plan
from hypothesis import find, given, settings
from pytest_esdh import EsdhError
from pytest_esdh.strategies import records, rows

BANK = load_plan("bank")


def test_rows_shrink_to_record_zero() -> None:
    """What holds for every record is found at record 0, in every kind of table."""
    assert DEFAULT_DATASET.record(0) == find(records(), lambda _: True)
    assert generate_records("vehicle", 1) == [find(records("vehicles"), lambda _: True)]
    assert BANK.rows("merchants", 1)[0] == find(rows("merchants", plan="bank"), lambda _: True)
    assert BANK.rows("accounts", 1)[0] == find(rows("accounts", plan="bank"), lambda _: True)


def test_records_shrink_to_the_smallest_number() -> None:
    """What holds from some record on shrinks to that record."""
    found = find(records("person"), lambda person: decode_id(person.person_id).index >= 1_000)
    assert generate_records("person", 1, start=1_000) == [found]


@settings(max_examples=30)
@given(records("person"), rows("transactions", plan="bank"), records(plan="bank"))
def test_rows_are_those_of_the_dataset(person: object, transaction: object, record: object) -> None:
    """Each example is a row that its id reproduces."""
    assert reproduce_record(person.person_id).person == person  # type: ignore[attr-defined]
    whole = reproduce_record(transaction.transaction_id, dataset=BANK)  # type: ignore[attr-defined]
    assert transaction in whole.transactions
    assert BANK.record(record.id.index, DEFAULT_SEED) == record  # type: ignore[attr-defined]


def test_falsifying_example_tells_its_recipe(project: pytest.Pytester) -> None:
    """Hypothesis prints the command that reproduces the example, and the report's first record is the same one."""
    project.makepyfile(
        """
        from hypothesis import given, settings
        from pytest_esdh.strategies import records, rows

        @settings(database=None)
        @given(rows("accounts", plan="bank"))
        def test_one(account):
            assert account.type != "loan"
        """
    )
    result = project.runpytest("-p", "no:randomly", "--esdh-seed", "3")
    result.assert_outcomes(failed=1)
    (told,) = re.findall(r"^E +(esdh reproduce \S+ --plan bank)$", result.stdout.str(), re.MULTILINE)
    listed = re.findall(r"^accounts +(esdh reproduce .*)$", result.stdout.str(), re.MULTILINE)
    assert told == listed[0]
    origin = decode_id(told.split()[2], dataset=BANK)
    assert (3, "accounts") == (origin.seed, origin.entity)


def test_wrong_tables_are_told() -> None:
    """An unknown table, and one with any number of rows where a record's is asked for, are told in one sentence."""
    with pytest.raises(EsdhError, match=r"no table 'persns'; did you mean 'persons'\?"):
        find(records("persns"), lambda _: True)
    with pytest.raises(
        EsdhError, match=r"any number of rows of accounts; rows\('accounts'\) draws one of them"
    ):
        find(records("accounts", plan="bank"), lambda _: True)


def test_strategies_work_outside_pytest(project: pytest.Pytester) -> None:
    """A script without pytest draws from the default seed, and finds a plan's file from the working folder."""
    project.makefile(
        ".yaml",
        small="esdh: plan/1\nname: small\nversion: 1\nreference_date: 2026-01-01\ntables:\n  seats: {fields: {seat: {sequence: {start: 7}}}}\n",
    )
    script = project.makepyfile(
        script="from hypothesis import find\nfrom pytest_esdh.strategies import rows\n"
        "print(find(rows('seats', plan='small.yaml'), lambda _: True).seat)\n"
    )
    project.runpython(script).stdout.fnmatch_lines(["7"])

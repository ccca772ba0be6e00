"""Windows: where they begin, what they hold, and how rarely two of them meet."""

import unittest

import pytest
from esdh_core import (
    DEFAULT_DATASET,
    DEFAULT_SEED,
    IdError,
    RequestError,
    decode_id,
    generate_records,
    reproduce_record,
)
from esdh_core.constants import MAX_RECORDS, MAX_SEED
from esdh_core.testing import Window, window_for
from esdh_plan import load_plan, parse_plan
from esdh_plan.recipe import compile_plan

BANK = load_plan("bank")
NAME = "tests/test_quote.py::test_discount"
SMALL = compile_plan(
    parse_plan(
        """
esdh: plan/1
name: small
version: 1
reference_date: 2026-01-01
tables:
  seats:
    fields:
      seat: {pattern: "[A-D]{1}", unique: true}
  tickets:
    per: seats
    count: {from: 0, to: 3}
    fields:
      ticket_id: {id: true}
""",
        "small",
    )
)


def test_window_is_fixed_for_ever() -> None:
    """A name has the window that it had when windows were first made, in a dataset with fixed tables and in one without."""
    assert (1389487014010308, 1522375625) == (window_for(NAME).seed, window_for(NAME).start)
    bank = window_for(NAME, dataset=BANK)
    assert (DEFAULT_SEED, 1522375625) == (bank.seed, bank.start)


def test_name_and_seed_each_make_another_window() -> None:
    """Another name and another seed begin elsewhere, with other seeds of rows."""
    windows = [window_for(NAME), window_for(NAME + "x"), window_for(NAME, seed=1)]
    assert 3 == len({window.seed for window in windows}) == len({window.start for window in windows})


def test_windows_of_many_names_do_not_meet() -> None:
    """No two of 20,000 names share a seed, where the birthday bound allows it once in 40 million tries."""
    windows = [window_for(f"test_{number}") for number in range(20_000)]
    assert 20_000 == len({window.seed for window in windows})
    assert all(0 <= window.seed <= MAX_SEED and 0 <= window.start < MAX_RECORDS for window in windows)


def test_any_name_has_a_window() -> None:
    """An empty name, one of any script and one with a lone surrogate have windows as well."""
    assert 3 == len({window_for(name).seed for name in ("", "tést_ü::試験", "\ud800")})


def test_rows_are_those_of_the_library() -> None:
    """The rows of a window are what its seed and its start give elsewhere."""
    window = window_for(NAME)
    assert generate_records("persons", 3, window.seed, window.start) == window.rows("persons", 3)


def test_skip_goes_on_where_the_rows_before_end() -> None:
    """Rows in two steps are the rows in one."""
    window = window_for(NAME, dataset=BANK)
    assert window.rows("accounts", 5) == window.rows("accounts", 2) + window.rows("accounts", 3, skip=2)


def test_window_goes_on_at_the_first_record_after_the_last() -> None:
    """A window that reaches the end of what a plan has room for goes on at its beginning, and gives every record once."""
    for start in range(4):
        window = Window(SMALL, 5, start)
        seats = [row.seat for row in window.rows("seats", 4)]
        assert {"A", "B", "C", "D"} == set(seats)
        assert seats[1:] == [row.seat for row in window.rows("seats", 3, skip=1)]


def test_more_records_than_there_are_is_refused() -> None:
    """A window gives no record twice: more than the plan's unique values allow are refused, with their number."""
    with pytest.raises(RequestError, match=r"^5 records are more than small v1 has room for: 4$"):
        window_for("x", dataset=SMALL).rows("seats", 3, skip=2)
    with pytest.raises(RequestError, match="records 0 is not an integer from 1"):
        window_for("x").rows("persons", 0)


def test_fixed_tables_are_the_same_in_every_window() -> None:
    """Windows of a dataset with fixed tables agree on their rows, to which the records of all refer."""
    one, other = window_for("one", dataset=BANK), window_for("other", dataset=BANK)
    assert one.rows("merchants") == other.rows("merchants") == BANK.rows("merchants", 1)
    assert 500 == len(one.rows("merchants", 3))


def test_record_is_whole() -> None:
    """A record has a row of each table with one a record, and the list of each other; a fixed table is no part of it."""
    record = window_for("abc", dataset=BANK).record()
    assert ("id", "customers", "accounts", "transactions") == record._fields
    assert record.customers.account_count == len(record.accounts)
    assert {account.account_id for account in record.accounts} >= {
        row.account_id for row in record.transactions
    }
    assert ("customers", DEFAULT_SEED) == (record.id.entity, record.id.seed)


def test_record_is_reproduced_from_any_id_in_it() -> None:
    """The id of a row deep in a record gives back the whole record."""
    window = window_for("abc", dataset=BANK)
    record = next(each for each in map(window.record, range(50)) if len(each.transactions) > 3)
    for text in (
        record.customers.customer_id,
        record.accounts[-1].account_id,
        record.transactions[3].transaction_id,
    ):
        found = reproduce_record(text, dataset=BANK)
        assert record[1:] == found[1:]
        assert decode_id(text, dataset=BANK) == found.id


def test_row_of_a_fixed_table_has_no_record() -> None:
    """The id of a row of a fixed table is refused where a record is asked for."""
    plan = parse_plan(
        "esdh: plan/1\nname: f\nversion: 1\nreference_date: 2026-01-01\ntables:\n"
        "  kinds: {rows: 3, fields: {kind_id: {id: true}}}\n  things: {fields: {thing_id: {id: true}}}\n",
        "f",
    )
    dataset = compile_plan(plan)
    (first, *_) = dataset.rows("kinds", 1)
    with pytest.raises(IdError, match="of row 0 of kinds, a fixed table"):
        reproduce_record(first.kind_id, dataset=dataset)


def test_record_of_the_default_dataset_is_its_typed_one() -> None:
    """A record of the default dataset is that which its ids reproduce."""
    record = window_for(NAME).record(2)
    assert reproduce_record(record.person.person_id) == record
    assert (DEFAULT_DATASET.record(5).person,) == tuple(generate_records("person", 1, start=5))


class QuoteTest(unittest.TestCase):
    """A test case as a user of unittest writes it."""

    def test_discount(self) -> None:
        """The window of a test's own id is at hand in unittest."""
        window = window_for(self.id())
        assert window.rows("persons", 2) == window_for(self.id()).rows("persons", 2)

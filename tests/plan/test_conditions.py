"""Conditions on rows: the language of plans, over the fields of any dataset."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from esdh_core import DEFAULT_DATASET, Dataset
from esdh_plan import load_plan, row_condition
from esdh_plan.expressions import ExpressionError

BANK = load_plan("bank")
TODAY = BANK.reference_date


@pytest.mark.parametrize(
    ("dataset", "table", "text", "holds"),
    [
        (BANK, "", "segment == 'business'", lambda row: row.segment == "business"),
        (BANK, "", "wealth * 2 > 1500.5", lambda row: row.wealth * 2 > Decimal("1500.5")),
        (BANK, "", "email is None or state in ('CA', 'NV')", lambda row: row.email is None or row.state in ("CA", "NV")),
        (BANK, "", "lower(email) == email", lambda row: row.email is not None),
        (BANK, "", "born_on < today - years(50)", lambda row: row.born_on < TODAY.replace(year=TODAY.year - 50)),
        (BANK, "accounts", "balance < 0 and closed_on is None", lambda row: row.balance < 0 and row.closed_on is None),
        (BANK, "accounts", "year(opened_on) > 2015", lambda row: row.opened_on > dt.date(2015, 12, 31)),
        (BANK, "merchants", "popularity > 10", lambda row: row.popularity > 10),
        (DEFAULT_DATASET, "", "left(last_name, 1) == 'S'", lambda row: row.last_name.startswith("S")),
        (DEFAULT_DATASET, "vehicles", "model_year % 2 == 0", lambda row: row.model_year % 2 == 0),
    ],
)  # fmt: skip
def test_condition_holds_where_python_says(
    dataset: Dataset, table: str, text: str, holds: Callable[[Any], bool]
) -> None:
    """A condition holds for the rows for which the same holds in Python; a null never meets a comparison."""
    condition = row_condition(text, dataset, table)
    block = dataset.block_of(condition.table, dataset.block(900, 700))
    expected = [holds(row) for row in condition.table.structs(block)]
    assert expected == condition.holds(block).tolist()
    assert True in expected
    assert False in expected


def test_names_reach_rows_that_belong_to_a_row() -> None:
    """A name reaches a row above, by `parent` or by its table, and where a record has one row of each, the row beside."""
    block = BANK.block(0, 300)
    customers = {row.customer_id: row for row in BANK.rows("customers", 300)}
    accounts = {row.account_id: row for row in BANK.rows("accounts", 300)}
    expected = [
        accounts[row.account_id].type == "loan"
        and customers[accounts[row.account_id].customer_id].segment == "retail"
        for row in BANK.rows("transactions", 300)
    ]
    condition = row_condition("parent.type == 'loan' and customers.segment == 'retail'", BANK, "transactions")
    assert expected == condition.holds(block).tolist()
    high = row_condition("vehicle.risk_rating == 'High'", DEFAULT_DATASET)
    expected = [row.risk_rating == "High" for row in DEFAULT_DATASET.rows("vehicles", 300)]
    assert expected == high.holds(DEFAULT_DATASET.block(0, 300)).tolist()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("segmnt == 'x'", "'customers' has no field 'segmnt'; did you mean 'segment'?"),
        ("segment", "a condition is true or false; this is of the type string"),
        ("accounts.balance > 0", "'accounts' is no table above 'customers' and none with one row for each of its rows"),
        ("a.b.c == 1", "'a.b.c' has two points; a name has one at most, as in table.field"),
        ("segment = 'x'", "'=' is no operator; write =="),
        ("__import__('os')", "'__import__' is no function of the language"),
    ],
)  # fmt: skip
def test_text_that_is_no_condition_is_refused(text: str, sentence: str) -> None:
    """A text that is no condition is refused with a sentence."""
    with pytest.raises(ExpressionError) as refused:
        row_condition(text, BANK)
    assert sentence in str(refused.value)

"""Ids say which record their row is in, and only fields of which that is sure are used."""

import numpy as np
import pytest
from esdh_core import DEFAULT_DATASET, encode_id
from esdh_plan import load_plan
from pyspark_esdh.lookup import record_fields, records_of


@pytest.mark.parametrize(
    ("plan", "table", "fields"),
    [
        ("bank", "customers", {"customer_id": "customers"}),  # referred_by is of a customer that was drawn
        ("bank", "transactions", {"transaction_id": "transactions", "account_id": "accounts"}),
        ("bank", "merchants", {}),
        ("shop", "lines", {"order_id": "orders"}),
        ("insurance", "claims", {"claim_id": "claims", "policy_id": "policies"}),
    ],
)
def test_fields_that_say_the_record(plan: str, table: str, fields: dict[str, str]) -> None:
    """A row's own id and copies of ids above it say its record; what was picked doesn't."""
    dataset = load_plan(plan)
    found = {name: owner.name for name, owner in record_fields(dataset, dataset.table(table)).items()}
    assert fields == found


def test_ids_of_one_to_one_tables_say_the_record() -> None:
    """Where every record has one row of each table, copies across tables say the record too."""
    for table in DEFAULT_DATASET.tables:
        copies = {rule.name for rule in table.rules if DEFAULT_DATASET.origin(rule).role == "id"}
        assert copies == record_fields(DEFAULT_DATASET, table).keys()


def test_record_of_an_id() -> None:
    """The record of a row is its slot over the slots of a record; ids of others have none."""
    dataset = load_plan("bank")
    accounts, transactions = dataset.table("accounts"), dataset.table("transactions")
    columns = dataset.columns(8_000_000_000, 3, 7, tables=["accounts"])["accounts"]
    own = columns["account_id"].tolist()
    found = [records_of(dataset, accounts, [value], seed=7) for value in own]
    assert {8_000_000_000, 8_000_000_001, 8_000_000_002} == set().union(*found)
    assert records_of(dataset, accounts, own, seed=7) == set().union(*found)
    assert set() == records_of(dataset, accounts, own, seed=8)
    assert set() == records_of(dataset, transactions, own, seed=7)
    strange = [None, "", "x", np.nan, encode_id(7, DEFAULT_DATASET.root.entity, 1)]
    assert set() == records_of(dataset, accounts, strange, seed=7)

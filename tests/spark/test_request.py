"""What a read is asked for: options in one sentence each, and partitions that are ranges of whole blocks."""

import pickle
from itertools import pairwise
from pathlib import Path

import pytest
from esdh_core import DEFAULT_DATASET, Block, Dataset
from esdh_plan import load_plan, plans
from hypothesis import given
from hypothesis import strategies as st
from pyspark_esdh import SparkError
from pyspark_esdh.request import MAX_PARTITIONS, ReadRequest

BANK = {"plan": "bank", "table": "transactions"}


def _texts(request: ReadRequest) -> list[list[object]]:
    """Return the values of every partition of a read, one list a field."""
    parts = [columns for window in request.windows() for columns in request.blocks(window)]
    return [[value for part in parts for value in part[name].tolist()] for name in request.fields]


def test_defaults_are_those_of_the_command() -> None:
    """A read that names only a table is of the default dataset, with its records and seed."""
    request = ReadRequest.parse({"table": DEFAULT_DATASET.root.name})
    assert (DEFAULT_DATASET, 200, 20240601, 0) == (
        request.dataset,
        request.records,
        request.seed,
        request.start,
    )
    assert DEFAULT_DATASET.root.fields == request.fields


def test_names_of_options_have_any_case() -> None:
    """Spark's options have no case, and a table is known by its singular too."""
    request = ReadRequest.parse({"Table": DEFAULT_DATASET.root.entity, "RECORDS": "3"})
    assert (DEFAULT_DATASET.root.name, 3) == (request.table, request.records)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (BANK | {"tabel": "x"}, "has no option 'tabel'; did you mean 'table'?; it has plan, table,"),
        ({"plan": "bnak", "table": "x"}, "no plan 'bnak' ships; did you mean 'bank'?"),
        ({"plan": "./none.yaml", "table": "x"}, "./none.yaml: it can't be read: No such file or directory"),
        (
            {"plan": "bank"},
            "the option 'table' is missing, which names a table of bank v1; it has merchants,",
        ),
        (BANK | {"table": "transactons"}, "bank v1 has no table 'transactons'; did you mean 'transactions'?"),
        (BANK | {"records": "many"}, "the option 'records' takes an integer, and 'many' is none"),
        (BANK | {"records": "1.5"}, "the option 'records' takes an integer, and '1.5' is none"),
        (BANK | {"records": "0"}, "records 0 is not an integer from 1 to 8589934592 (2^33)"),
        (
            BANK | {"records": "8589934593"},
            "records 8589934593 is not an integer from 1 to 8589934592 (2^33)",
        ),
        (BANK | {"seed": "-1"}, "seed -1 is not an integer from 0 to 9007199254740991 (2^53 - 1)"),
        (BANK | {"start": "8589934592"}, "start 8589934592 is not an integer from 0 to 8589934392"),
        (BANK | {"partitions": "0"}, "partitions 0 is not an integer from 1 to 131072"),
        (BANK | {"partitions": "131073"}, "partitions 131073 is not an integer from 1 to 131072"),
        (
            BANK | {"columns": "amount, mem"},
            "transactions of bank v1 has no column 'mem'; did you mean 'memo'?",
        ),
        (BANK | {"columns": "memo,memo"}, "the option 'columns' names a column twice: 'memo,memo'"),
    ],
)
def test_bad_option_gets_one_sentence(options: dict[str, str], sentence: str) -> None:
    """An option that can't be is refused with its value, and with what would be right."""
    with pytest.raises(SparkError) as refused:
        ReadRequest.parse(options)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_records_that_ids_have_no_room_for_are_refused() -> None:
    """A plan's own limit holds, with what it leaves room for."""
    with pytest.raises(SparkError, match="at most 3,125,000,000 records"):
        ReadRequest.parse({"plan": "insurance", "table": "claims", "records": str(2**33)})


@given(
    records=st.integers(1, 2**33),
    start=st.integers(0, 2**33),
    partitions=st.none() | st.integers(1, 5_000),
    table=st.sampled_from(["customers", "accounts", "transactions"]),
)
def test_partitions_are_ranges_of_whole_blocks(
    records: int, start: int, partitions: int | None, table: str
) -> None:
    """The partitions follow each other from the first record to the last, and end where blocks do."""
    dataset = load_plan("bank")
    start = min(start, 2**33 - records)
    request = ReadRequest(dataset, table, (), records, 1, start, partitions)
    windows = request.windows()
    size = dataset.table(table).block_records
    assert start == windows[0][0]
    assert start + records == sum(windows[-1])
    assert all(sum(one) == other[0] and other[0] % size == 0 for one, other in pairwise(windows))
    blocks = (start + records - 1) // size - start // size + 1
    assert len(windows) == min(blocks, partitions) if partitions else len(windows) <= min(blocks, 4_096)


def test_most_partitions_are_blocks_of_the_most_records() -> None:
    """As many partitions can be asked for as the most records have of the largest blocks."""
    request = ReadRequest.parse(
        {"plan": "bank", "table": "customers", "records": str(2**33), "partitions": str(MAX_PARTITIONS)}
    )
    assert MAX_PARTITIONS == len(request.windows())


@pytest.mark.parametrize("plan", ["bank", "shop"])
@pytest.mark.parametrize("partitions", [1, 3])
def test_rows_are_those_of_the_dataset(plan: str, partitions: int) -> None:
    """The blocks of all partitions together have the rows of a window, fixed tables those they always have."""
    dataset = load_plan(plan)
    expected = dataset.columns(5_000, 6_000, 3)
    for table in dataset.tables:
        request = ReadRequest(dataset, table.name, table.fields, 6_000, 3, 5_000, partitions)
        assert [expected[table.name][name].tolist() for name in table.fields] == _texts(request)


def test_only_fields_that_are_asked_for_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `columns`, no stream of another field is drawn from, and the columns come in the order asked for."""
    opened: list[Block] = []
    block = Dataset.block

    def open_block(*args: int) -> Block:
        opened.append(block(*args))  # type: ignore[arg-type]  # the first is the dataset
        return opened[-1]

    monkeypatch.setattr(Dataset, "block", open_block)
    request = ReadRequest.parse(BANK | {"columns": "memo,transaction_id"})
    assert ("memo", "transaction_id") == request.fields
    assert 2 == len(_texts(request))
    streams = {stream for each in opened for stream in each.streams}
    assert "bank:transactions.memo" in streams
    assert "bank:transactions.amount" not in streams


def test_request_travels_without_its_plan_file(tmp_path: Path) -> None:
    """What is pickled holds the compiled plan: it is read again where the plan's file isn't."""
    file = tmp_path / "own.yaml"
    file.write_text(plans.source("bank"), encoding="utf-8")
    request = ReadRequest.parse(BANK | {"plan": str(file), "records": "50"})
    file.unlink()
    assert str(tmp_path).encode() not in pickle.dumps(request)
    assert request == pickle.loads(pickle.dumps(request))

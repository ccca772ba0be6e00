"""The public functions: what they take, what they refuse, what they weigh."""

import subprocess
import sys
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from esdh_core import (
    IdError,
    RequestError,
    check_records,
    check_seed,
    generate_bundle,
    generate_columns,
    generate_records,
    reproduce_record,
)


def test_bundle_is_reproduced_from_any_of_its_ids() -> None:
    """The id of a person, a vehicle or a profile gives back the whole record."""
    bundle = generate_bundle(3, seed=1)
    for text in (bundle.persons[2].person_id, bundle.vehicles[2].vehicle_id, bundle.profiles[2].profile_id):
        record = reproduce_record(text)
        assert (bundle.persons[2], bundle.vehicles[2], bundle.profiles[2]) == record[1:]


def test_empty_window_has_no_records() -> None:
    """A window of no records is empty, not an error."""
    assert generate_bundle(0).persons == []


def test_last_record_there_can_be() -> None:
    """Record 2^33 - 1 exists and the one after it doesn't."""
    assert len(generate_bundle(1, start=2**33 - 1).persons) == 1
    with pytest.raises(RequestError, match="8589934591"):
        generate_bundle(1, start=2**33)


@pytest.mark.parametrize(
    "seed", [-1, 2**53, 1.0, "1", True, None, np.bool_(True), np.float64(1), np.uint64(2**53)]
)
def test_bad_seed_is_refused(seed: object) -> None:
    """A seed that isn't an integer from 0 to 2^53 - 1 is refused with its value."""
    with pytest.raises(RequestError, match=r"seed .* is not an integer from 0 to 9007199254740991"):
        generate_bundle(1, seed)  # type: ignore[call-overload] # the mistake under test


@pytest.mark.parametrize("records", [-1, 2**33 + 1, 1.5, True, np.bool_(True), np.int8(-1)])
def test_bad_window_is_refused(records: object) -> None:
    """A number of records that can't be is refused with its value."""
    with pytest.raises(RequestError, match="window of"):
        generate_bundle(records)  # type: ignore[call-overload] # the mistake under test


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64, np.uint64, np.array])
def test_numpy_integers_are_integers(kind: Callable[[int], Any]) -> None:
    """Records, seed and start as NumPy's integers give what Python's give, ready to be encoded."""
    expected = generate_bundle(3, 7, 11)
    assert msgspec.json.encode(expected) == msgspec.json.encode(generate_bundle(kind(3), kind(7), kind(11)))
    assert expected.vehicles == generate_records("vehicle", kind(3), kind(7), kind(11))
    columns = generate_columns(kind(11), kind(3), kind(7), entities=["vehicle"])
    assert [each.vin for each in expected.vehicles] == columns["vehicles"]["vin"].tolist()
    assert expected.metadata == generate_bundle(3, 7, 11).metadata
    checked = check_records(kind(3)), check_seed(kind(7))
    assert ((3, 7), {int}) == (checked, {type(each) for each in checked})


def test_record_of_a_uuid() -> None:
    """A uuid.UUID, as database drivers hand one over, gives the record of its text."""
    text = generate_bundle(1).vehicles[0].vehicle_id
    assert reproduce_record(text) == reproduce_record(uuid.UUID(text)) == reproduce_record(f"{{{text}}}\r")


def test_entities_can_be_chosen() -> None:
    """Chosen entities have the values that they have among all."""
    every, some = generate_columns(5, 20), generate_columns(5, 20, entities=["vehicle"])
    assert list(some) == ["vehicles"]
    assert all(
        every["vehicles"][name].tolist() == column.tolist() for name, column in some["vehicles"].items()
    )
    with pytest.raises(RequestError, match="'vehicel' is no entity"):
        generate_columns(0, 1, entities=["vehicel"])


@pytest.mark.parametrize("name", ["person", "vehicle", "profile"])
def test_records_of_one_entity_are_the_bundles(name: str) -> None:
    """One entity's records, by its singular or plural, equal those of the bundle; bad requests are refused."""
    expected = getattr(generate_bundle(7, seed=3, start=11), f"{name}s")
    assert expected == generate_records(name, 7, 3, 11) == generate_records(f"{name}s", 7, 3, 11)
    for arguments, message in (((7, -1), "seed -1"), ((7, 0, 2**33), "window of"), ((-1,), "window of")):
        with pytest.raises(RequestError, match=message):
            generate_records(name, *arguments)
    with pytest.raises(RequestError, match="is no entity"):
        generate_records("cat")


def test_bad_id_is_refused() -> None:
    """A text that is no id is refused."""
    with pytest.raises(IdError):
        reproduce_record("abc")


def test_import_is_light() -> None:
    """Importing esdh_core pulls in neither Arrow nor a web framework nor a command line."""
    code = "import esdh_core, sys; print(sorted({'pyarrow', 'flask', 'click', 'rich'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"

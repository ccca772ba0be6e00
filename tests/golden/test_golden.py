"""The values of v0.1 and of the plans that ship, pinned: any difference is a new dataset version.

Written by `just golden` from the code at the first landing of v0.1. If a test here fails the data has
changed: undo the change, or make a new dataset version; don't renew the goldens of v0.1.
"""

import msgspec
import pytest
from esdh_core import ENTITIES, Table
from goldens import FOLDER, GOLDENS, records


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_first_three_records(entity: Table) -> None:
    """The first three records of each entity are those of the golden, field by field."""
    pinned = msgspec.json.decode((FOLDER / "records.json").read_bytes())[entity.name]
    made = msgspec.json.decode(records())[entity.name]
    for number, (expected, row) in enumerate(zip(pinned, made, strict=True)):
        for field in entity.fields:
            assert expected[field] == row[field], f"{entity.name} {number}, {field}"


@pytest.mark.parametrize("name", GOLDENS)
def test_golden(name: str) -> None:
    """The records, the plan, the content of a million records, the default manifest and the plans are as pinned, to the byte."""
    assert (FOLDER / name).read_bytes() == GOLDENS[name]()

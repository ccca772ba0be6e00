"""The values of v0.1, of the plans that ship, and of one plan a rule, pinned: they are fixed from their first golden on.

Written by `just golden` from the code at the first landing of each. If a test here fails, the data has changed:
undo the change, or make a new dataset version (of a plan: raise its `version`, and keep the old one's golden under
its own name); don't renew the goldens of v0.1 or of a plan. What isn't data may change, with a line in the changelog:
in a manifest the version of the program, and `plan_sha256` with the digests of rules where the form of a recipe
grows. Then look at the difference, see that no `content`, no checksum of a table and no row is in it, and renew that one
file: `just golden snapshot_manifest_bank_v1.json`. A plan that is new in tests/plan/plans is added by
`just golden rules.json`, which must change nothing else.
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
    """Records, the plan, the content of a million records, manifests, the plans that ship and the rules are as pinned, to the byte."""
    assert (FOLDER / name).read_bytes() == GOLDENS[name]()

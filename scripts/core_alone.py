"""Use esdh-core as another project does that depends on it alone: `just core-alone`."""

import importlib.util

import msgspec
from esdh_core import Person, generate_bundle

bundle = generate_bundle(records=3, seed=1)
person = msgspec.json.decode(msgspec.json.encode(bundle.persons[0]), type=Person)
if person != bundle.persons[0] or not person.first_name:
    raise SystemExit(f"{person} is not {bundle.persons[0]}")
for name in ("pyarrow", "click", "flask", "esdh_export"):
    if importlib.util.find_spec(name) is not None:
        raise SystemExit(f"esdh-core alone brought {name}")
print(f"esdh-core alone: {person.first_name} {person.last_name}, no Arrow")

"""The validation: config, plan, rows, samples and goldens, before anybody is shown anything."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from esdh_core import DATASET_SLUG, ENTITIES, SYNTHETIC_SOURCE, plan_sha256
from esdh_core.plan import Plan

from esdh_demo.answers import read_answer
from esdh_demo.config import read_config
from esdh_demo.errors import DemoError
from esdh_demo.places import Places
from esdh_demo.samples import check_samples
from esdh_demo.server import serving
from esdh_demo.smoke import run_tests
from esdh_demo.steps import Run

__all__ = ["check_rows", "check_sums", "validate"]

_ROWS = "validation"
_SUMS = "SHA256SUMS"
_SUMS_LINE = re.compile(r"([0-9a-f]{64})  ([^/\s]+)")


def validate(run: Run) -> None:
    """Hold the repository against what it promises; raises DemoError at the first thing that is wrong."""
    with run.step("config", "read config/demo.yaml") as step:
        config = read_config(run.places.config, shown=run.places.shown(run.places.config))
        step.counts = {"profiles": len(config.profiles)}
        step.found = f"profiles {', '.join(config.profiles)}"
    with run.step("plan", "hold plan and schemas against each other") as step:
        step.counts = {"fields": _check_plan(run)}
        step.found = f"{step.counts['fields']} fields, plan {plan_sha256()[:12]}"
    with run.step("rows", "read every row of the default snapshot strictly") as step:
        command = ("generate-snapshot", "--output-dir", _ROWS, "--output-format", "ndjson", "--json")
        run.command("rows", (*run.commands.esdh, *command))
        step.counts = check_rows(run.folder / _ROWS)
        total = sum(step.counts.values())
        step.found = f"{total:,} rows keep their schema, and each has the synthetic marker"
    with run.step("samples", "compare the canned answers with the API's") as step:
        with serving(run, name="serve-samples") as server:
            server.health()
            with server.answering():
                step.counts = {"files": check_samples(server.client, run.places)}
            server.stop()
        step.found = f"{step.counts['files']} canned answers are the API's"
    with run.step("goldens", "make the pinned values again") as step:
        files = check_sums(run.places)
        step.counts = {"files": files} | run_tests(
            run, "goldens", str(run.places.goldens.relative_to(run.places.root))
        )
        step.found = f"{files} files unchanged, {step.counts['tests']} tests passed"


def _check_plan(run: Run) -> int:
    """Return how many fields the plan has, which are the Structs'."""
    output = run.command("show-plan", (*run.commands.esdh, "show-plan", "--format", "json"))
    told = hashlib.sha256(output).hexdigest()
    if told != plan_sha256():
        raise DemoError(
            f"`esdh show-plan` gives a plan with digest {told}, and esdh-core's is {plan_sha256()}",
            remedy="another version of esdh is installed; run `uv sync`",
        )
    plan = read_answer(output, Plan, what="the plan")
    fields = 0
    for entity, struct in zip(plan.entities, (entity.record for entity in ENTITIES), strict=True):
        properties = _schema(struct)["properties"]
        if [field.name for field in entity.fields] != list(properties):
            raise DemoError(
                f"the plan of {entity.plural} has the fields {[field.name for field in entity.fields]}, and their "
                f"schema has {list(properties)}",
                remedy="the plan follows from the Structs; run `just test tests/core`",
            )
        for name, schema in properties.items():
            for pattern in _patterns(schema):
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise DemoError(
                        f"the pattern of {entity.name}.{name} is no regular expression: {error}",
                        remedy="mend it in esdh_core/entities.py",
                    ) from error
        fields += len(properties)
    return fields


def check_rows(snapshot: Path) -> dict[str, int]:
    """Return how many rows of each entity a snapshot's NDJSON has; every one is decoded by its Struct.

    Raises DemoError at the first row that its Struct doesn't take, that has other fields or another order,
    or lacks the marker.
    """
    counts = {}
    for entity in ENTITIES:
        decoder = msgspec.json.Decoder(entity.record)
        names = list(entity.record.__struct_fields__)
        lines = (snapshot / f"{entity.plural}_{DATASET_SLUG}.ndjson").read_bytes().splitlines()
        for number, line in enumerate(lines):
            try:
                decoder.decode(line)
                row = msgspec.json.decode(line, type=dict[str, Any])
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise DemoError(
                    f"{entity.name} {number} breaks its schema: {error}", remedy="run `just test tests/core`"
                ) from error
            if list(row) != names:
                raise DemoError(
                    f"{entity.name} {number} has the fields {list(row)}, expected {names}",
                    remedy="run `just test tests/export`",
                )
            if row["synthetic_source"] != SYNTHETIC_SOURCE:
                raise DemoError(
                    f"{entity.name} {number} has the marker {row['synthetic_source']!r}, expected {SYNTHETIC_SOURCE!r}",
                    remedy="show nobody these data; run `just test tests/core`",
                )
        counts[entity.plural] = len(lines)
    if not all(counts.values()):
        raise DemoError(f"there are {counts} rows, and each entity must have some", remedy="run `just test`")
    return counts


def check_sums(places: Places) -> int:
    """Return how many golden files are as their digests say, which is all that are there.

    Raises DemoError for one that is missing, was changed or isn't listed.
    """
    folder = places.goldens
    listed = {}
    for line in (folder / _SUMS).read_text(encoding="utf-8").splitlines():
        if match := _SUMS_LINE.fullmatch(line):
            listed[match[2]] = match[1]
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.json")}
    for name in sorted({*listed, *there}):
        if listed.get(name) != there.get(name):
            shown = places.shown(folder / name)
            state = (
                "is missing" if name not in there else "was changed" if name in listed else "is not listed"
            )
            raise DemoError(
                f"{shown} {state} (its digests are in {places.shown(folder / _SUMS)})",
                remedy=f"the values of a dataset version are fixed; put it back (git checkout {shown})",
            )
    return len(there)


def _schema(struct: type[msgspec.Struct]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components([struct])
    return dict(components[struct.__name__])


def _patterns(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for value in schema.values():
            yield from _patterns(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _patterns(value)

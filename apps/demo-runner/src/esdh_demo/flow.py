"""The flow: generate, verify, serve, health, preview, reproduce, stop, report, each over a public interface."""

from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from esdh_core import DATASET_SLUG, ENTITIES

from esdh_demo.answers import Manifest, Reproduced, Verification, Written, read_answer
from esdh_demo.config import Profile
from esdh_demo.console import open_page
from esdh_demo.errors import DemoError
from esdh_demo.report import write_report
from esdh_demo.rows import (
    COMPARABLE,
    MEDIA_TYPES,
    Row,
    Window,
    answered_rows,
    compare,
    snapshot_rows,
    windows_of,
)
from esdh_demo.server import Health, RunningServer, serving
from esdh_demo.steps import Run

__all__ = ["flow"]

_SNAPSHOT = "snapshot"
_BUNDLE_RECORDS = 5


class _Records(NamedTuple):
    """Whole records of the snapshot: each entity's rows of one window, as one format types them."""

    form: str
    rows: dict[str, list[Row]]

    def typed(self, row: Row) -> Row:
        """Return a row of JSON as this format has it: CSV knows text alone."""
        if self.form != "csv":
            return row
        return {name: "" if value is None else str(value) for name, value in row.items()}


def flow(run: Run, profile: Profile, *, port: int, interactive: bool = False) -> None:
    """Make a profile's snapshot, prove it, and hold the API against it; all of it goes into the run's folder.

    With `interactive` the demo page is opened once the previews agree.
    Raises DemoError at the first thing that is wrong.
    """
    _generate(run, profile)
    verification = _verify(run)
    with ExitStack() as stack:
        with run.step("serve", "start the real server") as step:
            server = stack.enter_context(serving(run, port=port))
            step.found = f"listens on {server.client.address}"
        with run.step("health", "ask whether it is well") as step:
            health, body = server.health()
            _keep(run, "healthz.json", body)
            step.found = f"status {health.status}, dataset version {health.dataset_version}"
        compared = _preview(run, profile, server, health)
        if interactive:
            open_page(run.console, f"{server.client.address}/demo")
        reproduced = _reproduce(run, profile, server)
        with run.step("stop", "stop the server") as step:
            server.stop()
            step.found = "ended with status 0, and its port is free"
    with run.step("report", "write the report") as step:
        manifest = (run.folder / _SNAPSHOT / f"snapshot_manifest_{DATASET_SLUG}.json").read_bytes()
        path = write_report(
            run,
            profile,
            manifest=read_answer(manifest, Manifest, what="the snapshot's manifest"),
            verification=verification,
            reproduced=reproduced,
            compared=compared,
        )
        step.found = f"{path.name}, {path.stat().st_size:,} bytes in one file"


def _generate(run: Run, profile: Profile) -> None:
    with run.step("generate", f"write {profile.records:,} records with `esdh generate-snapshot`") as step:
        seed = ("--randomize",) if profile.seed == "random" else ("--seed", str(profile.seed))
        command = ("generate-snapshot", "--output-dir", _SNAPSHOT, "--records", str(profile.records), *seed)
        formats = ("--output-format", *profile.formats)
        output = run.command("generate", (*run.commands.esdh, *command, *formats, "--json"))
        written = read_answer(output, Written, what="the answer of generate-snapshot")
        _keep(run, "generate.json", output)
        run.seed, run.randomized = written.seed, written.randomized
        wanted = {entity.plural: profile.records for entity in ENTITIES}
        if written.record_counts != wanted or profile.seed not in ("random", written.seed):
            raise DemoError(
                f"generate-snapshot wrote {written.record_counts} of seed {written.seed}, and {wanted} of seed "
                f"{profile.seed} were asked for",
                remedy="another version of esdh is installed; run `uv sync`",
            )
        size = sum(path.stat().st_size for path in (run.folder / _SNAPSHOT).rglob("*") if path.is_file())
        drawn = " (drawn at random)" if run.randomized else ""
        step.counts = {**written.record_counts, "bytes": size}
        step.found = f"{profile.records:,} of each entity, seed {written.seed}{drawn}, {size / 1e6:,.1f} MB"


def _verify(run: Run) -> Verification:
    with run.step("verify", "prove it with `esdh verify-snapshot`") as step:
        output = run.command(
            "verify", (*run.commands.esdh, "verify-snapshot", _SNAPSHOT, "--json"), ok=(0, 1)
        )
        verification = read_answer(output, Verification, what="the answer of verify-snapshot")
        _keep(run, "verify.json", output)
        for check in verification.checks:
            if check.status == "failed" and check.first is not None:
                first = check.first
                place = ", ".join(
                    filter(
                        None,
                        [first.file, f"record {first.row}" if first.row is not None else "", first.field],
                    )
                )
                raise DemoError(
                    f"the check {check.name!r} failed ({check.claim}): {place} has {first.found!r}, expected "
                    f"{first.expected!r}",
                    remedy="run `just demo-validate`; the whole answer is in api/verify.json among the artifacts",
                )
        passed = [check.name for check in verification.checks if check.status == "passed"]
        if verification.verdict != "passed" or not passed:
            raise DemoError(
                f"the verdict is {verification.verdict!r}, and should be 'passed'",
                remedy="the whole answer is in api/verify.json among the artifacts",
            )
        rows = max(check.rows for check in verification.checks)
        step.counts = {"checks": len(passed), "rows": rows}
        step.found = f"{len(passed)} of {len(verification.checks)} checks passed, over {rows:,} rows"
    return verification


def _preview(run: Run, profile: Profile, server: RunningServer, health: Health) -> dict[str, int]:
    """Compare each entity, in each format that both have, with the API's answers; return rows by entity."""
    with (
        run.step("preview", "ask the API for each entity and compare row by row") as step,
        server.answering(),
    ):
        snapshot = run.folder / _SNAPSHOT
        windows = windows_of(profile.records, health.max_records)
        compared = {entity.plural: 0 for entity in ENTITIES}
        for form in _formats(profile):
            for entity in ENTITIES:
                for window, expected in snapshot_rows(snapshot, form, entity.plural, windows):
                    body = server.client.post(
                        f"/generate/{entity.name}", _asked(run, window), accept=MEDIA_TYPES[form]
                    )
                    _keep(run, f"{entity.plural}_{window}.{form}", body)
                    actual = answered_rows(body, form, entity.plural)
                    compared[entity.plural] += compare(
                        expected, actual, window=window, what=f"{entity.plural} as {form}"
                    )
        first = Window(0, min(_BUNDLE_RECORDS, profile.records, health.max_records))
        body = server.client.post("/generate/bundle", _asked(run, first))
        _keep(run, f"bundle_{first}.json", body)
        records = _records(run, profile, first)
        for entity in ENTITIES:
            actual = [records.typed(row) for row in answered_rows(body, "json", entity.plural)]
            compare(records.rows[entity.plural], actual, window=first, what=f"{entity.plural} of the bundle")
        covered = sum(window.records for window in windows)
        total = sum(compared.values())
        of_all = (
            "all"
            if covered == profile.records
            else f"first, middle and last: {covered:,} of {profile.records:,}"
        )
        forms = " and ".join(_formats(profile))
        step.counts = {"rows_compared": total, "records_covered": covered}
        step.found = f"{total:,} rows are equal, as {forms} ({of_all} records)"
    return compared


def _reproduce(run: Run, profile: Profile, server: RunningServer) -> Reproduced:
    """Make the middle record again from its vehicle's id alone, over HTTP and by the command."""
    with run.step("reproduce", "make one record again from its id alone") as step, server.answering():
        index = profile.records // 2
        records = _records(run, profile, Window(index, 1))
        vehicle_id = records.rows["vehicles"][0]["vehicle_id"]
        body = server.client.get(f"/records/{vehicle_id}")
        _keep(run, "record.json", body)
        output = run.command("reproduce", (*run.commands.esdh, "reproduce", vehicle_id, "--json"))
        answers = {
            "GET /records": read_answer(body, Reproduced, what="the answer of GET /records"),
            "esdh reproduce": read_answer(
                output, dict[str, list[Reproduced]], what="the answer of reproduce"
            )["records"][0],
        }
        for what, answer in answers.items():
            if (answer.seed, answer.entity, answer.index) != (run.seed, "vehicle", index):
                raise DemoError(
                    f"{what} says that {vehicle_id} is {answer.entity} {answer.index} of seed {answer.seed}, and it "
                    f"is vehicle {index} of seed {run.seed}",
                    remedy="another version of esdh is installed; run `uv sync`",
                )
            for entity in ENTITIES:
                row = records.typed(getattr(answer, entity.name))
                compare(
                    records.rows[entity.plural],
                    [row],
                    window=Window(index, 1),
                    what=f"{entity.name} by {what}",
                )
        step.counts = {"records": 1}
        step.found = (
            f"{vehicle_id} is vehicle {index:,}; the API and `esdh reproduce` agree with the snapshot"
        )
    return answers["esdh reproduce"]


def _formats(profile: Profile) -> list[str]:
    """Return the profile's formats that the API has too."""
    return [form for form in COMPARABLE if form in profile.formats]


def _records(run: Run, profile: Profile, window: Window) -> _Records:
    form = _formats(profile)[0]
    return _Records(
        form,
        {
            entity.plural: rows
            for entity in ENTITIES
            for _, rows in snapshot_rows(run.folder / _SNAPSHOT, form, entity.plural, [window])
        },
    )


def _asked(run: Run, window: Window) -> dict[str, int | None]:
    return {"records": window.records, "start": window.start, "seed": run.seed}


def _keep(run: Run, name: str, body: bytes) -> None:
    folder: Path = run.folder / "api"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(body)

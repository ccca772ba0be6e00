"""The flow: generate, verify, serve, health, preview, reproduce, stop, report, each over a public interface."""

from contextlib import ExitStack
from typing import Any

import msgspec
from esdh_core import DEFAULT_DATASET
from esdh_manifest import Manifest, ManifestError, decode_manifest
from esdh_manifest.names import manifest_name

from esdh_demo.answers import REINSTALL, Verification, read_answer
from esdh_demo.config import Profile
from esdh_demo.console import open_page
from esdh_demo.errors import DemoError
from esdh_demo.report import render_report
from esdh_demo.rows import MEDIA_TYPES, Rows, Window, answer_rows, compare_rows, snapshot_rows, windows_of
from esdh_demo.server import Health, RunningServer, serving
from esdh_demo.steps import Run

__all__ = ["flow"]

_SNAPSHOT = "snapshot"
_BUNDLE_RECORDS = 5
_DATASET = DEFAULT_DATASET


def flow(run: Run, profile: Profile, *, port: int, interactive: bool = False) -> None:
    """Make a profile's snapshot, prove it, and compare the API with it; all of it goes into the run's folder.

    With `interactive` the demo page is opened once the previews agree.
    Raises DemoError at the first thing that is wrong.
    """
    manifest = _generate(run, profile)
    verification = _verify(run)
    with ExitStack() as stack:
        with run.step("serve", "start the real server") as step:
            server = stack.enter_context(serving(run, port=port))
            step.found = f"listens on {server.address}"
        with run.step("health", "ask whether it is well") as step:
            health, body = server.health()
            _write_answer(run, "healthz.json", body)
            step.found = f"status {health.status}, dataset version {health.dataset_version}"
        compared = _preview(run, profile, server, health)
        if interactive:
            open_page(run.session.console, f"{server.address}/demo")
        record = _reproduce(run, profile, server)
        with run.step("stop", "stop the server") as step:
            server.stop()
            step.found = "ended with status 0, and its port is free"
    with run.step("report", "write the report") as step:
        page = render_report(
            run, profile, manifest=manifest, verification=verification, record=record, compared=compared
        ).encode()
        (run.folder / "report.html").write_bytes(page)
        step.found = f"report.html, {len(page):,} bytes in one file"


def _generate(run: Run, profile: Profile) -> Manifest:
    with run.step("generate", f"write {profile.records:,} records with `esdh generate-snapshot`") as step:
        seed = ("--randomize",) if profile.seed == "random" else ("--seed", str(profile.seed))
        command = ("generate-snapshot", "--output-dir", _SNAPSHOT, "--records", str(profile.records), *seed)
        formats = ("--output-format", *profile.formats)
        output = run.processes.run("generate", (*run.session.commands.esdh, *command, *formats, "--json"))
        _write_answer(run, "generate.json", output)
        path = run.folder / _SNAPSHOT / manifest_name(_DATASET.dataset_version)
        try:
            manifest = decode_manifest(path.read_bytes())
        except ManifestError as error:
            raise DemoError(f"{path.name} can't be read: {error}", remedy=REINSTALL) from error
        run.record.seed, run.record.randomized = manifest.seed, manifest.randomized
        expected = {table.name: profile.records for table in _DATASET.tables}
        if manifest.record_counts != expected or profile.seed not in ("random", manifest.seed):
            raise DemoError(
                f"generate-snapshot wrote {manifest.record_counts} of seed {manifest.seed}, and {expected} of seed "
                f"{profile.seed} were asked for",
                remedy=REINSTALL,
            )
        size = sum(path.stat().st_size for path in (run.folder / _SNAPSHOT).rglob("*") if path.is_file())
        drawn = " (drawn at random)" if manifest.randomized else ""
        step.counts = {**manifest.record_counts, "bytes": size}
        step.found = f"{profile.records:,} of each table, seed {manifest.seed}{drawn}, {size / 1e6:,.1f} MB"
    return manifest


def _verify(run: Run) -> Verification:
    with run.step("verify", "prove it with `esdh verify-snapshot`") as step:
        command = (*run.session.commands.esdh, "verify-snapshot", _SNAPSHOT, "--json")
        output = run.processes.run("verify", command, ok=(0, 1))
        verification = read_answer(output, Verification, what="the answer of verify-snapshot")
        _write_answer(run, "verify.json", output)
        checks = verification.checks
        whole = "the whole answer is in api/verify.json among the artifacts"
        for check in checks:
            if check.status == "failed" and (first := check.first) is not None:
                record = "" if first.row is None else f"record {first.row}"
                place = ", ".join(filter(None, [first.file, record, first.field]))
                raise DemoError(
                    f"the check {check.name!r} failed ({check.claim}): {place} has {first.found!r}, expected "
                    f"{first.expected!r}",
                    remedy=f"run `just demo-validate`; {whole}",
                )
        passed = sum(check.status == "passed" for check in checks)
        if verification.verdict != "passed" or not passed:
            raise DemoError(f"the verdict is {verification.verdict!r}, and should be 'passed'", remedy=whole)
        rows = max(check.rows for check in checks)
        step.counts = {"checks": passed, "rows": rows}
        step.found = f"{passed} of {len(checks)} checks passed, over {rows:,} rows"
    return verification


def _preview(run: Run, profile: Profile, server: RunningServer, health: Health) -> int:
    """Compare each table, in each format that both have, with the API's answers; return how many rows that were."""
    with run.step("preview", "ask the API for each table and compare row by row") as step:
        windows = windows_of(profile.records, health.max_records)
        formats = _formats(profile)
        total = 0
        for row_format in formats:
            for table in _DATASET.tables:
                for window in windows:
                    path, media_type = f"/generate/{table.entity}", MEDIA_TYPES[row_format]
                    body = server.post(path, _request(run, window), media_type)
                    _write_answer(run, f"{table.name}_{window}.{row_format}", body)
                    expected = _snapshot_rows(run, row_format, table.name, window)
                    actual = answer_rows(body, row_format, table.name)
                    what = f"{table.name} as {row_format}"
                    total += compare_rows(expected, actual, window=window, what=what)
        first = Window(0, min(_BUNDLE_RECORDS, profile.records, health.max_records))
        body = server.post("/generate/bundle", _request(run, first))
        _write_answer(run, f"bundle_{first}.json", body)
        for table in _DATASET.tables:
            expected = _snapshot_rows(run, formats[0], table.name, first)
            actual = answer_rows(body, "json", table.name)
            compare_rows(expected, actual, window=first, what=f"{table.name} of the bundle")
        covered = sum(window.records for window in windows)
        part = "all"
        if covered < profile.records:
            part = f"first, middle and last: {covered:,} of {profile.records:,}"
        step.counts = {"rows_compared": total, "records_covered": covered}
        step.found = f"{total:,} rows are equal, as {' and '.join(formats)} ({part} records)"
    return total


def _reproduce(run: Run, profile: Profile, server: RunningServer) -> dict[str, Any]:
    """Make the middle record again from its id alone, over HTTP and by the command; return the answer."""
    with run.step("reproduce", "make one record again from its id alone") as step:
        window = Window(profile.records // 2, 1)
        row_format, root = _formats(profile)[0], _DATASET.root
        first_row = _snapshot_rows(run, row_format, root.name, window).row(0)
        record_id = first_row[root.field_with("id") or root.fields[0]]
        body = server.get(f"/records/{record_id}")
        _write_answer(run, "record.json", body)
        output = run.processes.run(
            "reproduce", (*run.session.commands.esdh, "reproduce", record_id, "--json")
        )
        answer = read_answer(body, dict[str, Any], what="the answer of GET /records")
        printed = read_answer(output, dict[str, Any], what="the answer of reproduce").get("records")
        if printed != [answer]:
            raise DemoError(
                f"`esdh reproduce` and GET /records differ about {record_id}; both answers are in api/ and logs/",
                remedy=REINSTALL,
            )
        origin = (answer.get("seed"), answer.get("entity"), answer.get("index"))
        if origin != (run.record.seed, root.entity, window.start):
            raise DemoError(
                f"{record_id} is said to be {origin[1]} {origin[2]} of seed {origin[0]}, and is {root.entity} "
                f"{window.start} of seed {run.record.seed}",
                remedy=REINSTALL,
            )
        for table in _DATASET.tables:
            expected = _snapshot_rows(run, row_format, table.name, window)
            actual = Rows([msgspec.json.encode(answer.get(table.entity, {}))])
            compare_rows(expected, actual, window=window, what=f"{table.entity} of GET /records")
        step.counts = {"records": 1}
        step.found = (
            f"{record_id} is {root.entity} {window.start:,}; API and `esdh reproduce` agree with the snapshot"
        )
    return answer


def _formats(profile: Profile) -> list[str]:
    """Return the profile's formats that the API has too."""
    return [row_format for row_format in MEDIA_TYPES if row_format in profile.formats]


def _snapshot_rows(run: Run, row_format: str, table: str, window: Window) -> Rows:
    return snapshot_rows(run.folder / _SNAPSHOT, _DATASET.dataset_version, row_format, table, window)


def _request(run: Run, window: Window) -> dict[str, int | None]:
    return {"records": window.records, "start": window.start, "seed": run.record.seed}


def _write_answer(run: Run, name: str, body: bytes) -> None:
    folder = run.folder / "api"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(body)

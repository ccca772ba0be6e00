"""The command `esdh-demo`: its subcommands and options; the other modules do the work."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from esdh_demo import console
from esdh_demo.config import Profile
from esdh_demo.doctor import examine
from esdh_demo.errors import DemoError, explain
from esdh_demo.event_log import read_events
from esdh_demo.flow import flow
from esdh_demo.paths import Paths, find_root
from esdh_demo.processes import Commands
from esdh_demo.runs import RunStore, read_record
from esdh_demo.samples import write_samples
from esdh_demo.server import serving
from esdh_demo.smoke import smoke
from esdh_demo.steps import Run, Session, open_run
from esdh_demo.validation import validate

__all__ = ["main"]

_INTERRUPTED = 130  # a shell's exit status for a program that Ctrl-C has ended


@contextmanager
def _printed_run(session: Session, label: str, profile: Profile | None = None) -> Iterator[Run]:
    """Open a run, and print its id and how it ended."""
    with open_run(session, label, profile) as run:
        session.console.print(f"Run {run.record.run_id}", style="bold")
        yield run
    console.print_summary(run)


class _Group(click.Group):
    """The group, which reports the errors of all subcommands."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand; report an error in words, with exit status 1, or 130 after Ctrl-C."""
        try:
            return super().invoke(ctx)
        except (DemoError, OSError) as error:
            session = ctx.find_object(Session)
            if session is None:  # outside a repository
                raise click.ClickException(str(error)) from error
            console.print_diagnosis(session, explain(error, session.paths.display))
            raise click.exceptions.Exit(1) from error
        except KeyboardInterrupt as error:
            session = ctx.find_object(Session)
            artifacts = session and session.run and session.run.artifacts
            place = (
                f"; what was made is in {session.paths.display(artifacts)}" if session and artifacts else ""
            )
            click.echo(f"\nInterrupted; everything that was started has ended{place}")
            raise click.exceptions.Exit(_INTERRUPTED) from error


class _HomePath(click.Path):
    """A path with the home folder that a leading `~` stands for: a shell leaves it in `--root=~/x`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        try:
            return Path(value).expanduser()
        except RuntimeError:
            self.fail(f"{str(value)!r} begins with the home folder of no known user", param, ctx)


# A subcommand's documentation is its `help=`: Python drops docstrings under -OO.
@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="Show the whole product at work: made, proved, served and compared, with a report to hand on.",
    epilog="""\b
    Examples:
      esdh-demo gate
      esdh-demo run --profile heavy --skip-smoke
      esdh-demo run --interactive
      esdh-demo log
      esdh-demo doctor
    """,
)
@click.option("--root", type=_HomePath(), help="The repository.  [default: the one around here]")
@click.option(
    "--runs", type=_HomePath(), help="The folder of runs.  [default: data/demo_runs in the repository]"
)
@click.pass_context
def main(context: click.Context, root: Path | None, runs: Path | None) -> None:
    """Run `esdh-demo`."""
    commands = context.obj if isinstance(context.obj, Commands) else Commands()
    context.obj = Session(Paths(root or find_root(Path.cwd()), runs), commands, console.make_console())


_FLOW_OPTIONS: list[click.Parameter] = [
    click.Option(
        ["--profile", "name"],
        default="baseline",
        show_default=True,
        metavar="P",
        help="What to generate: a profile of config/demo.yaml.",
    ),
    click.Option(["--skip-smoke"], is_flag=True, help="Leave the smoke tests out."),
    click.Option(["--interactive"], is_flag=True, help="Pause before each step, and open the demo page."),
    click.Option(
        ["--port"],
        type=click.IntRange(0, 65_535),
        help="Port of the server; 0 takes a free one.  [default: of the config]",
    ),
]
_EXIT_STATUS = "Exit status 0 when all passed, 1 when something is wrong, 130 after Ctrl-C."


@main.command(
    "gate",
    params=_FLOW_OPTIONS,
    help=f"""Validate the repository, run the smoke tests, then the flow.

    It stops at the first failure. {_EXIT_STATUS}
    """,
)
@click.pass_obj
def _gate(session: Session, /, **options: Any) -> None:
    _execute(session, validated=True, **options)


@main.command(
    "run",
    params=_FLOW_OPTIONS,
    help=f"""Run the smoke tests, then the flow.

    The flow: generate, verify, serve, preview, reproduce, stop, report. {_EXIT_STATUS}
    """,
)
@click.pass_obj
def _run(session: Session, /, **options: Any) -> None:
    _execute(session, validated=False, **options)


def _execute(
    session: Session, *, validated: bool, name: str, skip_smoke: bool, interactive: bool, port: int | None
) -> None:
    profile = session.config.profile(name)
    session.pause = console.pause_for(session.console, interactive=interactive)
    with _printed_run(session, name, profile) as run:
        if validated:
            validate(run)
        if not skip_smoke:
            smoke(run)
        port = session.config.server.port if port is None else port
        flow(run, profile, port=port, interactive=session.pause is not None)
    if session.pause is not None and run.artifacts is not None:
        console.open_page(session.console, (run.artifacts / "report.html").as_uri())


@main.command(
    "validate",
    short_help="Hold config, plan, rows, samples and goldens against what is promised.",
    help="Hold config, plan, rows, samples and goldens against what the repository promises.",
)
@click.pass_obj
def _validate(session: Session) -> None:
    with _printed_run(session, "validate") as run:
        validate(run)


@main.command("smoke", help="Run the tests marked `demo`.")
@click.pass_obj
def _smoke(session: Session) -> None:
    with _printed_run(session, "smoke") as run:
        smoke(run)


@main.command("list", help="List the runs that are kept, newest first.")
@click.pass_obj
def _list(session: Session) -> None:
    store = RunStore(session.paths)
    complete = store.complete()
    folders = sorted([*complete, *store.failed()], reverse=True)
    if not folders:
        session.console.print("No runs yet; `uv run just demo` makes one")
        return
    numbers = ("records", "seed", "seconds")
    table = console.make_table("run", "status", *numbers, numbers=numbers)
    for folder in folders:
        cells, record = ["cut off"], read_record(folder)
        if record and record.status != "running":
            records = "" if record.records is None else f"{record.records:,}"
            seed = "" if record.seed is None else str(record.seed)
            cells = [record.status, records, seed, f"{record.seconds:.1f}"]
        table.add_row(folder.name + (" (latest)" if folder in complete[:1] else ""), *cells)
    session.console.print(table, soft_wrap=False)


@main.command(
    "log", help="Print the last run's events.\n\nThey are read from data/demo_runs/demo_flow_log.jsonl."
)
@click.option("--run", "run_id", metavar="ID", help="Another run's events.")
@click.pass_obj
def _log(session: Session, run_id: str | None) -> None:
    events = list(read_events(session.paths.log))
    run_ids = [event["run_id"] for event in events if event.get("event") == "run.started"]
    if not run_ids:
        raise DemoError("no run has been logged yet", remedy="`uv run just demo` makes one")
    run_id = run_id or run_ids[-1]
    if run_id not in run_ids:
        raise DemoError(f"no run {run_id!r} is in the log", remedy="`uv run esdh-demo list` lists the runs")
    session.console.print(f"Run {run_id}", style="bold")
    console.print_log(session.console, (event for event in events if event.get("run_id") == run_id))


@main.command("clean", help="Remove all runs but the newest (--keep), and the log.\n\nRuns under way stay.")
@click.option(
    "--keep", type=click.IntRange(0), default=0, show_default=True, help="Newest complete runs to keep."
)
@click.option("--keep-log", is_flag=True, help="Keep the log.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def _clean(session: Session, keep: int, keep_log: bool, yes: bool) -> None:
    paths, store = session.paths, RunStore(session.paths)
    if not paths.runs.is_dir():
        session.console.print("Nothing to remove")
        return
    if not yes:
        runs = len([*store.complete()[keep:], *store.failed()])
        what = f"{runs} runs{'' if keep_log else ' and the log'} of {paths.display(paths.runs)}"
        click.confirm(f"Remove {what}?", abort=True)
    for path in store.clean(keep=keep, log=keep_log):
        session.console.print(f"Removed {paths.display(path)}")


@main.command("stop", help="Stop every run under way, and end what killed runs have left.")
@click.pass_obj
def _stop(session: Session) -> None:
    done = RunStore(session.paths).stop() if session.paths.runs.is_dir() else []
    for sentence in done or ["Nothing of the demo was running"]:
        session.console.print(sentence)


@main.command(
    "doctor",
    short_help="Say what is wrong with this machine and how to mend it.",
    help="""Look at Python, uv, packages, config, ports, disk, permissions and stale runs; change nothing.

    Exit status 1 when something is wrong.
    """,
)
@click.pass_obj
def _doctor(session: Session) -> None:
    findings = examine(session.paths)
    colours = {"ok": "green", "note": "yellow", "wrong": "bold red"}
    for finding in findings:
        state = (f"{finding.state:<6}", colours[finding.state])
        session.console.print(Text.assemble(state, f" {finding.subject:<12} {finding.found}"))
        if finding.remedy:
            session.console.print(f"{'':<20}to mend: {finding.remedy}")
    if any(finding.state == "wrong" for finding in findings):
        raise click.exceptions.Exit(1)


@main.command(
    "write-samples",
    help="""Write data/demo_samples from the real API.

    It is for a new dataset version, since the samples of one never change.
    """,
)
@click.pass_obj
def _write_samples(session: Session) -> None:
    with (
        _printed_run(session, "samples") as run,
        run.step("samples", "write the API's answers") as step,
        serving(run) as server,
    ):
        server.health()
        written = write_samples(server.post, session.paths)
        server.stop()
        step.found = ", ".join(session.paths.display(path) for path in written)

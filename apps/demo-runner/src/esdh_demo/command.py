"""The command `esdh-demo`: one subcommand an errand; the work is done elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from esdh_demo.config import Config, Profile, read_config
from esdh_demo.console import (
    make_console,
    open_page,
    pause_for,
    print_diagnosis,
    print_log,
    print_summary,
)
from esdh_demo.doctor import examine
from esdh_demo.errors import DemoError
from esdh_demo.flow import flow
from esdh_demo.journal import read_journal
from esdh_demo.places import Places, find_root
from esdh_demo.processes import Commands
from esdh_demo.runs import Archive, read_record
from esdh_demo.samples import write_samples
from esdh_demo.server import serving
from esdh_demo.smoke import smoke
from esdh_demo.steps import Run, described, run_of
from esdh_demo.validation import validate

__all__ = ["main"]

_INTERRUPTED = 130  # what a shell says of a program that Ctrl-C has ended


class _Setting:
    """What every subcommand knows: the places, the commands to drive, and the console."""

    def __init__(self, places: Places, commands: Commands) -> None:
        self.places = places
        self.commands = commands
        self.console = make_console()

    def config(self) -> Config:
        """Return the configuration; raises DemoError."""
        return read_config(self.places.config, shown=self.places.shown(self.places.config))


@contextmanager
def _told(setting: _Setting) -> Iterator[list[Run]]:
    """Tell how a run ended and exit accordingly; the block puts its run into the list."""
    runs: list[Run] = []
    try:
        yield runs
    except DemoError as error:
        print_diagnosis(setting.console, setting.places, runs[0] if runs else None, error)
        raise click.exceptions.Exit(1) from error
    except OSError as error:
        print_diagnosis(setting.console, setting.places, runs[0] if runs else None, described(error))
        raise click.exceptions.Exit(1) from error
    except KeyboardInterrupt as error:
        kept = (
            f"; what was made is kept in {setting.places.shown(runs[0].kept)}"
            if runs and runs[0].kept
            else ""
        )
        setting.console.print(f"\nInterrupted; everything that was started has ended{kept}", markup=False)
        raise click.exceptions.Exit(_INTERRUPTED) from error


_EXAMPLES = """\b
Examples:
  esdh-demo gate
  esdh-demo run --profile heavy --skip-smoke
  esdh-demo run --interactive
  esdh-demo log
  esdh-demo doctor
"""


def _at_home(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    """Return a path with the home folder that a leading `~` stands for: a shell leaves it in `--root=~/x`."""
    try:
        return None if path is None else path.expanduser()
    except RuntimeError:
        raise click.BadParameter(f"{str(path)!r} begins with the home folder of no known user") from None


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=_EXAMPLES,
    help="Show the whole product at work: made, proved, served and compared, with a report to hand on.",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    callback=_at_home,
    help="The repository.  [default: the one around here]",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    callback=_at_home,
    help="The folder of runs.  [default: data/demo_runs in the repository]",
)
@click.pass_context
def main(context: click.Context, root: Path | None, runs: Path | None) -> None:
    """Run `esdh-demo`."""
    commands = context.obj if isinstance(context.obj, Commands) else Commands()
    try:
        places = Places(root or find_root(Path.cwd()), runs or Path())
    except DemoError as error:
        raise click.ClickException(str(error)) from error
    context.obj = _Setting(places, commands)


def _flow_options(command: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option(
            "--profile",
            "name",
            default="baseline",
            show_default=True,
            metavar="P",
            help="What to generate: a profile of config/demo.yaml.",
        ),
        click.option("--skip-smoke", is_flag=True, help="Leave the smoke tests out."),
        click.option("--interactive", is_flag=True, help="Pause before each step, and open the demo page."),
        click.option(
            "--port",
            type=click.IntRange(0, 65_535),
            help="Port of the server; 0 takes a free one.  [default: of the config]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@main.command(
    short_help="Validate, test, then run the flow; stop at the first failure.",
    help="""Validate the repository, run the smoke tests, then the flow; stop at the first failure.

    Exit status 0 when all passed, 1 when something is wrong, 130 after Ctrl-C.
    """,
)
@_flow_options
@click.pass_obj
def gate(setting: _Setting, /, **options: Any) -> None:
    """Run `esdh-demo gate`."""
    _conduct(setting, validated=True, **options)


@main.command(
    short_help="Run the smoke tests and the flow.",
    help="""Run the smoke tests, then the flow: generate, verify, serve, preview, reproduce, stop, report.

    Exit status 0 when all passed, 1 when something is wrong, 130 after Ctrl-C.
    """,
)
@_flow_options
@click.pass_obj
def run(setting: _Setting, /, **options: Any) -> None:
    """Run `esdh-demo run`."""
    _conduct(setting, validated=False, **options)


def _conduct(
    setting: _Setting, *, validated: bool, name: str, skip_smoke: bool, interactive: bool, port: int | None
) -> None:
    with _told(setting) as runs:
        config = setting.config()
        profile = config.profile(name)
        pause = pause_for(setting.console, interactive=interactive)
        with _begun(setting, config, name, runs, profile=profile, pause=pause) as begun:
            if validated:
                validate(begun)
            if not skip_smoke:
                smoke(begun)
            flow(
                begun,
                profile,
                port=config.server.port if port is None else port,
                interactive=pause is not None,
            )
        print_summary(setting.console, setting.places, begun)
        if pause is not None and begun.kept is not None:
            open_page(setting.console, (begun.kept / "report.html").as_uri())


@contextmanager
def _begun(
    setting: _Setting,
    config: Config,
    label: str,
    runs: list[Run],
    *,
    profile: Profile | None = None,
    pause: Callable[[str], None] | None = None,
) -> Iterator[Run]:
    with run_of(
        setting.places,
        config,
        label,
        commands=setting.commands,
        console=setting.console,
        profile=profile,
        pause=pause,
    ) as begun:
        runs.append(begun)
        setting.console.print(f"Run {begun.run_id}", style="bold", markup=False)
        yield begun


@main.command(
    "validate",
    short_help="Hold config, plan, rows, samples and goldens against what is promised.",
    help="Hold config, plan, rows, samples and goldens against what the repository promises.",
)
@click.pass_obj
def validate_command(setting: _Setting) -> None:
    """Run `esdh-demo validate`."""
    with _told(setting) as runs:
        with _begun(setting, setting.config(), "validate", runs) as begun:
            validate(begun)
        print_summary(setting.console, setting.places, begun)


@main.command(
    "smoke",
    short_help="Run the tests marked `demo`.",
    help="Run the tests marked `demo`.",
)
@click.pass_obj
def smoke_command(setting: _Setting) -> None:
    """Run `esdh-demo smoke`."""
    with _told(setting) as runs:
        with _begun(setting, setting.config(), "smoke", runs) as begun:
            smoke(begun)
        print_summary(setting.console, setting.places, begun)


@main.command(
    "list",
    short_help="List the runs.",
    help="List the runs that are kept, newest first.",
)
@click.pass_obj
def list_command(setting: _Setting) -> None:
    """Run `esdh-demo list`."""
    archive = Archive(setting.places)
    with _told(setting):
        folders = sorted([*archive.complete(), *archive.failed()], reverse=True)
        latest = archive.latest()
    if not folders:
        setting.console.print("No runs yet; `uv run just demo` makes one")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("run", "status", "records", "seed", "seconds"):
        table.add_column(title, justify="right" if title in ("records", "seed", "seconds") else "left")
    for folder in folders:
        record = read_record(folder)
        mark = " (latest)" if folder == latest else ""
        if record is None:
            table.add_row(escape(folder.name), "cut off", "", "", "")
            continue
        table.add_row(
            escape(folder.name) + mark,
            record.status,
            "" if record.records is None else f"{record.records:,}",
            "" if record.seed is None else str(record.seed),
            f"{record.seconds:.1f}",
        )
    setting.console.print(table, soft_wrap=False)


@main.command(
    "log",
    short_help="Print the last run's events.",
    help="Print the last run's events readably, from data/demo_runs/demo_flow_log.jsonl.",
)
@click.option("--run", "run_id", metavar="ID", help="Another run's events.")
@click.pass_obj
def log_command(setting: _Setting, run_id: str | None) -> None:
    """Run `esdh-demo log`."""
    with _told(setting):
        entries = list(read_journal(setting.places.journal))
        begun = [entry["run_id"] for entry in entries if entry.get("event") == "run.started"]
        if not begun:
            raise DemoError("no run has been logged yet", remedy="`uv run just demo` makes one")
        wanted = begun[-1] if run_id is None else run_id
        if wanted not in begun:
            raise DemoError(
                f"no run {wanted!r} is in the log", remedy="`uv run esdh-demo list` tells the runs"
            )
        setting.console.print(f"Run {wanted}", style="bold", markup=False)
        print_log(setting.console, [entry for entry in entries if entry.get("run_id") == wanted])


@main.command(
    "clean",
    short_help="Remove runs.",
    help="Remove all runs but the newest so many, and the log; runs under way stay.",
)
@click.option(
    "--keep", type=click.IntRange(0), default=0, show_default=True, help="Newest complete runs to keep."
)
@click.option("--keep-log", is_flag=True, help="Keep the log.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def clean_command(setting: _Setting, keep: int, keep_log: bool, yes: bool) -> None:
    """Run `esdh-demo clean`."""
    archive = Archive(setting.places)
    with _told(setting):
        if not setting.places.runs.is_dir():
            setting.console.print("Nothing to remove")
            return
        gone = [*archive.complete()[keep:], *archive.failed()]
        if not yes:
            what = f"{len(gone)} runs{'' if keep_log else ' and the log'} of {setting.places.shown(setting.places.runs)}"
            click.confirm(f"Remove {what}?", abort=True)
        for path in archive.clean(keep=keep, log=keep_log):
            setting.console.print(f"Removed {setting.places.shown(path)}", markup=False)


@main.command(
    "stop",
    short_help="Stop every run, and end what killed runs have left.",
    help="Stop every run under way, and end what killed runs have left.",
)
@click.pass_obj
def stop_command(setting: _Setting) -> None:
    """Run `esdh-demo stop`."""
    with _told(setting):
        did = Archive(setting.places).stop() if setting.places.runs.is_dir() else []
        for sentence in did or ["Nothing of the demo was running"]:
            setting.console.print(sentence, markup=False)


@main.command(
    "doctor",
    short_help="Say what is wrong with this machine and how to mend it.",
    help="""Look at Python, uv, packages, config, ports, disk, permissions and stale runs; change nothing.

    Exit status 1 when something is wrong.
    """,
)
@click.pass_obj
def doctor_command(setting: _Setting) -> None:
    """Run `esdh-demo doctor`."""
    findings = examine(setting.places)
    colours = {"ok": "green", "note": "yellow", "wrong": "bold red"}
    for finding in findings:
        line = (
            f"[{colours[finding.state]}]{finding.state:<6}[/] {finding.subject:<12} {escape(finding.found)}"
        )
        setting.console.print(line)
        if finding.remedy:
            setting.console.print(f"{'':<20}to mend: {finding.remedy}", markup=False)
    if any(finding.state == "wrong" for finding in findings):
        raise click.exceptions.Exit(1)


@main.command(
    "write-samples",
    short_help="Write the canned answers, for a new dataset version.",
    help="Write data/demo_samples from the real API: for a new dataset version, since those of one never change.",
)
@click.pass_obj
def write_samples_command(setting: _Setting) -> None:
    """Run `esdh-demo write-samples`."""
    with (
        _told(setting) as runs,
        _begun(setting, setting.config(), "samples", runs) as begun,
        begun.step("samples", "write the API's answers") as step,
        serving(begun) as server,
    ):
        server.health()
        with server.answering():
            written = write_samples(server.client, setting.places)
        server.stop()
        step.found = ", ".join(setting.places.shown(path) for path in written)

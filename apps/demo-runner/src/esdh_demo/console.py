"""What an operator sees: the terminal, the questions between steps, the summary and the diagnosis."""

import os
import sys
import webbrowser
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from esdh_demo.errors import DemoError
from esdh_demo.steps import Run, Session

__all__ = [
    "make_console",
    "make_table",
    "open_page",
    "pause_for",
    "print_diagnosis",
    "print_log",
    "print_summary",
]


def make_console() -> Console:
    """Return a console for stdout, which prints text as it is, in colour where the terminal has it (not NO_COLOR)."""
    return Console(highlight=False, soft_wrap=True, emoji=False, markup=False)


def make_table(*columns: str, numbers: Sequence[str] = ()) -> Table:
    """Return a table; the columns in `numbers` are aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return table


def pause_for(console: Console, *, interactive: bool) -> Callable[[str], None] | None:
    """Return a function that asks before a step, None without `interactive` or a terminal to answer on."""
    if interactive and not (sys.stdin.isatty() and sys.stdout.isatty()):
        console.print("--interactive needs a terminal, and there is none here; going on without pauses")
        return None

    def ask(title: str) -> None:
        try:
            answer = console.input(f"Next: {title}. Enter goes on, q stops: ", markup=False)
        except EOFError:
            answer = "q"
        if answer.strip().lower().startswith("q"):
            raise KeyboardInterrupt

    return ask if interactive else None


def open_page(console: Console, address: str) -> None:
    """Open a page in the browser, or print its address where there is no browser."""
    # On Linux without a screen a text browser would take the terminal.
    screen = sys.platform in ("win32", "darwin") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    opened = screen and webbrowser.open(address)
    console.print(f"  opened {address}" if opened else f"  no browser here; the page is at {address}")


def print_summary(run: Run) -> None:
    """Print what was made, where, how long each step took and what to try next."""
    console, paths = run.session.console, run.session.paths
    _print_steps(run)
    if run.artifacts is None:
        return
    folder, latest = (paths.display(path) for path in (run.artifacts, paths.runs / "latest"))
    record_id = next((step.found.split()[0] for step in run.record.steps if step.name == "reproduce"), "ID")
    heading = Text.assemble(("All passed.", "bold green"), " In ", (folder, "bold"), f" (and {latest}):")
    console.print(heading)
    for name, meaning in (
        ("report.html", "what was made and proved, for anybody; open it in a browser"),
        ("snapshot/", "the data, with checksums and manifest"),
        ("api/", "what the API and the commands answered"),
        ("logs/", "what the commands printed"),
    ):
        console.print(f"  {name:<12} {meaning}")
    console.print("Try next:", style="bold")
    for command, meaning in (
        (f"uv run esdh reproduce {record_id}", "a record from its id alone"),
        ("uv run esdh serve", "the API, and a page at /demo"),
        ("uv run just demo --profile exploratory", "records that nobody has seen yet"),
        ("uv run just demo-log", "this run, event by event"),
    ):
        console.print(f"  {command:<60} {meaning}")


def print_diagnosis(session: Session, error: DemoError) -> None:
    """Print what went wrong, what to do, and where the artifacts are."""
    console, paths, run = session.console, session.paths, session.run
    if run is not None and run.record.steps:
        _print_steps(run)
    console.print(Text.assemble("\n", ("Failed:", "bold red"), f" {error.what}"))
    console.print(Text.assemble(("To do:", "bold"), f"  {error.remedy}"))
    if run is not None and run.artifacts is not None:
        place = f"{paths.display(run.artifacts)}, the log in {paths.display(paths.log)}"
        console.print(Text.assemble(("Kept:", "bold"), f"   {place}"))


def _print_steps(run: Run) -> None:
    table = make_table("step", "outcome", "seconds", "found", numbers=("seconds",))
    for step in run.record.steps:
        outcome = Text(step.status, style="green" if step.status == "passed" else "red")
        table.add_row(step.name, outcome, f"{step.seconds:.1f}", step.found)
    table.add_row("", "", f"{sum(step.seconds for step in run.record.steps):.1f}", "in all", style="bold")
    run.session.console.print("", table, "", soft_wrap=False)


def print_log(console: Console, events: Iterable[dict[str, Any]]) -> None:
    """Print the events of a run, one a line."""
    for event in events:
        details = [f"{event['duration_s']:.1f} s"] if "duration_s" in event else []
        details += [f"{name} {count:,}" for name, count in event.get("counts", {}).items()]
        details += [f"seed {event['seed']}"] if event.get("seed") is not None else []
        details += [str(event[name]) for name in ("found", "swept") if event.get(name)]
        details += [event["failure"]["what"]] if "failure" in event else []
        details += event.get("paths", {}).values()
        columns = f"{event['timestamp'][11:19]}  {event['event']:<13} {event.get('step', ''):<10}"
        line = f"{columns} {event.get('status', ''):<11} {'; '.join(details)}"
        bad = event.get("level") in ("error", "warning")
        console.print(line.rstrip(), style="red" if bad else None)

"""What an operator sees: the terminal, the questions between steps, the summary and the diagnosis."""

import os
import sys
import webbrowser
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from esdh_demo.errors import DemoError
from esdh_demo.places import Places
from esdh_demo.runs import StepRecord
from esdh_demo.steps import InterruptedRun, Run

__all__ = ["make_console", "open_page", "pause_for", "print_diagnosis", "print_summary"]


def make_console() -> Console:
    """Return a console for stdout: without colour where there is none (NO_COLOR, TERM=dumb, no terminal)."""
    return Console(highlight=False, soft_wrap=True, emoji=False)


def pause_for(console: Console, *, interactive: bool) -> Callable[[str], None] | None:
    """Return what asks before each step, None where nobody is to be asked or nobody can answer."""
    if not interactive:
        return None
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        console.print("--interactive needs a terminal, and there is none here; going on without pauses")
        return None

    def ask(title: str) -> None:
        try:
            answer = console.input(f"Next: {escape(title)}. Enter goes on, q stops: ")
        except EOFError:
            answer = "q"
        if answer.strip().lower().startswith("q"):
            raise InterruptedRun("q")

    return ask


def open_page(console: Console, address: str) -> None:
    """Open a page in the browser, or tell its address where there is no browser."""
    if _has_screen() and webbrowser.open(address):
        console.print(f"  opened {address}", markup=False)
    else:
        console.print(f"  no browser here; the page is at {address}", markup=False)


def print_summary(console: Console, places: Places, run: Run) -> None:
    """Print what was made, where, how long each step took and what to try next."""
    console.print()
    _print_steps(console, run.steps)
    if run.kept is None:
        return
    folder = places.shown(run.kept)
    middle = next((step.found.split()[0] for step in run.steps if step.name == "reproduce"), "ID")
    console.print(
        f"[bold green]All passed.[/] In [bold]{escape(folder)}[/] (and {escape(places.shown(places.runs / 'latest'))}):"
    )
    for name, meaning in (
        ("report.html", "what was made and proved, for anybody; open it in a browser"),
        ("snapshot/", "the data, with checksums and manifest"),
        ("api/", "what the API and the commands answered"),
        ("logs/", "what the commands printed"),
    ):
        console.print(f"  {name:<12} {meaning}", markup=False)
    console.print("[bold]Try next:[/]")
    for command, meaning in (
        (f"uv run esdh reproduce {middle}", "a record from its id alone"),
        ("uv run esdh serve", "the API, and a page at /demo"),
        ("uv run just demo --profile exploratory", "records that nobody has seen yet"),
        ("uv run just demo-log", "this run, event by event"),
    ):
        console.print(f"  {command:<60} {meaning}", markup=False)


def print_diagnosis(console: Console, places: Places, run: Run | None, error: DemoError) -> None:
    """Print what went wrong, what to do, and where what was made is kept."""
    console.print()
    if run is not None and run.steps:
        _print_steps(console, run.steps)
    console.print(f"[bold red]Failed:[/] {escape(error.what)}")
    console.print(f"[bold]To do:[/]  {escape(error.remedy)}")
    if run is not None and run.kept is not None:
        console.print(
            f"[bold]Kept:[/]   {escape(places.shown(run.kept))}, the log in {escape(places.shown(places.journal))}"
        )


def _print_steps(console: Console, steps: Sequence[StepRecord]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("step")
    table.add_column("outcome")
    table.add_column("seconds", justify="right")
    table.add_column("found", overflow="fold")
    for step in steps:
        colour = "green" if step.status == "passed" else "red"
        table.add_row(step.name, f"[{colour}]{step.status}[/]", f"{step.seconds:.1f}", escape(step.found))
    table.add_row("", "", f"{sum(step.seconds for step in steps):.1f}", "in all", style="bold")
    console.print(table, soft_wrap=False)
    console.print()


def _has_screen() -> bool:
    """Return whether a browser could show itself; on Linux without one a text browser would take the terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def print_log(console: Console, entries: Sequence[dict[str, Any]]) -> None:
    """Print the events of a run, one a line."""
    for entry in entries:
        told = [f"{entry['duration_s']:.1f} s"] if "duration_s" in entry else []
        told += [f"{name} {count:,}" for name, count in entry.get("counts", {}).items()]
        if entry.get("seed") is not None:
            told.append(f"seed {entry['seed']}")
        told += [str(entry[name]) for name in ("found", "swept") if entry.get(name)]
        if "failure" in entry:
            told.append(entry["failure"]["what"])
        told += entry.get("paths", {}).values()
        line = (
            f"{entry['timestamp'][11:19]}  {entry.get('event', ''):<13} {entry.get('step', ''):<10} "
            f"{entry.get('status', ''):<11} {'; '.join(told)}"
        )
        bad = entry.get("level") in ("error", "warning")
        console.print(line.rstrip(), markup=False, style="red" if bad else None)

"""docs/BENCHMARKS.md: what a whole run measured, ratios first, and the machine it ran on."""

import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from budgets import Budget, Measured

__all__ = ["PAGE", "render"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "BENCHMARKS.md"
PREAMBLE = Path(__file__).with_name("preamble.md")
PACKAGES = (
    *("esdh-core", "esdh-plan", "esdh-export", "esdh-cli", "esdh-api"),
    *("numpy", "pyarrow", "msgspec", "click", "flask", "waitress"),
    *("faker", "mimesis", "polars", "tpchgen-cli", "snowfakery", "pytest-benchmark"),
)


def render(measured: Mapping[str, Measured], *, command: str) -> str:
    """Return the page for the rows that a run measured; `command` is the one that ran."""
    rows = measured.values()
    ratios = [
        (
            row.budget.what,
            row.budget.against,
            f"**{row.budget.figure(row.value)}**",
            _bound(row.budget, row.budget.target),
            row.verdict,
            _bound(row.budget, row.budget.budget),
        )
        for row in rows
    ]
    figures = [(row.budget.what, row.budget.against, row.ours, row.theirs, row.how) for row in rows]
    about = [
        ("measured", f"{datetime.now(UTC):%Y-%m-%d}, by `{command}`"),
        *_machine(),
        ("packages", _packages()),
    ]
    parts = [
        PREAMBLE.read_text(encoding="utf-8").strip(),
        "## Ratios",
        _table(("what", "against", "measured", "target", "", "budget"), ratios),
        "## Figures behind them",
        _table(("what", "against", "ours", "theirs", "taken as"), figures),
        "## Where",
        _table(("", ""), about),
    ]
    return "\n\n".join(parts) + "\n"


def _bound(row: Budget, value: float | None) -> str:
    return "none" if value is None else f"{row.bound} {row.figure(value)}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _machine() -> list[tuple[str, str]]:
    """Return what is known of this machine: processor, memory, the disk below the temporary folder, system."""
    model = _field(Path("/proc/cpuinfo"), "model name")
    memory = int(_field(Path("/proc/meminfo"), "MemTotal").removesuffix(" kB")) / 2**20
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.system()
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return [
        ("processor", f"{model}, {len(os.sched_getaffinity(0))} cores"),
        ("memory", f"{memory:.0f} GiB"),
        ("file system", _file_system(Path(tempfile.gettempdir()))),
        ("system", f"{system}, {platform.system()} {platform.release()} on {platform.machine()}"),
        ("Python", python),
    ]


def _field(page: Path, name: str) -> str:
    fields = (line.partition(":") for line in page.read_text().splitlines())
    return next((value.strip() for key, _, value in fields if key.strip() == name), "unknown")


def _file_system(folder: Path) -> str:
    """Return the type of the file system that holds a folder."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    holding = [(point, kind) for point, kind in mounts if folder.is_relative_to(point)]
    return max(holding, key=lambda mount: len(mount[0]))[1]


def _packages() -> str:
    return ", ".join(f"{name} {version(name)}" for name in PACKAGES)

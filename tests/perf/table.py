"""docs/BENCHMARKS.md: what a whole run measured, ratios first, and the machine it ran on."""

import os
import platform
import statistics
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from budgets import Budget, Measured

__all__ = ["PAGE", "beside", "render"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "BENCHMARKS.md"
CPUINFO = Path("/proc/cpuinfo")
# By the names that Linux has for them, on x86 and on ARM: what NumPy, Arrow and OpenSSL choose their loops by.
INSTRUCTIONS = {
    "sse4_2": "SSE4.2",
    "avx2": "AVX2",
    "avx512f": "AVX-512F",
    "avx512vl": "AVX-512VL",
    "avx512_vbmi2": "AVX-512 VBMI2",
    "sha_ni": "SHA-NI",
    "asimd": "NEON",
    "sve": "SVE",
    "sha2": "SHA-2",
}
PREAMBLE = Path(__file__).with_name("preamble.md")
PACKAGES = (
    *("esdh-core", "esdh-plan", "esdh-export", "esdh-cli", "esdh-api"),
    *("numpy", "pyarrow", "msgspec", "click", "flask", "waitress"),
    *("faker", "mimesis", "polars", "duckdb", "tpchgen-cli", "snowfakery", "pytest-benchmark"),
)


def render(measured: Mapping[str, Measured], *, command: str, load_before: float) -> str:
    """Return the page for the rows that a run measured; `command` is the one that ran, beside the load before it."""
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
    figures = [
        (row.budget.what, row.budget.against, row.ours, row.theirs, row.how, beside(row)) for row in rows
    ]
    about = [
        ("measured", f"{datetime.now(UTC):%Y-%m-%d}, by `{command}`"),
        *_machine(),
        ("what else ran", _others(rows, load_before)),
        ("packages", _packages()),
    ]
    parts = [
        PREAMBLE.read_text(encoding="utf-8").strip(),
        "## Ratios",
        _table(("what", "against", "measured", "target", "", "budget"), ratios),
        "## Figures behind them",
        _table(("what", "against", "ours", "theirs", "taken as", "beside it"), figures),
        "## Where",
        _table(("", ""), about),
    ]
    return "\n\n".join(parts) + "\n"


def beside(row: Measured) -> str:
    """Return the spread of a row's rounds, and what others took of the cores meanwhile."""
    low, high = map(row.budget.figure, row.spread)
    spread = f"half of the rounds from {low} to {high}; " if row.rounds else ""
    return f"{spread}others took {row.others:.0%} of the cores"


def _others(rows: Iterable[Measured], load_before: float) -> str:
    shares = [row.others for row in rows]
    middle, most = statistics.median(shares), max(shares)
    return (
        f"load average {load_before:.2f} before and {os.getloadavg()[0]:.2f} after; other processes took {middle:.0%} of "
        f"the cores' time in the median of the rows, {most:.0%} at the most"
    )


def _bound(row: Budget, value: float | None) -> str:
    return "none" if value is None else f"{row.bound} {row.figure(value)}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _machine() -> list[tuple[str, str]]:
    """Return what is known of this machine: processor, memory, the disk below the temporary folder, system."""
    model = _field(CPUINFO, "model name")
    flags = {*_field(CPUINFO, "flags").split(), *_field(CPUINFO, "Features").split()}
    instructions = [name for flag, name in INSTRUCTIONS.items() if flag in flags]
    memory = int(_field(Path("/proc/meminfo"), "MemTotal").removesuffix(" kB")) / 2**20
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.system()
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return [
        ("processor", f"{model}, {len(os.sched_getaffinity(0))} cores"),
        ("vector and SHA instructions", ", ".join(instructions) or "none that is known here"),
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

"""The report of a run: one HTML file that needs nothing else, for somebody who reads no code."""

import shlex
from pathlib import Path

import jinja2

from esdh_demo.answers import Manifest, Reproduced, Verification
from esdh_demo.charts import charts_of
from esdh_demo.config import Profile
from esdh_demo.steps import Run, environment

__all__ = ["render_report", "write_report"]

_TEMPLATE = "report.html.jinja"


def write_report(
    run: Run,
    profile: Profile,
    *,
    manifest: Manifest,
    verification: Verification,
    reproduced: Reproduced,
    compared: dict[str, int],
) -> Path:
    """Write `report.html` into the run's folder and return its path."""
    page = render_report(
        run, profile, manifest=manifest, verification=verification, reproduced=reproduced, compared=compared
    )
    path = run.folder / "report.html"
    path.write_text(page, encoding="utf-8", newline="\n")
    return path


def render_report(
    run: Run,
    profile: Profile,
    *,
    manifest: Manifest,
    verification: Verification,
    reproduced: Reproduced,
    compared: dict[str, int],
) -> str:
    """Return the page; every value in it is escaped."""
    environment_ = jinja2.Environment(
        loader=jinja2.PackageLoader("esdh_demo", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment_.filters["count"] = "{:,}".format
    environment_.filters["percent"] = lambda share: f"{share:.1%}"
    formats = " ".join(profile.formats)
    return environment_.get_template(_TEMPLATE).render(
        run=run,
        profile=profile,
        manifest=manifest,
        size=sum(listed.bytes for listed in manifest.checksums.values()),
        rows=sum(manifest.record_counts.values()),
        checks=verification.checks,
        charts=charts_of(manifest.stats),
        record=reproduced,
        compared=compared,
        began=run.opened.began.strftime("%d %B %Y, %H:%M UTC").lstrip("0"),
        environment=environment(),
        commands=[
            (
                "The same data, byte for byte, on any machine",
                f"uv run esdh generate-snapshot --output-dir again --records {profile.records} --seed {manifest.seed} "
                f"--output-format {formats}",
            ),
            ("The same checks", "uv run esdh verify-snapshot again"),
            ("The record above, from its id alone", f"uv run esdh reproduce {shlex.quote(reproduced.id)}"),
            ("This whole run", f"uv run esdh-demo run --profile {run.label}"),
        ],
    )

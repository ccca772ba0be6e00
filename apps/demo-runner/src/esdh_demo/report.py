"""The report of a run: one HTML file that needs nothing else, for somebody who reads no code."""

import shlex
from collections.abc import Mapping
from typing import Any

import jinja2
from esdh_core import DEFAULT_DATASET
from esdh_manifest import Manifest

from esdh_demo.answers import Verification
from esdh_demo.charts import charts_of
from esdh_demo.config import Profile
from esdh_demo.steps import Run

__all__ = ["render_report"]


def render_report(
    run: Run,
    profile: Profile,
    *,
    manifest: Manifest,
    verification: Verification,
    record: Mapping[str, Any],
    compared: int,
) -> str:
    """Return the page; every value in it is escaped.

    `record` is an answer of `GET /records/<id>`, `compared` the number of the API's rows that equal the snapshot's.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("esdh_demo", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = "{:,}".format
    environment.filters["percent"] = "{:.1%}".format
    again = f"--records {profile.records} --seed {manifest.seed} --output-format {' '.join(profile.formats)}"
    return environment.get_template("report.html.jinja").render(
        run=run.record,
        profile=profile,
        dataset=DEFAULT_DATASET,
        manifest=manifest,
        size=sum(file.bytes for file in manifest.checksums.values()),
        checks=verification.checks,
        charts=charts_of(manifest.stats),
        record=record,
        compared=compared,
        began=run.record.started_at.strftime("%d %B %Y, %H:%M UTC").lstrip("0"),
        tables=[*zip(DEFAULT_DATASET.tables, DEFAULT_DATASET.plan.entities, strict=True)],
        unique={
            table.name: [rule.name for rule in table.rules if rule.role == "unique"]
            for table in DEFAULT_DATASET.tables
        },
        commands={
            "The same data, byte for byte, on any machine": f"uv run esdh generate-snapshot --output-dir again {again}",
            "The same checks": "uv run esdh verify-snapshot again",
            "The record above, from its id alone": f"uv run esdh reproduce {shlex.quote(record['id'])}",
            "This whole run": f"uv run esdh-demo run --profile {run.record.profile}",
        },
    )

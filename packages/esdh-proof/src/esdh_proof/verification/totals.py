"""What all parts of a snapshot say together: digests, statistics, gates, and the claims that follow from them."""

from itertools import product, zip_longest
from pathlib import Path
from typing import Any

from esdh_core.overlay import KIND, LABELS
from esdh_export import (
    SnapshotRequest,
    build_manifest,
    entity_digest,
    manifest_counts,
    merge_counts,
    render_descriptors,
)
from esdh_export.counting import no_counts
from esdh_export.formats.json import metadata_document
from esdh_manifest import FileProblem, Manifest, manifest_name, metadata_name, overlay_name, recipe_name

from esdh_proof.errors import ProofError
from esdh_proof.findings import Failure, Findings, display
from esdh_proof.gates import judge, skip
from esdh_proof.verification.files import check_rendered
from esdh_proof.verification.shard import ShardReport

__all__ = ["Totals"]


class Totals:
    """The reports of the parts that were verified, in their order, and the checks over what they say together."""

    def __init__(self, manifest: Manifest, request: SnapshotRequest, findings: Findings) -> None:
        self._manifest, self._request, self._findings = manifest, request, findings
        self._name = manifest_name(request.dataset.dataset_version)
        self._stats = no_counts(request)
        self._blocks: dict[str, dict[str, list[bytes]]] = {name: {} for name in request.formats}
        self._row_counts = {table.name: 0 for table in request.tables}  # made again, as far as it was looked
        self._file_rows: dict[str, int] = {}
        self._of_seed = 0
        self._kinds: dict[str, int] | None = None
        self.problems: dict[str, FileProblem | None] = {}
        self.stopped = False

    def add(self, report: ShardReport) -> None:
        """Add the report of the next part."""
        self._findings.merge(report.findings)
        self.problems.update(report.problems)
        self._stats = merge_counts(self._stats, report.stats)
        for table, rows in report.rows.items():
            self._row_counts[table] += rows
        self._file_rows.update(report.file_rows)
        for name, tables in report.blocks.items():
            for table, digests in tables.items():
                self._blocks[name].setdefault(table, []).extend(digests)
        self._of_seed += report.of_seed
        self.stopped = not report.found

    @property
    def row_counts(self) -> dict[str, int]:
        """The rows that each table must have in the parts that were verified."""
        return self._row_counts

    def check(self, folder: Path) -> None:
        """Run the checks over the sums: digests, statistics, gates and claims."""
        if self._of_seed:
            self._findings.note(
                "schema",
                f"{self._of_seed:,} rows have the very bytes that the seed gives: they were checked as they were made, "
                "any others as they were read",
            )
        counted = manifest_counts(self._request, self._stats)
        self._stats = {table: counts for table, counts in counted.items() if table != LABELS.name}
        self._kinds = counted.get(LABELS.name, {}).get(KIND)
        content = self._content()
        self._check_statistics()
        self._check_gates()
        tables_agree = self._check_manifest(content)
        if (recipe := self._request.dataset.recipe) is not None:
            check_rendered(folder, recipe_name(self._manifest.dataset_version), recipe, self._findings)
        if "json" in self._request.formats:
            metadata = metadata_document(self.metadata())
            check_rendered(folder, metadata_name(self._manifest.dataset_version), metadata, self._findings)
        if (defects := self._request.defects) is not None:
            name = overlay_name(self._manifest.dataset_version)
            check_rendered(folder, name, defects.recipe, self._findings)
        if tables_agree:  # else a manifest of a million made-up parts would be rendered at length
            for path, rendered in render_descriptors(self._manifest, self._request.dataset).items():
                check_rendered(folder, path, rendered, self._findings)

    def metadata(self) -> Any:
        """Return what the JSON document says of the rows that it must have."""
        return self._request.metadata(self._rows())

    def _rows(self) -> dict[str, int]:
        """Return the number of rows that each table must have: counted again, unless that was given up."""
        return {
            table.name: self._request.records
            if self._request.one_a_record(table)
            else self._manifest.record_counts[table.name]
            if self.stopped and not table.is_fixed
            else self._row_counts[table.name]
            for table in self._request.tables
        }

    def _rows_of_files(self, listed: dict[str, int]) -> dict[str, int]:
        """Return the number of rows that each file must have; where they were not counted again, as it is listed."""
        rows = self._request.row_counts()
        for shard in self._request.shards():
            for path in self._request.shard_files(shard):
                if path not in rows:
                    counted = self._file_rows.get(path, 0)
                    rows[path] = listed.get(path, counted) if self.stopped and not shard.fixed else counted
        return rows

    def _content(self) -> dict[str, str]:
        """Compare the content digests of every format with each other and with the manifest's."""
        content: dict[str, str] = {}
        rows = self._rows()
        for name, table in product(self._request.formats, rows):
            digest = entity_digest(self._blocks[name].get(table, []))
            file = self._request.files().get(
                f"{table}_{name}", f"{self._request.files().get('dataset_json')}"
            )
            content.setdefault(table, digest)
            self._findings.count_rows("formats", rows[table])
            self._findings.expect(
                "formats", file, f"{table} content digest", digest, self._manifest.content.get(table)
            )
            if digest != content[table]:
                failure = Failure(
                    file=file, field=table, found=digest, expected=f"{content[table]}, as in other formats"
                )
                self._findings.fail("formats", failure)
        return content

    def _check_statistics(self) -> None:
        for table, statistics in self._stats.items():
            manifest_statistics = self._manifest.stats.get(table, {})
            for statistic, counts in statistics.items():
                labels = manifest_statistics.get(statistic, {})
                for label in sorted({*counts, *labels}):
                    field = f"stats.{table}.{statistic}.{label}"
                    self._findings.expect("stats", self._name, field, labels.get(label), counts.get(label))

    def _check_gates(self) -> None:
        """Hold the recounted statistics against the plan, and the gates that the manifest claims against that."""
        manifest_gates = self._manifest.gates
        try:
            gates = judge(self._stats, dataset=self._request.dataset, seed=self._request.seed)
        except ProofError as error:
            self._findings.expect("fidelity", self._name, "stats", display(error), "counts of every row")
            return
        for check in (each for each in gates.checks if not each.passed):
            field = f"stats.{check.entity}.{check.statistic}.{check.worst}"
            expected = f"about {check.expected}" if check.expected else "none"
            self._findings.expect("fidelity", self._name, field, check.observed, expected)
        if manifest_gates is None or manifest_gates.verdict == "skipped":
            if gates.verdict != "skipped":  # as it is where no shares are declared
                self._findings.note("fidelity", "no gate was asked when the snapshot was written")
            gates = skip(self._stats)  # which claims nothing else
        if manifest_gates is None:
            return
        self._findings.expect("fidelity", self._name, "gates.verdict", manifest_gates.verdict, gates.verdict)
        self._findings.expect("fidelity", self._name, "gates.level", manifest_gates.level, gates.level)
        for at, (found, recomputed) in enumerate(zip_longest(manifest_gates.checks, gates.checks)):
            self._findings.expect("fidelity", self._name, f"gates.checks.{at}", found, recomputed)

    def _check_manifest(self, content: dict[str, str]) -> bool:
        """Hold every claim of the manifest that follows from the others against what it must be.

        Return whether it lists the tables that the request asks for.
        """
        manifest, request = self._manifest, self._request
        expected = build_manifest(
            request,
            rows=self._rows(),
            content=content,
            stats=self._stats,
            gates=manifest.gates,
            kinds=self._kinds,
        )
        passed_over = {"checksums", "content", "stats", "gates"}  # other checks look at these
        for field in (name for name in Manifest.__struct_fields__ if name not in passed_over):
            found, correct = getattr(manifest, field), getattr(expected, field)
            if isinstance(correct, dict):
                for key in [*correct, *(key for key in found if key not in correct)]:
                    self._findings.expect(
                        "manifest", self._name, f"{field}.{key}", found.get(key), correct.get(key)
                    )
                self._findings.expect(
                    "manifest", self._name, f"the order of {field}", list(found), list(correct)
                )
            elif field == "generator":
                self._findings.expect("manifest", self._name, "generator.name", found.name, correct.name)
                if found.version != correct.version:
                    self._findings.note(
                        "manifest",
                        f"says it was written by version {found.version}; this is {correct.version}",
                    )
            else:
                self._findings.expect("manifest", self._name, field, found, correct)
        listed = {path: each.rows for path, each in manifest.checksums.items() if each.rows is not None}
        tables = self._rows_of_files(listed)
        for path in sorted({*tables, *listed}):
            self._findings.expect(
                "manifest", self._name, f"checksums.{path}.rows", listed.get(path), tables.get(path)
            )
        return listed == tables

"""The files of a snapshot but for their rows: the manifest, what it lists, and what it renders to."""

from collections.abc import Sequence
from pathlib import Path

from esdh_core import Dataset
from esdh_export import SnapshotRequest
from esdh_manifest import (
    SUMS_NAME,
    FileProblem,
    Manifest,
    ManifestError,
    decode_manifest,
    encode_manifest,
    entry_of,
    file_problem,
    files_below,
    is_ignored,
    manifest_name,
    overlay_name,
    readme_name,
    recipe_name,
    render_readme,
    sha256sums,
)
from msgspec import UNSET

from esdh_proof.datasets import LARGEST_DOCUMENT, dataset_of, defects_of
from esdh_proof.errors import ProofError
from esdh_proof.findings import Failure, Findings, display
from esdh_proof.reading import manifest_names, regular

__all__ = ["ROW_CHECKS", "check_files", "check_rendered", "name_writers", "read_manifest", "request_of"]

ROW_CHECKS = ("schema", "formats", "synthetic", "integrity", "rules", "fidelity", "stats", "regenerated")


def read_manifest(folder: Path, dataset: Dataset, findings: Findings) -> Manifest | None:
    """Return the manifest, None when it can't be read or isn't in the form that it is written in."""
    own = manifest_name(dataset.dataset_version)
    names = sorted(manifest_names(folder), key=lambda name: (name != own, name))  # that of this dataset first
    if len(names) != 1:
        found = ", ".join(names) or None
        findings.fail("manifest", Failure(file=own, found=found, expected="one manifest"))
    if not names:
        return None
    name = names[0]
    if not regular(folder, name):
        findings.fail("manifest", Failure(file=name, found="no regular file", expected="a file"))
        return None
    if (size := (folder / name).stat().st_size) > LARGEST_DOCUMENT:
        failure = Failure(file=name, found=f"{size} bytes", expected=f"at most {LARGEST_DOCUMENT} bytes")
        findings.fail("manifest", failure)
        return None
    written = (folder / name).read_bytes()
    try:
        manifest = decode_manifest(written)
    except (ManifestError, RecursionError) as error:
        findings.fail("manifest", Failure(file=name, found=display(error), expected="a snapshot's manifest"))
        return None
    _same_bytes(folder, name, encode_manifest(manifest), "manifest", findings)
    findings.expect("manifest", name, None, name, manifest_name(manifest.dataset_version))
    return manifest


def _same_text(findings: Findings, check: str, file: str, found: bytes, expected: bytes) -> None:
    """Compare two texts; the failure names the first line that differs."""
    if found == expected:
        return
    here, there = found.splitlines(keepends=True), expected.splitlines(keepends=True)
    at = next((n for n, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), None)
    if at is None:
        at = min(len(here), len(there))
    line = here[at].decode("utf-8", "replace").rstrip("\n") if at < len(here) else None
    line_expected = (
        there[at].decode("utf-8", "replace").rstrip("\n") if at < len(there) else "the end of the file"
    )
    failure = Failure(
        file=file, field=f"line {at + 1}", found=display(line), expected=display(line_expected) or ""
    )
    findings.fail(check, failure)


def _same_bytes(folder: Path, path: str, rendered: bytes, check: str, findings: Findings) -> None:
    """Hold a file against what it must be; the failure says what a tool did to it, or the first line that differs."""
    problem = file_problem(folder, path, entry_of(rendered))
    if problem is not None and problem.remedy:
        _fail_file(problem, check, findings)
    else:
        _same_text(findings, check, path, (folder / path).read_bytes(), rendered)


def _fail_file(problem: FileProblem, check: str, findings: Findings) -> None:
    failure = Failure(file=problem.path, found=problem.found, expected=problem.expected)
    findings.fail(check, failure)
    if problem.remedy:
        findings.note(check, problem.remedy)


def check_files(
    folder: Path, manifest: Manifest, problems: Sequence[FileProblem], findings: Findings
) -> None:
    """Check every file against the manifest, and what the manifest renders to against its file.

    `problems` is what is wrong with the files that the manifest lists.
    """
    for problem in problems:
        _fail_file(problem, "files", findings)
    name = next(each for each in manifest_names(folder))
    extras = files_below(folder) - set(manifest.checksums) - {SUMS_NAME, name}
    extras -= {f"{problem.path}.gz" for problem in problems if problem.remedy}  # reported already
    ignored = {extra for extra in extras if is_ignored(extra)}
    for extra in sorted(extras - ignored):
        findings.fail(
            "files", Failure(file=extra, found="a file", expected="nothing: the manifest doesn't list it")
        )
    if ignored:
        findings.note("files", f"passed over, as no part of the snapshot: {', '.join(sorted(ignored)[:5])}")
    itself, written = entry_of((folder / name).read_bytes()), entry_of(encode_manifest(manifest))
    changed = file_problem(folder, name, written)
    listed = {**manifest.checksums, name: written if changed is not None and changed.remedy else itself}
    for path, rendered in (
        (SUMS_NAME, sha256sums(listed)),
        (readme_name(manifest.dataset_version), render_readme(manifest)),
    ):
        check_rendered(folder, path, rendered, findings)
    findings.note(
        "files",
        f"{len(manifest.checksums)} files, {sum(f.bytes for f in manifest.checksums.values()):,} bytes",
    )


def name_writers(
    folder: Path, request: SnapshotRequest, problems: Sequence[FileProblem], findings: Findings
) -> None:
    """Say of Parquet files that aren't as listed, while all checks of their rows passed, who wrote them."""
    if any(findings.failed(check) for check in ("schema", "formats")):
        return
    for path in (each.path for each in problems if request.is_table(each.path) and not each.remedy):
        if not path.endswith(".parquet") or not regular(folder, path):
            continue
        import pyarrow.parquet as pq

        by = pq.read_metadata(folder / path).created_by
        findings.note(
            "files",
            f"{path} holds the listed rows in bytes that {display(by)} wrote; take the file from its source, or "
            "generate the snapshot again",
        )


def check_rendered(folder: Path, path: str, rendered: bytes, findings: Findings) -> None:
    """Hold a file against the bytes that it must have, which follow from what was found before."""
    if not regular(folder, path):
        findings.fail("files", Failure(file=path, found="missing", expected="a file"))
    elif (folder / path).stat().st_size > LARGEST_DOCUMENT:
        findings.fail(
            "files", Failure(file=path, found="a far larger file", expected=f"{len(rendered)} bytes")
        )
    else:
        _same_bytes(folder, path, rendered, "files", findings)


def request_of(
    folder: Path, manifest: Manifest, dataset: Dataset | None, findings: Findings
) -> SnapshotRequest | None:
    """Return the request that the manifest answers, None when this program can't say what it means."""
    try:
        dataset = dataset or dataset_of(folder, manifest)
    except ProofError as error:
        name = recipe_name(manifest.dataset_version)
        findings.fail(
            "manifest", Failure(file=name, found=display(error, 500), expected="the plan of the dataset")
        )
        for check in ROW_CHECKS:
            findings.skip(check, "the plan of the dataset can't be read")
        return None
    if manifest.dataset_version != dataset.dataset_version:
        for name in ROW_CHECKS:
            findings.skip(
                name,
                f"the snapshot is of {manifest.dataset_version}; this program knows {dataset.dataset_version}",
            )
        return None
    try:
        defects = None if manifest.defects is UNSET else defects_of(folder, manifest, dataset)
    except ProofError as error:
        name = overlay_name(manifest.dataset_version)
        findings.fail("manifest", Failure(file=name, found=display(error, 500), expected="the defects"))
        return None
    try:
        return SnapshotRequest.of(manifest, dataset, defects)
    except ValueError as error:
        findings.fail(
            "manifest",
            Failure(file=manifest_name(manifest.dataset_version), found=display(error), expected="a request"),
        )
        return None

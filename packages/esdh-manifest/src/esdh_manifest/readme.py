"""The README that goes with a snapshot, rendered from what its manifest says."""

from collections.abc import Mapping

from msgspec import UNSET

from esdh_manifest.checksums import SUMS_NAME
from esdh_manifest.model import Manifest
from esdh_manifest.names import manifest_name

__all__ = ["render_readme"]


def _command(manifest: Manifest) -> str:
    """Return the command that makes the same snapshot again."""
    formats = dict.fromkeys(label.rpartition("_")[2] for label in manifest.files if "_" in label)
    parts = [entry.rows for path, entry in manifest.checksums.items() if "/part-00000." in path]
    size = parts[0] if parts and manifest.shard_rows is UNSET else manifest.shard_rows
    shard_rows = f" --shard-rows {size}" if parts else ""
    # Of the table of labels it says nothing: that comes with the defects.
    tables = [name for name in manifest.record_counts if manifest.clean is UNSET or name != "defects"]
    defects = f" --defects {manifest.files['overlay']}" if "overlay" in manifest.files else ""
    return (
        f"esdh generate-snapshot{_plan(manifest)}{defects} --records {manifest.records_requested} --seed {manifest.seed} "
        f"--entity-filter {' '.join(tables)} --output-format {' '.join(formats)}{shard_rows}"
    )


def _plan(manifest: Manifest) -> str:
    """Return the option that names the compiled plan, where the snapshot carries one."""
    return f" --plan {manifest.files['plan']}" if "plan" in manifest.files else ""


def _warning(manifest: Manifest) -> list[str]:
    """Return what a reader of data with defects must know before anything else."""
    if manifest.defects is UNSET:
        return []
    kinds = manifest.defects.kinds
    what = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none of them in these rows"
    return [
        f"**NOT CLEAN: cells, rows or files are wrong on purpose ({what}). The table `defects` lists each.**",
        "",
    ]


def _table(header: tuple[str, ...], rows: Mapping[str, object]) -> list[str]:
    lines = [f"| {' | '.join(header)} |", "|" + " --- |" * len(header)]
    return lines + [f"| {key} | {value} |" for key, value in rows.items()]


def render_readme(manifest: Manifest) -> bytes:
    """Return the README of a snapshot; of its own entry in `checksums` it uses nothing."""
    fields: dict[str, list[str]] = {}
    for name in manifest.plan:
        entity, dot, field = name.partition(".")
        if dot:  # else a pick or a count
            fields.setdefault(entity, []).append(field)
    lines = [
        *_warning(manifest),
        f"# Synthetic data snapshot {manifest.dataset_version}",
        "",
        "Nobody in these files exists. They were computed from a seed by rules; no production data went in. Every row",
        f"carries `synthetic_source` = `{manifest.synthetic_source}`.",
        "",
        *_table(
            ("what", "value"),
            {
                "dataset version": manifest.dataset_version,
                "seed": f"{manifest.seed}{' (drawn at random)' if manifest.randomized else ''}",
                "records": manifest.records_requested,
                "reference instant": manifest.generated_at,
                "generator": f"{manifest.generator.name} {manifest.generator.version}",
                "plan SHA-256": f"`{manifest.plan_sha256}`",
            },
        ),
        "",
        "## Files",
        "",
        *_table(("label", "file"), {label: f"`{name}`" for label, name in manifest.files.items()}),
        "",
        f"`{SUMS_NAME}` lists the SHA-256 of every file, `{manifest_name(manifest.dataset_version)}` what the snapshot claims. A name that is a",
        "folder holds the rows in numbered parts.",
        "",
        "## Rows and content digests",
        "",
        *_table(
            ("entity", "rows, and a digest of the values that is the same in every format"),
            {name: f"{count}, `{manifest.content[name]}`" for name, count in manifest.record_counts.items()},
        ),
        "",
        "## Fields",
        "",
        *(f"- {entity}: {', '.join(f'`{field}`' for field in names)}" for entity, names in fields.items()),
        "",
        f"## To check, and to make {'the same data' if manifest.randomized else 'the same snapshot'} again",
        "",
        "```",
        f"sha256sum -c {SUMS_NAME}",
        _command(manifest),
        "```",
        "",
        f"Any id in the files decodes to its record: `esdh reproduce ID{_plan(manifest)}`.",
    ]
    return ("\n".join(lines) + "\n").encode()

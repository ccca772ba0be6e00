"""The plan for people: as text for a terminal and as Markdown for a document."""

from collections.abc import Iterator

from esdh_core.dataset import Dataset
from esdh_core.plan import EntityPlan, FieldPlan

__all__ = ["declared_shares", "plan_markdown", "plan_text"]


def _kind(field: FieldPlan) -> str:
    values = field.constraints.get("enum")
    kind = f"{field.type}: {' | '.join(map(str, values))}" if values else field.type
    return f"{kind} or null" if field.nullable else kind


def _facts(field: FieldPlan) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of a field, a label and a text each."""
    yield "type", _kind(field)
    yield "rule", field.rule
    if field.streams:
        yield "stream", ", ".join(field.streams)
    if field.permutation:
        yield "permutation", f"of the index, keyed by the stream {field.permutation}"
    if field.depends_on:
        yield "given", ", ".join(field.depends_on)
    if field.distribution:
        yield "distribution", field.distribution
    if field.source:
        yield "source", field.source
    for table in field.lookups:
        yield "table", f"{table.name} ({table.rows} rows, sha256 {table.sha256[:12]})"


def declared_shares(table: EntityPlan) -> Iterator[tuple[str, str]]:
    """Yield each statistic with its declared shares, the largest dozen where there are many."""
    for statistic in table.statistics:
        if statistic.shares is None:
            yield statistic.name, f"counts of {statistic.field or 'draws'}"
            continue
        ranked = sorted(statistic.shares.items(), key=lambda item: -item[1])
        largest = ", ".join(f"{label} {share:.2%}" for label, share in ranked[:12])
        rest = f" and {len(ranked) - 12} more" if len(ranked) > 12 else ""
        yield statistic.name, f"{largest}{rest}"


def plan_text(dataset: Dataset) -> str:
    """Return the plan as plain text, a paragraph a field."""
    plan = dataset.plan
    lines = [
        f"Dataset version {plan.dataset_version}, plan sha256 {dataset.plan_sha256}",
        f"Default: {plan.default_records} records of seed {plan.default_seed}; at most {plan.max_records} records",
        f"Every row carries synthetic_source={plan.synthetic_source!r}; ages count to {plan.generated_at[:10]}",
    ]
    for table in plan.entities:
        lines += ["", f"{table.plural.upper()}: {table.description}"]
        for field in table.fields:
            lines += ["", f"  {field.name}: {field.description}"]
            lines += [f"    {label:<13} {text}" for label, text in _facts(field)]
        lines += ["", "  Declared shares"]
        lines += [f"    {name}: {text}" for name, text in declared_shares(table)]
    return "\n".join(lines) + "\n"


def plan_markdown(dataset: Dataset) -> str:
    """Return the plan as Markdown, a table for each table of the dataset."""
    plan = dataset.plan
    lines = [
        f"# Generation plan of dataset version {plan.dataset_version}",
        "",
        f"Plan SHA-256: `{dataset.plan_sha256}`",
        "",
        f"Default: {plan.default_records} records of seed {plan.default_seed}; at most {plan.max_records} records. "
        f"Every row carries `synthetic_source` = `{plan.synthetic_source}`. Ages count to {plan.generated_at[:10]}.",
    ]
    for table in plan.entities:
        lines += ["", f"## {table.plural}", "", table.description, ""]
        lines += [
            "| field | type | rule | stream | given | distribution and source |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for field in table.fields:
            odds = "; ".join(filter(None, [field.distribution, field.source]))
            streams = ", ".join(f"`{stream}`" for stream in (*field.streams, field.permutation) if stream)
            dependencies = ", ".join(f"`{name}`" for name in field.depends_on)
            cells = [f"`{field.name}`", _kind(field), field.rule, streams, dependencies, odds]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines += ["", "Declared shares:", ""]
        lines += [f"- `{name}`: {text}" for name, text in declared_shares(table)]
    return "\n".join(lines) + "\n"

"""The plan for people: as text for a terminal and as Markdown for a document."""

from collections.abc import Iterator

from esdh_core.plan import EntityPlan, FieldPlan, plan, plan_sha256

__all__ = ["plan_markdown", "plan_text"]


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
    if field.given:
        yield "given", ", ".join(field.given)
    if field.distribution:
        yield "distribution", field.distribution
    if field.source:
        yield "source", field.source
    for table in field.tables:
        yield "table", f"{table.name} ({table.rows} rows, sha256 {table.sha256[:12]})"


def _shares(entity: EntityPlan) -> Iterator[tuple[str, str]]:
    """Yield each statistic with its declared shares, the largest dozen where there are many."""
    for statistic in entity.statistics:
        if statistic.shares is None:
            yield statistic.name, f"counts of {statistic.field}"
            continue
        ranked = sorted(statistic.shares.items(), key=lambda item: -item[1])
        shown = ", ".join(f"{label} {share:.2%}" for label, share in ranked[:12])
        rest = f" and {len(ranked) - 12} more" if len(ranked) > 12 else ""
        yield statistic.name, f"{shown}{rest}"


def plan_text() -> str:
    """Return the plan as plain text, a paragraph a field."""
    the = plan()
    lines = [
        f"Dataset version {the.dataset_version}, plan sha256 {plan_sha256()}",
        f"Default: {the.default_records} records of seed {the.default_seed}; at most {the.max_records} records",
        f"Every row carries synthetic_source={the.synthetic_source!r}; ages count to {the.generated_at[:10]}",
    ]
    for entity in the.entities:
        lines += ["", f"{entity.plural.upper()}: {entity.description}"]
        for field in entity.fields:
            lines += ["", f"  {field.name}: {field.description}"]
            lines += [f"    {label:<13} {text}" for label, text in _facts(field)]
        lines += ["", "  Declared shares"]
        lines += [f"    {name}: {text}" for name, text in _shares(entity)]
    return "\n".join(lines) + "\n"


def plan_markdown() -> str:
    """Return the plan as Markdown, a table an entity."""
    the = plan()
    lines = [
        f"# Generation plan of dataset version {the.dataset_version}",
        "",
        f"Plan SHA-256: `{plan_sha256()}`",
        "",
        f"Default: {the.default_records} records of seed {the.default_seed}; at most {the.max_records} records. "
        f"Every row carries `synthetic_source` = `{the.synthetic_source}`. Ages count to {the.generated_at[:10]}.",
    ]
    for entity in the.entities:
        lines += ["", f"## {entity.plural}", "", entity.description, ""]
        lines += [
            "| field | type | rule | stream | given | distribution and source |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for field in entity.fields:
            odds = "; ".join(filter(None, [field.distribution, field.source]))
            streams = ", ".join(f"`{stream}`" for stream in (*field.streams, field.permutation) if stream)
            given = ", ".join(f"`{name}`" for name in field.given)
            cells = [f"`{field.name}`", _kind(field), field.rule, streams, given, odds]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines += ["", "Declared shares:", ""]
        lines += [f"- `{name}`: {text}" for name, text in _shares(entity)]
    return "\n".join(lines) + "\n"

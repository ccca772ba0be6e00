"""How many, and the ratios of them that people compare."""

import msgspec

__all__ = ["Counts", "counts_of"]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many labelled places there are and how many were found; how many findings there are and how many are right.

    One label can be found by several findings, so `found` and `right` may differ. `precision` is right / findings, `recall` is
    found / labels, and `f1` their harmonic mean; None where a ratio would divide by nothing or isn't known, and of F1 where there are no labels.
    """

    labels: int
    found: int
    findings: int | None
    right: int | None
    precision: float | None
    recall: float | None
    f1: float | None


def counts_of(labels: int, found: int, findings: int | None, right: int | None) -> Counts:
    """Return the counts with their ratios; no findings are None where it isn't known how many there are."""
    precision = right / findings if findings and right is not None else None
    recall = found / labels if labels else None
    f1 = None
    if labels and findings is not None:  # where there are labels, no findings find nothing
        one, other = precision or 0.0, recall or 0.0
        f1 = 2 * one * other / (one + other) if one + other else 0.0
    return Counts(
        labels=labels,
        found=found,
        findings=findings,
        right=right,
        precision=precision,
        recall=recall,
        f1=f1,
    )

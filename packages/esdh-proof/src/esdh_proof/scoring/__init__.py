"""How well a tool finds what is wrong on purpose: its report held against the labels of a snapshot.

A reader a format turns a report into findings (`csv_report`, `frictionless`, `great_expectations`, `pairs`); `rows`
says which rows they mean; `consequences` which of them are right although they name a clean cell; `score` counts.
"""

from esdh_proof.scoring.score import Score, score_defects

__all__ = ["Score", "score_defects"]

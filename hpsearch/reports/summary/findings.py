"""All that a report says of a study, computed once."""

from dataclasses import dataclass

from hpsearch.base.types import TrialTable
from hpsearch.reports.summary.importance import Importance, importance
from hpsearch.reports.summary.sweep import Summary, summarize


@dataclass(frozen=True, slots=True)
class Findings:
    """A study's tables and what they support.

    Attributes:
        table: the study.
        summary: its result.
        importance: which hyperparameters matter; None with fewer than two.
    """

    table: TrialTable
    summary: Summary
    importance: Importance | None


def find(table: TrialTable) -> Findings:
    """Compute what a study's tables support."""
    summary = summarize(table)
    return Findings(table, summary, importance(summary))

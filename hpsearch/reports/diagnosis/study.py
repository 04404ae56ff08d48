"""What is wrong with a search as a whole: where its best point lies, and how its score came about."""

from enum import StrEnum

import numpy as np

from hpsearch.base import words
from hpsearch.reports.summary.numbers import Summary
from hpsearch.statistics.optimism import Optimism


class StudyLabel(StrEnum):
    """What a search can show."""

    EDGE = "best value on the edge"
    FEW_NEAR = "too few trials near the best"
    OVERUSED = "validation set over-used"


def study_diagnoses(summary: Summary, measured: Optimism | None = None) -> dict[StudyLabel, tuple[str, str]]:
    """Return what a search shows.

    Args:
        summary: its result.
        measured: the optimism of its best score, where fresh seeds have measured it.

    Returns:
        Evidence and advice by label; nothing for a search without fault or without a complete point.
    """
    if summary.best is None:
        return {}
    found = {
        StudyLabel.EDGE: on_edge(summary),
        StudyLabel.FEW_NEAR: few_near(summary),
        StudyLabel.OVERUSED: overused(summary, measured),
    }
    return {label: (evidence, _ADVICE[label]) for label, evidence in found.items() if evidence}


_ADVICE = {
    StudyLabel.EDGE: "extend that range (space.KEY) beyond the edge",
    StudyLabel.FEW_NEAR: "search a narrower space around the best point, or raise budget.points",
    StudyLabel.OVERUSED: "trust the score over fresh seeds (stage confirm), or enlarge data.valid_fraction",
}


def on_edge(summary: Summary) -> str:
    """Best value on the edge: the best value of a hyperparameter lies in the outer tenth of the values tried.

    Args:
        summary: of the search.

    Returns:
        The evidence, empty when the rule does not hold; so do the others.
    """
    return "; ".join(f"the best {words.label(key)} lies at the {side} edge" for key, side in summary.at_edge.items())


def few_near(summary: Summary) -> str:
    """Too few trials near the best: fewer than 5 of 20 points or more come near it, see `Near`.

    Args:
        summary: of the search.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    near = summary.near
    return "" if near is None or not near.few else f"{len(near.points)} of {near.of} points lie near the best"


def overused(summary: Summary, measured: Optimism | None) -> str:
    """Validation set over-used: the best score promised more than it holds.

    With fresh seeds: the interval of the optimism lies above 0. Without: the best leads the median point by no more
    than the best of as many equal points would, by their spread over seeds.

    Args:
        summary: of the search.
        measured: the optimism over fresh seeds, if known.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    if measured is not None:
        ends = f"{measured.low:.2g} to {measured.high:.2g}"
        return f"the best score is {measured.value:.2g} too good ({ends})" if measured.low > 0 else ""
    best = summary.best
    if summary.optimism is None or best is None or best.mean is None:
        return ""
    lead = abs(best.mean - float(np.median([p.mean for p in summary.eligible if p.mean is not None])))
    if lead > summary.optimism:
        return ""
    return f"the best leads the median by {lead:.2g}; of equal points the best would, by {summary.optimism:.2g}"

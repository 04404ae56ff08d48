"""What is wrong with a search as a whole: where its best point lies, and how its score came about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from hpsearch.base import words
from hpsearch.statistics.optimism import Optimism


class StudyLabel(StrEnum):
    """What a search can show."""

    EDGE = "best value on the edge"
    FEW_NEAR = "too few trials near the best"
    OVERUSED = "validation set over-used"


@dataclass(frozen=True, slots=True)
class SearchEvidence:
    """What the diagnosis of a search reads.

    Attributes:
        means: mean score of every complete point, the best first.
        at_edge: ``low`` or ``high`` by key, where the best value lies in the outer tenth of the tried range.
        few_near: how many points lie near the best, and of how many, where that is too few; else None.
        optimism: by how much the best of as many equal points would be too good; None where it is not known.
        measured: the optimism of the best score, where fresh seeds have measured it.
    """

    means: Sequence[float]
    at_edge: Mapping[str, str]
    few_near: tuple[int, int] | None
    optimism: float | None
    measured: Optimism | None = None


def study_diagnoses(evidence: SearchEvidence) -> dict[StudyLabel, tuple[str, str]]:
    """Return what a search shows.

    Args:
        evidence: of the search.

    Returns:
        Evidence in words and advice by label; nothing for a search without fault or without a complete point.
    """
    if not evidence.means:
        return {}
    found = {
        StudyLabel.EDGE: on_edge(evidence),
        StudyLabel.FEW_NEAR: few_near(evidence),
        StudyLabel.OVERUSED: overused(evidence),
    }
    return {label: (text, _ADVICE[label]) for label, text in found.items() if text}


_ADVICE = {
    StudyLabel.EDGE: "extend that range (space.KEY) beyond the edge",
    StudyLabel.FEW_NEAR: "search a narrower space around the best point, or raise budget.points",
    StudyLabel.OVERUSED: "trust the score over fresh seeds (stage confirm), or enlarge data.valid_fraction",
}


def on_edge(evidence: SearchEvidence) -> str:
    """Best value on the edge: the best value of a hyperparameter lies in the outer tenth of the values tried.

    Args:
        evidence: of the search.

    Returns:
        The evidence in words, empty when the rule does not hold; so do the others.
    """
    return "; ".join(f"the best {words.label(key)} lies at the {side} edge" for key, side in evidence.at_edge.items())


def few_near(evidence: SearchEvidence) -> str:
    """Too few trials near the best: fewer than 5 of 20 points or more come near it.

    Args:
        evidence: of the search.

    Returns:
        The evidence in words, empty when the rule does not hold.
    """
    if evidence.few_near is None:
        return ""
    near, of = evidence.few_near
    return f"{near} of {of} points lie near the best"


def overused(evidence: SearchEvidence) -> str:
    """Validation set over-used: the best score promised more than it holds.

    With fresh seeds: the interval of the optimism lies above 0. Without: the best leads the median point by no more
    than the best of as many equal points would, by their spread over seeds.

    Args:
        evidence: of the search.

    Returns:
        The evidence in words, empty when the rule does not hold.
    """
    measured, optimism = evidence.measured, evidence.optimism
    if measured is not None:
        ends = f"{measured.low:.2g} to {measured.high:.2g}"
        return f"the best score is {measured.value:.2g} too good ({ends})" if measured.low > 0 else ""
    lead = abs(evidence.means[0] - float(np.median(evidence.means)))
    if optimism is None or lead > optimism:
        return ""
    return f"the best leads the median by {lead:.2g}; of equal points the best would, by {optimism:.2g}"

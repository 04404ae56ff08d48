"""How much of a search is trained whatever its first epochs were: a share that moves with what these were worth."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from hpsearch.base.fronts import front_numbers
from hpsearch.base.types import TrialState
from hpsearch.search.candidates import Candidate, Candidates, Score

MOST = 0.95
"""Share of the epochs that is hedged at most."""
SURE, DOUBTFUL = 1.0, 0.75
"""Where early ranks are worth so much the least is hedged, where they are worth so little the most."""
TOGETHER = 3
"""So many ends of a kind are compared at a time."""


def hedged_share(worth: float | None, least: float) -> float:
    """Return the share of the epochs for points that are trained whatever their early rank.

    Args:
        worth: of early ranks, see `worth_of_ranks`.
        least: at least so much.

    Returns:
        The least where they were always right or nothing is known, 95 % where they are worth .75 or less, and in
        proportion between.
    """
    if worth is None:
        return least
    return least + (MOST - least) * min(1.0, max(0.0, (SURE - worth) / (SURE - DOUBTFUL)))


def worth_of_ranks(candidates: Candidates) -> float | None:
    """Return what early ranks were worth: how often who was chosen by them ends better than who was not.

    It is the probability that the best end of three points that went on for their ranks is better than that of three
    that were trained whatever their ranks; of one and one it would be the rank correlation of Mann and Whitney, (r + 1)
    / 2, and three because what counts is the best end. A trial that went on and diverged has the worst end.

    Returns:
        Between 0 and 1, .5 where ranks say nothing; None before there is a point of both kinds.
    """
    ended = list(filter(is_end, candidates.values()))
    values = _ordered([each.scores[each.epoch] for each in ended if not _is_lost(each)])
    ends = [(each.hedged > 0, -math.inf if _is_lost(each) else next(values)) for each in ended]
    chosen, hedged = ([end for kind, end in ends if kind is wanted] for wanted in (False, True))
    together = min(TOGETHER, len(chosen), len(hedged))
    return best_of_beats(chosen, hedged, together) if together else None


def is_end(candidate: Candidate) -> bool:
    """Return whether a point says what early ranks were worth: it came to its end, or was hedged and diverged."""
    return candidate.state is TrialState.COMPLETE or _is_lost(candidate)


def _is_lost(candidate: Candidate) -> bool:
    return candidate.hedged > 0 and candidate.state is TrialState.INFEASIBLE


def _ordered(ends: Sequence[Score]) -> Iterator[float]:
    """Return ends as numbers of which larger is better: of several objectives by fronts."""
    if ends and isinstance(ends[0], tuple):
        return (-float(front) for front in front_numbers([end for end in ends if isinstance(end, tuple)]))
    return (end for end in ends if not isinstance(end, tuple))


def best_of_beats(some: Sequence[float], others: Sequence[float], k: int) -> float:
    """Return the probability that the best of k of some numbers is larger than that of k of others.

    All subsets of k are equally likely, and a tie counts half.

    Args:
        some: at least k numbers.
        others: at least k numbers.
        k: how many are drawn of either.
    """
    ordered, against = sorted(some), sorted(others)
    total = 0.0
    for place, value in enumerate(ordered):  # the best of k with C(place, k - 1) of C(n, k) subsets
        below, up_to = bisect_left(against, value), bisect_right(against, value)
        total += math.comb(place, k - 1) * (math.comb(below, k) + math.comb(up_to, k)) / 2
    return total / (math.comb(len(ordered), k) * math.comb(len(against), k))

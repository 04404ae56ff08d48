"""Claim 2: a large momentum tolerates a larger effective rate."""

import math
from collections.abc import Iterable

from hpsearch.reports.ablation.claims.claim import MOMENTUM, Claim, ClaimResult, ClaimVerdict, Evidence, untested
from hpsearch.reports.ablation.claims.common import decide, lead, together
from hpsearch.reports.ablation.claims.rates import TOLERANCE, Rates, rates_by_momentum, too_few_rates


def edge_of_stability(evidence: Evidence) -> ClaimResult:
    """Test whether the effective rate at which training breaks grows with momentum.

    It breaks where it diverges, or where the training loss does not fall below half of its first value: the usual end
    of a rate that is too high is a dead network at chance. With s(m) the last effective rate that trained and d(m) the
    first above the best that broke, the edge of the largest momentum is between ``s(m) / d(0)`` and ``d(m) / s(0)``
    times that of the smallest.

    Args:
        evidence: of the ablation.

    Returns:
        The result: supported when the factor is above 1 in every group, not supported when it is below, undecided where
        it may be either or a best rate is itself not stable, and without two momenta.
    """
    groups = rates_by_momentum(evidence)
    if not groups:
        return untested(too_few_rates(evidence, MOMENTUM, "two momenta"))
    numbers: dict[str, float] = {}
    verdicts, texts = [], []
    for name, group in groups.items():
        unsound = [f"{momentum:g}" for momentum, rates in group if rates.best_is_stable is False]
        if unsound:
            verdicts.append(ClaimVerdict.UNDECIDED)
            text = f"the best rate of momentum {' and '.join(unsound)} did not halve the training loss"
            texts.append(f"{lead(name)}{text}")
            continue
        (smallest, first), (largest, last) = group[0], group[-1]
        (trained, broke), (trained_last, broke_last) = first.edge, last.edge
        factor_low, factor_high = trained_last / broke, broke_last / trained
        more, less = factor_low > 1 - TOLERANCE, factor_high < 1 + TOLERANCE  # 1: one trained where the other broke
        verdicts.append(decide(more, less))
        numbers |= {f"factor[{name}]_low": factor_low} if factor_low else {}
        numbers |= {f"factor[{name}]_high": factor_high} if math.isfinite(factor_high) else {}
        edges = ", ".join(_edge_text(momentum, *rates.edge) for momentum, rates in group)
        times = _times(factor_low, factor_high)
        factor = f"; momentum {largest:g} tolerates {times} times the effective rate of {smallest:g}" if times else ""
        texts.append(f"{lead(name)}{edges}{factor}")
    return ClaimResult(
        together(verdicts),
        f"{'; '.join(texts)}. {_what_breaking_means(rates for group in groups.values() for _, rates in group)}",
        numbers,
    )


def _edge_text(momentum: float, trained: float, broke: float) -> str:
    end = "nothing above breaks" if math.isinf(broke) else f"breaks at {broke:.3g}"
    return f"momentum {momentum:g} trains up to {trained:.3g} and {end}"


def _times(low: float, high: float) -> str:
    """Write by how much an edge moves; empty where neither end is known."""
    if math.isinf(high):
        return f"at least {low:.2g}" if low else ""
    return f"{low:.2g} to {high:.2g}" if low else f"at most {high:.2g}"


def _what_breaking_means(tried: Iterable[Rates]) -> str:
    if all(stable is None for rates in tried for stable in rates.stable):
        return "Breaks: diverges; no training loss is recorded that would show a dead network"
    return "Breaks: diverges, or the training loss does not fall below half of its first value"


CLAIM = Claim(
    number=2,
    statement="The edge of stability is not constant in lr / (1 - momentum): a large momentum tolerates more.",
    factor=MOMENTUM,
    test=edge_of_stability,  # the figure of claim 1 shows where training breaks
)

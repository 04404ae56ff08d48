"""Claim 2: a large momentum tolerates a larger effective rate."""

import math
from collections.abc import Iterable, Sequence

from hpsearch.reports.ablation.claims.claim import MOMENTUM, Claim, ClaimResult, ClaimVerdict, Evidence, untested
from hpsearch.reports.ablation.claims.common import decide, lead, together
from hpsearch.reports.ablation.claims.rates import Rates, rates_by_momentum, too_few_rates
from hpsearch.statistics.shift import edge_shift

SEEDS = 2
"""Seeds at every rate from which on a share of seeds that train is compared."""


def edge_of_stability(evidence: Evidence) -> ClaimResult:
    """Test whether the effective rate at which training fails grows with momentum.

    It fails where it diverges, or where the training loss makes less than half of the largest fall at a rate above
    the best one; below, it is too slow. The share of seeds that train falls with the logarithm of the effective rate as
    a logistic curve, shifted for every momentum, `hpsearch.statistics.shift.edge_shift`. Wrong would be to support it
    where half of the seeds fail at the same effective rate.

    Args:
        evidence: of the ablation.

    Returns:
        The result: supported when the 95 % interval of the shift from the smallest to the largest momentum lies above
        0 in every group, not supported when it lies below in one. Undecided where it holds 0, where the last rate tried
        alone tells the two apart, with one seed at a rate, and without two momenta.
    """
    groups = rates_by_momentum(evidence)
    if not groups:
        return untested(too_few_rates(evidence, MOMENTUM, "two momenta"))
    numbers: dict[str, float] = {}
    verdicts, texts = [], []
    for name, group in groups.items():
        why = _why_undecided(group)
        if why:
            verdicts.append(ClaimVerdict.UNDECIDED)
            texts.append(f"{lead(name)}{why}")
            continue
        (smallest, first), (largest, last) = group[0], group[-1]
        shift, interval = edge_shift(first.counts, last.counts, [rates.counts for _, rates in group[1:-1]])
        verdicts.append(decide(interval.low > 0, interval.high < 0))
        ends = {"low": interval.low, "high": interval.high}
        numbers |= {f"factor[{name}]_{end}": 10**value for end, value in ends.items() if math.isfinite(value)}
        open_ended = not all(map(math.isfinite, ends.values()))
        numbers |= {} if open_ended else {f"factor[{name}]": 10**shift}
        texts.append(
            f"{lead(name)}momentum {largest:g} tolerates {_times(shift, interval.low, interval.high)} the effective "
            f"rate of {smallest:g} ({', '.join(_fails(momentum, rates) for momentum, rates in group)})"
        )
    return ClaimResult(
        together(verdicts),
        f"{'; '.join(texts)}. {_what_failing_means(rates for group in groups.values() for _, rates in group)}",
        numbers,
    )


def _why_undecided(group: Sequence[tuple[float, Rates]]) -> str:
    """Return why the edges of the smallest and the largest momentum cannot be compared; empty where they can."""
    first, last = group[0][1].counts, group[-1][1].counts
    if min(*first.n, *last.n) < SEEDS:
        return "one seed at a rate says nothing of the share that trains"
    dead = [f"{momentum:g}" for momentum, rates in group if not rates.counts.happened[0]]
    if dead:
        return f"no seed trains at the best rate of momentum {' and '.join(dead)}"
    failing = [[x for x, k, n in zip(c.x, c.happened, c.n, strict=True) if k < n] for c in (first, last)]
    if not any(failing):
        return "every seed trains at every rate from the best one up"
    lone = [(c, x) for c, x in zip((first, last), failing, strict=True) if x]
    if len(lone) == 1 and lone[0][1] == [lone[0][0].x[-1]]:
        return "only the last rate tried tells them apart: try larger ones"
    if any(len(counts.x) < 2 for counts in (first, last)):
        return "a best rate is the last one tried: try larger ones"
    return ""


def _fails(momentum: float, rates: Rates) -> str:
    """Say from which rate on seeds fail."""
    counts = rates.counts
    for x, trained, n in zip(counts.x, counts.happened, counts.n, strict=True):
        if trained < n:
            return f"with {momentum:g}, {n - trained} of {n} seeds fail at {10**x:.3g}"
    return f"with {momentum:g} none fails up to {10 ** counts.x[-1]:.3g}"


def _times(shift: float, low: float, high: float) -> str:
    """Write by how much an edge moves, with its interval."""
    if math.isinf(low) and math.isinf(high):
        return "an unknown multiple of"
    if math.isinf(high):
        return f"at least {10**low:.2g} times"
    if math.isinf(low):
        return f"at most {10**high:.2g} times"
    return f"{10**shift:.2g} ({10**low:.2g} to {10**high:.2g}) times"


def _what_failing_means(tried: Iterable[Rates]) -> str:
    if all(stable is None for rates in tried for stable in rates.stable):
        return "Fails: diverges; no training loss is recorded that would show a dead network"
    return "Fails: diverges, or the training loss makes less than half of the largest fall of the arm"


CLAIM = Claim(
    number=2,
    statement="The edge of stability is not constant in lr / (1 - momentum): a large momentum tolerates more.",
    factor=MOMENTUM,
    test=edge_of_stability,  # the figure of claim 1 shows where training fails
)

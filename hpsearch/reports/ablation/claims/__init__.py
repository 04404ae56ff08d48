"""What is claimed of batch size, momentum and learning rate: one file per claim, and here their list."""

from collections.abc import Iterator, Sequence

from hpsearch.reports.ablation.claims import (
    critical_batch_size,
    edge_of_stability,
    effective_rate,
    loss_before_accuracy,
    noise_scale,
    time_per_epoch,
    updates_to_target,
)
from hpsearch.reports.ablation.claims.claim import Claim, Evidence, TestedClaim
from hpsearch.reports.kit.canvas import Drawn

CLAIMS: tuple[Claim, ...] = (
    effective_rate.CLAIM,
    edge_of_stability.CLAIM,
    noise_scale.CLAIM,
    updates_to_target.CLAIM,
    critical_batch_size.CLAIM,
    time_per_epoch.CLAIM,
    loss_before_accuracy.CLAIM,
)
"""Every claim, by number."""


def claims_of(evidence: Evidence) -> tuple[TestedClaim, ...]:
    """Hold the claims that an ablation can speak of against its data.

    Args:
        evidence: the study, its arms and what they cost.

    Returns:
        One record per claim that the factors speak of. One whose evidence is missing is undecided, and says what is
        missing.
    """
    factors = {key for arm in evidence.arms for key in arm.levels}
    tested = [(claim, claim.test(evidence)) for claim in CLAIMS if claim.factor is None or claim.factor in factors]
    return tuple(TestedClaim(claim, result) for claim, result in tested if result is not None)


def claim_figures(tested: Sequence[TestedClaim]) -> Iterator[Drawn]:
    """Yield the figures of tested claims.

    Args:
        tested: the claims.

    Yields:
        Name, title, how to read it, figure.
    """
    results = {each.claim.number: each.result for each in tested if each.result.series}
    for each in tested:
        if each.claim.figure is not None and each.claim.number in results:
            drawn = each.claim.figure(results)
            if drawn is not None:
                yield drawn

"""Simulated sweeps over learning rates, of which it is known where half of the seeds fail."""

import numpy as np
from scipy.special import expit

from hpsearch.statistics.edge import failure_edge

RATES = np.linspace(-3, 1, 13)
"""Decimal logarithms: every third of a decade."""
UNLUCKY = 0.02
"""Share of seeds that fail at any rate."""


def edges(n, width, studies, rng):
    """Bias, in decades, and share of 95 % intervals that hold the edge, of sweeps with n seeds at each rate."""
    errors, held = [], []
    for edge in rng.uniform(-0.8, 0.2, size=studies):
        failed = rng.binomial(n, UNLUCKY + (1 - UNLUCKY) * expit((RATES - edge) / width))
        found = failure_edge(RATES, failed, [n] * len(RATES))
        if found is not None:
            errors.append(found.place - edge)
            held.append(found.interval.low <= edge <= found.interval.high)
    return np.mean(errors), np.mean(held)


def random_edges(n, share, studies, rng):
    """Share of the sweeps with an edge above or below although seeds fail at random."""
    failed = rng.binomial(n, share, size=(studies, len(RATES)))
    sides = (
        lambda k: failure_edge(RATES, k, [n] * len(RATES)),
        lambda k: failure_edge(-RATES[::-1], k[::-1], [n] * 13),
    )
    return np.mean([any(side(k) is not None for side in sides) for k in failed])


def failing_rates(studies, rng, report):
    """Report bias and cover of the edge, and how often random failures have one."""
    sound = []
    for n in (3, 10):
        for width in (0.02, 0.1, 0.3):
            bias, cover = edges(n, width, studies, rng)
            name = f"edge over {width} decades, {n} seeds, 2 % unlucky"
            sound.append(report(f"{name}: bias in decades", bias, -0.05, 0.05))
            sound.append(report(f"{name}: cover", cover, 0.92, 1.0))
        for share in (0.02, 0.1, 0.3):
            found = random_edges(n, share, studies, rng)
            sound.append(report(f"an edge of {share:.0%} random failures, {n} seeds", found, 0.0, 0.07))
    return sound

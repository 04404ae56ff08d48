"""Are the statistics of ablations what they claim to be? Simulated studies with known truths, 1,000 of each kind.

python -m tests.benchmarks.check_statistics [STUDIES]
"""

import argparse

import numpy as np

from hpsearch.statistics.comparisons import ALPHA, detectable_factor, holm, paired_p
from hpsearch.statistics.intervals import bca_interval, mean_interval
from hpsearch.statistics.survival import kaplan_meier_median

ARMS, SEEDS = 9, 5


def coverage(interval, n, studies, draw):
    """Share of the studies whose interval for the mean of n values of mean 0 holds 0."""
    found = [interval(draw(n)) for _ in range(studies)]
    return np.mean([each.low <= 0 <= each.high for each in found])


def family_error(studies, rng):
    """Share of studies of equal arms in which at least one is said to differ from the reference."""
    wrong = 0
    for _ in range(studies):
        scores = rng.normal(size=SEEDS) + rng.normal(size=(ARMS, SEEDS))
        adjusted = holm([paired_p((arm - scores[0]).tolist()) for arm in scores[1:]])
        wrong += any(p is not None and p <= ALPHA for p in adjusted)
    return wrong / studies


def found_share(n, studies, rng):
    """Share of the studies that find a difference of k(n) true standard deviations."""
    rows = rng.normal(detectable_factor(n), size=(studies, n))
    return np.mean([paired_p(row.tolist()) <= ALPHA for row in rows])


def report(name, value, low, high):
    print(f"{name:<58} {value:.3f}   {low:.3f} to {high:.3f}   {'ok' if low <= value <= high else 'MISSED'}")
    return low <= value <= high


def main(arguments=None):
    """Print every figure beside what it may be; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="?", type=int, default=1000, help="simulated studies of each kind")
    studies = parser.parse_args(arguments).studies
    rng = np.random.default_rng(0)
    normal, skewed = (lambda n: rng.normal(size=n).tolist()), (lambda n: (rng.gamma(4.0, size=n) - 4.0).tolist())
    sound = [report(f"coverage of the t interval, n = {n}", coverage(mean_interval, n, studies, normal), 0.92, 0.98)
             for n in (3, 5, 10)]  # fmt: skip
    for name, draw in (("normal", normal), ("skewed", skewed)):
        share = coverage(bca_interval, 20, studies, draw)
        sound.append(report(f"coverage of the BCa interval, n = 20, {name} values", share, 0.92, 0.98))
    for n in (3, 5, 10):
        print(f"{f'coverage of the BCa interval, n = {n}, not shown there':<58} "
              f"{coverage(bca_interval, n, studies, normal):.3f}")  # fmt: skip
    wrong = family_error(studies, rng)
    sound.append(report(f"a difference claimed among {ARMS} equal arms, {SEEDS} seeds", wrong, 0.0, 0.065))
    for n in (3, 5, 10, 20):
        share = found_share(n, studies, rng)
        sound.append(report(f"power at k({n}) = {detectable_factor(n):.3f} true deviations", share, 0.75, 0.85))
    # By hand: S = 5/6 after 2, 4/6 after 4, then one censored at 5, so S = 4/6 * 2/3 = 4/9 <= 1/2 after 7.
    median = kaplan_meier_median([2, 4, 5, 7, 9, 9], [True, True, False, True, False, False])
    sound.append(report("Kaplan-Meier median of 2 4 5+ 7 9+ 9+", median or np.nan, 7, 7))
    return 0 if all(sound) else 1


if __name__ == "__main__":
    raise SystemExit(main())

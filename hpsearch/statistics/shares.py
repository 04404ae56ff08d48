"""How often something happens, such as that a seed trains: the exact interval of a share, and two shares compared."""

import numpy as np
from scipy.special import betaincinv, gammaln

from hpsearch.statistics.intervals import Interval


def clopper_pearson(count: int, n: int, level: float = 0.95) -> Interval:
    """Return the exact interval of the share of which `count` of `n` independent trials are a sample.

    Its ends are the quantiles ``(1 - level) / 2`` of Beta(k, n - k + 1) and ``(1 + level) / 2`` of Beta(k + 1, n - k);
    0 where k = 0 and 1 where k = n. It covers the share at least as often as it says. Source: Clopper and Pearson, The
    use of confidence or fiducial limits, Biometrika 1934.

    Args:
        count: how often it happened, k.
        n: of how many, at least 1.
        level: nominal coverage.

    Returns:
        The interval, within 0 and 1.
    """
    tail = (1 - level) / 2
    low = float(betaincinv(count, n - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, n - count, 1 - tail)) if count < n else 1.0
    return Interval(low, high, level, "Clopper-Pearson interval of a share")


def fisher_p(first: int, of_first: int, second: int, of_second: int) -> float:
    """Return the two-sided p-value of Fisher's exact test that two shares are equal.

    With both sums fixed the first count follows the hypergeometric distribution; p is the probability of all counts
    that are no more probable than the one seen. Source: Fisher, Statistical methods for research workers, 1934.

    Args:
        first: how often it happened in the first sample.
        of_first: size of the first sample.
        second: how often it happened in the second sample.
        of_second: size of the second sample.

    Returns:
        The p-value; 1 where it happened always, never or one sample is empty.
    """
    happened, n = first + second, of_first + of_second
    counts = np.arange(max(0, happened - of_second), min(happened, of_first) + 1)
    logs = (
        _log_choose(of_first, counts) + _log_choose(of_second, happened - counts)
        - _log_choose(n, np.asarray(happened))
    )  # fmt: skip
    chances = np.exp(logs)
    return float(min(1.0, chances[chances <= chances[first - counts[0]] * (1 + 1e-7)].sum()))


def _log_choose(n: int, k: np.ndarray) -> np.ndarray:
    """Return the logarithm of the number of subsets of k of n items."""
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))

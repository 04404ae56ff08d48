"""Rules of other libraries that read a learning rate off a curve of losses against rates, and ours among them.

All take the rates, ascending and evenly spaced in their logarithm, and the raw losses, which they cut and smooth. The
rule that is used unless another is asked for is ours, `local_linear`.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from hpsearch.reports.kit.curves import Array
from hpsearch.reports.lr_range.local_linear import FIRST, Suggestion, local_linear

Rule: TypeAlias = Callable[[Array, Array], Suggestion]


def valley(lr: Array, loss: Array) -> Suggestion:
    """Suggest the middle of the longest valley, fastai's default.

    On the smoothed points [10 : -5], cut at the first nan: of the longest strictly decreasing subsequence, which ends
    at e and has L points, index e - L + L // 3 + L // 6. Source: https://docs.fast.ai/callback.schedule.html.

    Args:
        lr: [N] rates, ascending.
        loss: [N] raw losses.

    Returns:
        The rate and the curve looked at.
    """
    rates, smoothed = _fastai(lr, loss)
    lengths = np.ones(len(rates), dtype=np.int64)
    for i in range(1, len(rates)):
        lengths[i] += np.max(lengths[:i][smoothed[:i] > smoothed[i]], initial=0)
    if not len(rates):
        return _nothing(rates, smoothed)
    end = int(np.argmax(lengths))
    length = int(lengths[end])
    return Suggestion(float(rates[max(end - length, 0) + length // 3 + length // 6]), rates, smoothed)


def slide(lr: Array, loss: Array, lr_diff: int = 15, thresh: float = 0.005, adjust: float = 1.0) -> Suggestion:
    """Suggest where the slope stops changing, seen from the right; fastai's.

    A window of `lr_diff` points slides from the right end to the left while the slopes per index at its two ends
    differ by more than `thresh`; the rate at its last left end. Source: https://docs.fast.ai/callback.schedule.html,
    after https://forums.fast.ai/t/automated-learning-rate-suggester/44199.

    Args:
        lr: [N] rates, ascending.
        loss: [N] raw losses.
        lr_diff: width of the window, points.
        thresh: difference of slopes at which it stops.
        adjust: factor of the suggestion.

    Returns:
        The rate and the curve looked at.
    """
    rates, smoothed = _fastai(lr, loss)
    if len(rates) <= lr_diff:
        return _nothing(rates, smoothed)
    slope = np.gradient(smoothed)
    found = left = len(rates) - 1 - lr_diff
    while left >= 0 and abs(slope[left + lr_diff] - slope[left]) > thresh:
        found, left = left, left - 1
    return Suggestion(float(rates[found]) * adjust, rates, smoothed)


def steep(lr: Array, loss: Array) -> Suggestion:
    """Suggest where ds / d(ln lr) is least, between neighbours; fastai's.

    Source: https://docs.fast.ai/callback.schedule.html.

    Args:
        lr: [N] rates, ascending.
        loss: [N] raw losses.

    Returns:
        The rate and the curve looked at.
    """
    rates, smoothed = _fastai(lr, loss)
    if len(rates) < 2:
        return _nothing(rates, smoothed)
    place = np.argmin(np.diff(smoothed) / np.diff(np.log(rates)))
    return Suggestion(float(rates[place]), rates, smoothed)


def minimum(lr: Array, loss: Array) -> Suggestion:
    """Suggest a tenth of the rate with the least smoothed loss; fastai's.

    Source: https://docs.fast.ai/callback.schedule.html.

    Args:
        lr: [N] rates, ascending.
        loss: [N] raw losses.

    Returns:
        The rate and the curve looked at.
    """
    rates, smoothed = _fastai(lr, loss)
    if not len(rates):
        return _nothing(rates, smoothed)
    return Suggestion(float(rates[np.argmin(smoothed)]) / 10, rates, smoothed)


def davidtvs(lr: Array, loss: Array) -> Suggestion:
    """Suggest where the slope per index is least, as pytorch-lr-finder does.

    Smoothed by s_i = .05 y_i + .95 s_(i-1) from the first loss on, stopped above 5 times the best, points [10 : -5].
    Source: https://github.com/davidtvs/pytorch-lr-finder.

    Args:
        lr: [N] rates, ascending.
        loss: [N] raw losses.

    Returns:
        The rate and the curve looked at.
    """
    smoothed = np.array(loss, dtype=np.float64)
    for i in range(1, len(smoothed)):
        smoothed[i] = 0.05 * smoothed[i] + 0.95 * smoothed[i - 1]
    rates, smoothed = _trimmed(*_stopped(lr, smoothed, factor=5), last=5)
    if len(rates) < 2:
        return _nothing(rates, smoothed)
    return Suggestion(float(rates[np.argmin(np.gradient(smoothed))]), rates, smoothed)


def lightning(lr: Array, loss: Array) -> Suggestion:
    """Suggest where ds / d(lr) is least, on the linear scale, as Lightning (from 2.5.3 on) does.

    Its moving average, beta .98, is divided by 1 - beta^(i + 2) at index i: one step too many. Points [10 : -1] up to
    4 times the best. Noise at small rates is multiplied by 1 / lr, so that noisy curves give far too small a rate.
    Source: https://lightning.ai/docs/pytorch/stable/api/lightning.pytorch.callbacks.LearningRateFinder.html.

    Args:
        lr: [N] rates, ascending.
        loss: [N] raw losses.

    Returns:
        The rate and the curve looked at.
    """
    rates, smoothed = _trimmed(*_stopped(lr, _moving_average(loss, ahead=1), factor=4), last=1)
    if len(rates) < 2:
        return _nothing(rates, smoothed)
    return Suggestion(float(rates[np.argmin(np.gradient(smoothed, rates))]), rates, smoothed)


RULES: Mapping[str, Rule] = {
    rule.__name__: rule for rule in (valley, slide, steep, minimum, davidtvs, lightning, local_linear)
}
"""The rules by name."""


def _moving_average(loss: Array, ahead: int = 0, beta: float = 0.98) -> Array:
    """Return the exponential moving average, its bias corrected as if it were `ahead` steps further."""
    average, smoothed = 0.0, np.empty(len(loss))
    for i, value in enumerate(loss):
        average = beta * average + (1 - beta) * value
        smoothed[i] = average / (1 - beta ** (i + 1 + ahead))
    return smoothed


def _stopped(lr: Array, smoothed: Array, factor: float) -> tuple[Array, Array]:
    """Return the curve up to and with the first point over `factor` times the best before it, without nan."""
    best = np.minimum.accumulate(smoothed)
    over = np.flatnonzero(smoothed > factor * best)
    end = int(over[0]) + 1 if len(over) else len(smoothed)
    bad = np.flatnonzero(~np.isfinite(smoothed[:end]))
    end = int(bad[0]) if len(bad) else end
    return np.asarray(lr, dtype=np.float64)[:end], smoothed[:end]


def _trimmed(rates: Array, smoothed: Array, last: int) -> tuple[Array, Array]:
    return rates[FIRST:-last], smoothed[FIRST:-last]


def _fastai(lr: Array, loss: Array) -> tuple[Array, Array]:
    return _trimmed(*_stopped(lr, _moving_average(loss), factor=4), last=5)


def _nothing(rates: Array, smoothed: Array) -> Suggestion:
    return Suggestion(float("nan"), rates, smoothed)

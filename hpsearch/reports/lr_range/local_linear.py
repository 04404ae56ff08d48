"""Our rule that reads a learning rate off a curve of losses against rates, and what every rule returns."""

from dataclasses import dataclass

import numpy as np

from hpsearch.reports.kit.curves import Array


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a rule makes of a curve.

    Attributes:
        lr: the rate suggested; nan where too few points are left after the cuts.
        rates: [N] rates of the curve that the rule looked at.
        losses: [N] its smoothed losses.
    """

    lr: float
    rates: Array
    losses: Array

    @property
    def argmin(self) -> float:
        """Rate of the least smoothed loss; nan where there is none."""
        return float(self.rates[np.argmin(self.losses)]) if len(self.rates) else float("nan")


@dataclass(frozen=True, slots=True)
class LocalLinear(Suggestion):
    """What `local_linear` makes of a curve; its `lr` is the steepest point.

    Attributes:
        slopes: [N] slope of the fit, loss per decade.
        edge: from which on training fails; infinite when no rate tried is beyond it.
        untrained: loss before training, as given or as the first points have it.
    """

    slopes: Array
    edge: float
    untrained: float


KERNEL_DECADES = 0.25
"""Standard deviation of the kernel of `local_linear`, in decades of the learning rate."""
KEPT_DROP = 0.1
"""Share of the largest drop in the loss that a rate reaches at least that does not fail."""
FIRST = 10
"""Points that say what the untrained loss is, unless it is given."""


def local_linear(lr: Array, loss: Array, untrained: float | None = None, kernel: float = KERNEL_DECADES) -> LocalLinear:
    """Suggest the steepest descent of a centred local-linear fit of the loss against log10 lr.

    At each rate x = log10 lr the line a + b (x_i - x) of least squares with weights exp(-((x_i - x) / kernel)² / 2);
    the suggestion is the rate with the least b among those at least a kernel from both ends, where lines have points
    on both sides. The curve is cut at the first loss that is not finite or is over twice the untrained one. Training
    fails from the edge on, halfway, on the logarithmic scale, between the last rate from the minimum of the fit on at
    which the fit keeps `KEPT_DROP` of its drop below the untrained loss and the next rate; a net that a large rate has
    killed stays at the loss of chance and never diverges. A centred fit does not lag, as a moving average does.
    Source: Cleveland, Journal of the American Statistical Association 74, 1979.

    Args:
        lr: [N] rates, ascending.
        loss: [N] raw losses.
        untrained: loss before training; None: the mean of the first `FIRST` points.
        kernel: standard deviation of the weights, decades.

    Returns:
        The steepest point, the fit, its slopes, its minimum and the edge.
    """
    x, y = np.log10(np.asarray(lr, dtype=np.float64)), np.asarray(loss, dtype=np.float64)
    level = float(np.sum(y[:FIRST])) / max(len(y[:FIRST]), 1) if untrained is None else untrained
    bad = ~np.isfinite(y) | (y > 2 * level)
    count = int(np.argmax(bad)) if bad.any() else len(y)
    if count < 3:
        return LocalLinear(float("nan"), lr[:count], y[:count], np.full(count, np.nan), float("nan"), level)
    fit, slopes = _local_lines(x[:count], y[:count], kernel)
    inner = (x[:count] - x[0] >= 0.999 * kernel) & (x[count - 1] - x[:count] >= 0.999 * kernel)
    place = int(np.argmin(np.where(inner, slopes, np.inf) if inner.any() else slopes))
    return LocalLinear(float(lr[place]), lr[:count], fit, slopes, _edge(x, fit, level), level)


def _local_lines(x: Array, y: Array, kernel: float) -> tuple[Array, Array]:
    """Return level and slope of the weighted line at each x."""
    away = x[None, :] - x[:, None]
    weight = np.exp(-0.5 * (away / kernel) ** 2)
    total, first, second = weight.sum(1), (weight * away).sum(1), (weight * away**2).sum(1)
    level, tilt = weight @ y, (weight * away) @ y
    determinant = total * second - first**2
    return (second * level - first * tilt) / determinant, (total * tilt - first * level) / determinant


def _edge(x: Array, fit: Array, untrained: float) -> float:
    lowest = int(np.argmin(fit))
    over = np.flatnonzero(fit[lowest:] >= untrained - KEPT_DROP * (untrained - fit[lowest]))
    last = lowest + int(over[0]) - 1 if len(over) else len(fit) - 1
    if last == len(x) - 1:
        return float("inf")
    return float(10 ** ((x[max(last, 0)] + x[max(last, 0) + 1]) / 2))

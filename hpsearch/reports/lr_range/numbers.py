"""What repeated curves of losses against rates say of the learning rates worth searching."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpsearch.reports.kit.curves import Array
from hpsearch.reports.lr_range.local_linear import LocalLinear, local_linear
from hpsearch.reports.lr_range.rules import RULES

BELOW_STEEPEST = 10.0
"""The range begins this factor below the steepest point."""


@dataclass(frozen=True, slots=True)
class LrRange:
    """A range of learning rates, and the evidence for it.

    Attributes:
        lr: the rule's suggestion on the mean curve; nan where it has none.
        low: a tenth of the steepest point of the fit.
        high: the edge from which on training fails, or the highest rate tried where no rate failed.
        edge: the edge from which on training fails; infinite where no rate failed.
        steepest: where the fit of the mean curve falls fastest.
        argmin: where the fit of the mean curve is least.
        spread: decades from the least to the greatest of the rule's suggestions on the single curves; nan where one of
            them gives none.
        drop: untrained loss of the mean curve less the least of its fit.
        noise: median over the rates up to the edge of the standard deviation between repeats; with one repeat that of
            its residuals about the fit.
        fit: of the mean curve.
    """

    lr: float
    low: float
    high: float
    edge: float
    steepest: float
    argmin: float
    spread: float
    drop: float
    noise: float
    fit: LocalLinear


def lr_range(
    rates: Sequence[float],
    losses: Sequence[Sequence[float]],
    untrained: Sequence[float] | None = None,
    rule: str = "local_linear",
) -> LrRange:
    """Estimate a range from repeats.

    The range goes from a tenth of the steepest point to the edge from which on training fails, both of the local-linear
    fit of the mean curve, whatever the rule that suggests a rate: short runs like larger rates than long ones do.

    Args:
        rates: [N] rates, ascending, with equal ratios.
        losses: [R, N] losses of each repeat; infinite where it diverged.
        untrained: [R] losses before training; None: each curve's own first points.
        rule: a name of `hpsearch.reports.lr_range.rules.RULES`.

    Returns:
        The range. Its numbers are nan where the first rates diverge already.
    """
    lr, curves = np.asarray(rates, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    before: list[float | None] = [None] * len(curves) if untrained is None else list(untrained)
    mean = curves.mean(0)
    fit = local_linear(lr, mean, None if untrained is None else math.fsum(untrained) / len(untrained))
    single = [_suggested(rule, lr, curve, level) for curve, level in zip(curves, before, strict=True)]
    return LrRange(
        lr=fit.lr if rule == "local_linear" else _suggested(rule, lr, mean, None),
        low=fit.lr / BELOW_STEEPEST,
        high=float(lr[-1]) if math.isinf(fit.edge) else fit.edge,
        edge=fit.edge,
        steepest=fit.lr,
        argmin=fit.argmin,
        spread=math.log10(max(single) / min(single)) if all(map(math.isfinite, single)) else math.nan,
        drop=fit.untrained - float(fit.losses.min(initial=math.inf)),
        noise=_noise(curves, fit),
        fit=fit,
    )


def _suggested(rule: str, lr: Array, curve: Array, untrained: float | None) -> float:
    return local_linear(lr, curve, untrained).lr if rule == "local_linear" else RULES[rule](lr, curve).lr


def _noise(curves: Array, fit: LocalLinear) -> float:
    inside = (fit.rates <= fit.edge).nonzero()[0]
    if not len(inside):
        return math.nan
    if len(curves) == 1:
        return float(np.std(curves[0, inside] - fit.losses[inside]))
    return float(np.median(np.std(curves[:, inside], axis=0, ddof=1)))

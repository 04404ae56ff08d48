"""What second derivatives say of a trained network: its spectrum, and whether it lies at a minimum or a saddle."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

from hpsearch.base.words import number

TOLERANCES = {"exact": 1e-10, "float64": 1e-8, "float32": 1e-5}
"""Share of the largest magnitude below which an eigenvalue counts as zero: well above the rounding of each method."""
STEP_GAIN = 1e-3
"""A point where one step along the gradient would lower the loss by more than this share of it is not critical."""
ROUNDING = {"float64": 1e-12, "float32": 1e-5}
"""Relative rounding of a mean loss."""
GRID = 1000
"""Points at which a density is drawn."""
SMOOTHING = 0.01
"""Standard deviation of the Gaussian that smooths a density, as a share of the width of the spectrum."""
ALPHA = 0.05
"""How often a bound of a share may be wrong."""


class Verdict(StrEnum):
    """What a point of the loss surface is, by its first and second derivatives."""

    MINIMUM = "minimum"
    SADDLE = "saddle"
    MAXIMUM = "maximum"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Spectrum:
    """A distribution of eigenvalues as point masses.

    Attributes:
        values: [M], ascending.
        shares: [M], adding up to one.
        errors: [M]; within so much of each value there is an eigenvalue.
    """

    values: NDArray[np.float64]
    shares: NDArray[np.float64]
    errors: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SpectrumShare:
    """A share of the eigenvalues, or its bounds, see `shares`.

    Attributes:
        low: it is no smaller.
        high: it is no larger; equal to `low` where every eigenvalue is known.
    """

    low: float
    high: float

    @property
    def exact(self) -> bool:
        """Whether the share itself is known."""
        return self.low == self.high

    def __str__(self) -> str:
        return number(self.low) if self.exact else f"{self.low:.2g} to {self.high:.2g}"


@dataclass(frozen=True, slots=True)
class Line:
    """The loss along the direction of the smallest eigenvalue.

    Attributes:
        distances: from the weights, downhill positive.
        losses: at each.
        slope: first derivative at 0.
    """

    distances: tuple[float, ...]
    losses: tuple[float, ...]
    slope: float

    @property
    def lowest(self) -> tuple[float, float]:
        """The distance with the smallest loss, and this loss."""
        loss, distance = min(zip(self.losses, self.distances, strict=True))
        return distance, loss


@dataclass(frozen=True, slots=True)
class Curvature:
    """The curvature of a training loss at one point.

    Attributes:
        verdict: what the point is.
        reason: why, in one sentence.
        critical: whether the gradient is small enough for the point to be called critical.
        parameters: trained ones.
        samples: training samples that the loss is the mean of.
        method: ``exact`` (dense Hessian) or ``lanczos``.
        precision: ``float32`` or ``float64``.
        products: Hessian-vector products computed.
        loss: at the weights.
        gradient_norm: Euclidean norm of the gradient.
        step_gain: share of the loss by which one step along the gradient would lower it at least, were the loss
            quadratic: |g|² / (2 max|λ| loss).
        tolerance: an eigenvalue of smaller magnitude counts as zero.
        top: (eigenvalue, bound of its error), the largest first.
        bottom: the same, the smallest first.
        positive: share of positive eigenvalues: the minimum ratio.
        zero: share that is not told apart from zero.
        negative: share of negative ones.
        density: eigenvalues and the smoothed density there, which integrates to one.
        line: the loss along the bottom direction.
        elsewhere: second derivative along it on other training samples: mean, standard error over batches; None where
            there are no others.
    """

    verdict: Verdict
    reason: str
    critical: bool
    parameters: int
    samples: int
    method: str
    precision: str
    products: int
    loss: float
    gradient_norm: float
    step_gain: float
    tolerance: float
    top: tuple[tuple[float, float], ...]
    bottom: tuple[tuple[float, float], ...]
    positive: SpectrumShare
    zero: SpectrumShare
    negative: SpectrumShare
    density: tuple[tuple[float, ...], tuple[float, ...]]
    line: Line
    elsewhere: tuple[float, float] | None

    @property
    def numbers(self) -> dict[str, float]:
        """The main numbers, by name."""
        return {
            "loss": self.loss,
            "gradient_norm": self.gradient_norm,
            "step_gain": self.step_gain,
            "largest_eigenvalue": self.top[0][0],
            "smallest_eigenvalue": self.bottom[0][0],
            **({"minimum_ratio": self.positive.low} if self.positive.exact else {}),
            "minimum_ratio_low": self.positive.low,
            "minimum_ratio_high": self.positive.high,
            "negative_share_low": self.negative.low,
            "negative_share_high": self.negative.high,
            "escape_loss": self.line.lowest[1],
        }


def quadrature(diagonal: Sequence[float], off_diagonal: Sequence[float]) -> Spectrum:
    """Return the Gauss quadrature of a Lanczos iteration: the spectrum as its start vector sees it.

    Nodes are the eigenvalues of the tridiagonal matrix, shares the squared first entries of its eigenvectors. Moments
    up to order 2M - 1 are those of the start vector: ``sum(share * value**p) = v' A^p v``.

    Source: Ubaru, Chen and Saad, Fast Estimation of tr(f(A)) via Stochastic Lanczos Quadrature, SIMAX 2017.

    Args:
        diagonal: [M].
        off_diagonal: [M]; the last one couples the directions so far to the rest.

    Returns:
        The nodes, their shares, and the norms of their residuals.
    """
    values, vectors = eigh_tridiagonal(np.asarray(diagonal), np.asarray(off_diagonal[:-1]))
    shares = vectors[0] ** 2
    return Spectrum(values, shares / shares.sum(), off_diagonal[-1] * np.abs(vectors[-1]))


def density(spectra: Sequence[Spectrum]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of some spectra as a density smoothed by a Gaussian.

    Source: Ghorbani, Krishnan and Xiao, An Investigation into Neural Net Optimization via Hessian Eigenvalue Density,
    ICML 2019.

    Args:
        spectra: one per probe vector.

    Returns:
        Eigenvalues [GRID] and the density at each, which integrates to one.
    """
    low, high = min(s.values[0] for s in spectra), max(s.values[-1] for s in spectra)
    width = SMOOTHING * ((high - low) or abs(high) or 1.0)
    grid = np.linspace(low - 5 * width, high + 5 * width, GRID)
    total = np.zeros(GRID)
    for spectrum in spectra:
        bells = np.exp(-0.5 * ((grid[:, None] - spectrum.values) / width) ** 2)
        total += bells @ spectrum.shares / (width * math.sqrt(2 * math.pi))
    return grid, total / len(spectra)


def shares(
    spectra: Sequence[Spectrum], tolerance: float, parameters: int, exact: bool = False
) -> tuple[SpectrumShare, SpectrumShare, SpectrumShare]:
    """Return the shares of positive and negative eigenvalues, and of those that are not told apart from zero.

    Where every eigenvalue is known they are counted. Else they are bounds that hold with a chance of 95 % each,
    whatever the spectrum. The masses of a Gauss quadrature up to a node enclose the distribution that its start vector
    sees (Chebyshev, Markov, Stieltjes): the share beyond a bound lies between the mass from the second node after it on
    and that from the node before it on. Of a start vector uniform on the sphere, the weight on k of P eigenvectors is
    Beta(k / 2, (P - k) / 2), which strays from k / P as a Gaussian of variance ``1 / (2 P + 4)`` at most; so with q
    start vectors the mean enclosure is widened by ``sqrt(log(40) / (q (P + 2)))`` on each side. Source: Marchal and
    Arbel, On the sub-Gaussianity of the Beta and Dirichlet distributions, Electronic Communications in Probability
    2017.

    Args:
        spectra: one per probe vector.
        tolerance: an eigenvalue of smaller magnitude counts as zero.
        parameters: P, the number of eigenvalues.
        exact: the masses are the eigenvalues themselves.

    Returns:
        Positive, near zero, negative.
    """
    stray = 0.0 if exact else math.sqrt(math.log(2 / ALPHA) / (len(spectra) * (parameters + 2)))
    positive, negative = (_bounds(spectra, sign, tolerance, exact, stray) for sign in (1, -1))
    near = SpectrumShare(
        max(0.0, 1 - positive.high - negative.high), max(0.0, min(1.0, 1 - positive.low - negative.low))
    )
    return positive, near, negative


def _bounds(spectra: Sequence[Spectrum], sign: int, tolerance: float, exact: bool, stray: float) -> SpectrumShare:
    """Return the bounds of the share beyond the tolerance, on the positive or the negative side."""
    lows, highs = [], []
    for spectrum in spectra:
        order = np.argsort(sign * spectrum.values)
        mass, first = spectrum.shares[order], int(np.searchsorted((sign * spectrum.values)[order], tolerance, "right"))
        beside = 0 if exact else 1
        lows.append(float(mass[first + beside :].sum()))
        highs.append(float(mass[max(first - beside, 0) :].sum()))
    low, high = float(np.mean(lows)) - stray, float(np.mean(highs)) + stray
    return SpectrumShare(max(0.0, low), min(1.0, high))


def judge(measured: Mapping[str, Any]) -> Curvature:
    """Turn what `hpsearch.trial.measure.curvature.measure_curvature` returns into a verdict.

    1. |g|² / (2 max|λ|) is what a gradient step of length 1 / max|λ| would gain at least, were the loss quadratic.
       Above 0.1 % of the loss the point is not critical, and the second order does not say what it is: undecided.
    2. The smallest eigenvalue is negative beyond the tolerance (a Ritz value never lies below the spectrum, so this
       is certain on these samples): saddle, or maximum when the largest is negative too; undecided when the curvature
       along its direction on other samples is not two standard errors below zero.
    3. It is positive, error included: minimum. It counts as zero: minimum when the loss does not fall along its
       direction, else undecided.
    4. Its error reaches below zero: undecided.

    Args:
        measured: plain numbers.

    Returns:
        The verdict with all that it rests on.
    """
    exact = measured["method"] == "exact"
    spectra = _spectra(measured)
    largest = max(abs(measured["top"][0][0]), abs(measured["bottom"][0][0]))
    tolerance = TOLERANCES["exact" if exact else measured["precision"]] * largest
    line = Line(tuple(measured["line"]["distances"]), tuple(measured["line"]["losses"]), measured["line"]["slope"])
    gain = _step_gain(measured["gradient_norm"], largest, measured["loss"])
    elsewhere = _mean_and_error(measured["elsewhere"])
    verdict, reason = _verdict(measured, tolerance, gain, line, elsewhere)
    positive, zero, negative = shares(spectra, tolerance, measured["parameters"], exact)
    x, y = density(spectra)
    return Curvature(
        verdict=verdict,
        reason=reason,
        critical=gain <= STEP_GAIN,
        **{name: measured[name] for name in ("parameters", "samples", "method", "precision", "products", "loss")},
        gradient_norm=measured["gradient_norm"],
        step_gain=gain,
        tolerance=tolerance,
        top=tuple((value, error) for value, error in measured["top"]),
        bottom=tuple((value, error) for value, error in measured["bottom"]),
        positive=positive,
        zero=zero,
        negative=negative,
        density=(tuple(x.tolist()), tuple(y.tolist())),
        line=line,
        elsewhere=elsewhere,
    )


def _spectra(measured: Mapping[str, Any]) -> list[Spectrum]:
    if measured["method"] == "exact":
        values = np.asarray(measured["eigenvalues"])
        return [Spectrum(values, np.full(len(values), 1 / len(values)), np.zeros(len(values)))]
    return [quadrature(diagonal, off_diagonal) for diagonal, off_diagonal in measured["matrices"]]


def _step_gain(norm: float, largest: float, loss: float) -> float:
    """Return the share of the loss that a gradient step would gain; nothing where the gradient is rounding."""
    if norm <= 1e-12:
        return 0.0
    gain = norm**2 / (2 * largest) if largest else math.inf
    return gain / abs(loss) if loss else math.inf


def _mean_and_error(values: Sequence[float]) -> tuple[float, float] | None:
    if len(values) < 2:
        return None
    return float(np.mean(values)), float(np.std(values, ddof=1) / math.sqrt(len(values)))


def _verdict(
    measured: Mapping[str, Any], tolerance: float, gain: float, line: Line, elsewhere: tuple[float, float] | None
) -> tuple[Verdict, str]:
    low, low_error = measured["bottom"][0]
    high, high_error = measured["top"][0]
    if gain > STEP_GAIN:
        return Verdict.UNDECIDED, (
            f"no critical point: the gradient's norm is {number(measured['gradient_norm'])}, and one step along it "
            f"would lower the loss by at least {_percent(gain)}, were it quadratic"
        )
    if low < -tolerance:
        return _with_negative(low, high, high_error, tolerance, elsewhere)
    if low - low_error > tolerance:
        return Verdict.MINIMUM, f"every eigenvalue is positive, the smallest is {_with_error(low, low_error)}"
    if low - low_error < -tolerance:
        return Verdict.UNDECIDED, f"the smallest eigenvalue is {_with_error(low, low_error)}, of either sign"
    limit = measured["loss"] - ROUNDING[measured["precision"]] * abs(measured["loss"])
    if line.lowest[1] < limit:
        return Verdict.UNDECIDED, "no eigenvalue is negative, but the loss falls along a direction without curvature"
    return Verdict.MINIMUM, (
        f"no eigenvalue lies below -{number(tolerance)}; the loss does not fall along the flattest direction, but a "
        "flat minimum is not proved by second derivatives"
    )


def _with_negative(
    low: float, high: float, high_error: float, tolerance: float, elsewhere: tuple[float, float] | None
) -> tuple[Verdict, str]:
    """Judge a point where the loss bends down in some direction."""
    there = ""
    if elsewhere is not None:
        there = f" ({number(elsewhere[0])} ± {number(elsewhere[1])} along its direction on other training samples)"
        if elsewhere[0] + 2 * elsewhere[1] >= 0:
            return (
                Verdict.UNDECIDED,
                f"the smallest eigenvalue is {number(low)}, but other samples do not bear it out{there}",
            )
    if high > tolerance:
        return Verdict.SADDLE, f"eigenvalues reach from {number(low)} to {number(high)}{there}"
    if high + high_error < -tolerance:
        return Verdict.MAXIMUM, f"every eigenvalue is negative, the largest is {_with_error(high, high_error)}{there}"
    return Verdict.UNDECIDED, f"the smallest eigenvalue is {number(low)}, the largest {_with_error(high, high_error)}"


def _with_error(value: float, error: float) -> str:
    return f"{number(value)} ± {number(error)}" if error else number(value)


def _percent(share: float) -> str:
    return f"{number(100 * share)} %" if math.isfinite(share) else "all of it"

"""Optuna's tree-structured Parzen estimator (TPE) among thousands of trials, by reaching into it; for Optuna 5.0.

What it proposes stays what Optuna proposes: what its estimators are made of is kept from one ask to the next, and where
they have many kernels only those are reckoned with that a rounded sum can tell from none.
`tests/unit/search/test_optuna_tpe.py` fails where a later Optuna is different.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.samplers._lazy_random_state import LazyRandomState
from optuna.samplers._tpe import _truncnorm
from optuna.samplers._tpe import probability_distributions as _mixtures
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
from optuna.samplers._tpe.sampler import _split_trials, default_gamma, default_gamma_multiobjective
from optuna.trial import FrozenTrial

from hpsearch.search.observed import ENDED, Floats, Observed, Places
from hpsearch.search.optuna_internals import is_of_no_study

MANY = 200
"""Of more kernels those are left out that are too far from a sample to change the density there."""
_NEGLIGIBLE = 40.0
"""All that is left out of a density is less than exp(-40) of it, where a double has 53 bits: exp(-36.7)."""
_LEAST_MASS = -float(np.log(0.3413))
"""Minus the logarithm of the share of a normal distribution that lies in a range: its mean does, and it is as wide."""


def quicken_tpe() -> None:
    """Let Optuna's TPE spend its time on its model: what it proposes is the same, to rounding.

    It takes log Phi from SciPy, where its own loop in Python is most of the time of an ask; looks only at trials that
    have changed since the last ask; and of thousands of kernels leaves out those that make no difference. This replaces
    private functions of Optuna for the whole process.
    """
    _truncnorm._log_ndtr = log_ndtr
    _mixtures._MixtureOfProductDistribution.log_pdf = log_pdf  # type: ignore[method-assign]
    TPESampler.infer_relative_search_space = infer_relative_search_space  # type: ignore[method-assign]
    TPESampler._sample_relative = _sample_relative  # type: ignore[method-assign]
    TPESampler._sample = _sample  # type: ignore[method-assign]


def reseeded(sampler: TPESampler, seed: int) -> TPESampler:
    """Return a sampler whose next proposals are those of a new one with a seed; what it knows of trials stays."""
    sampler._rng = LazyRandomState(seed)
    return sampler


# Trials


def _observed(sampler: TPESampler, study: optuna.Study) -> Observed | None:
    """Return the trials of a study; None where trials of another study are among them."""
    trials = study._get_trials(deepcopy=False, use_cache=True)
    if trials and is_of_no_study(trials[0]):
        return None
    kept: Observed | None = vars(sampler).get("_observed")
    if kept is None:
        direction = None if study._is_multi_objective() else study.direction
        kept = Observed(direction, lambda trial: sampler._get_params(trial, study))
        vars(sampler)["_observed"] = kept
    kept.look(trials)
    return kept


def infer_relative_search_space(
    self: TPESampler, study: optuna.Study, trial: FrozenTrial
) -> dict[str, BaseDistribution]:
    """Return the hyperparameters that are proposed together; see Optuna."""
    known = None if self._group or not self._is_multivariate(study) else _observed(self, study)
    if known is None:
        return _optuna_infer_relative_search_space(self, study, trial)
    return {name: distribution for name, distribution in known.common.items() if not distribution.single()}


_optuna_infer_relative_search_space = TPESampler.infer_relative_search_space


def _sample_relative(
    self: TPESampler, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
) -> dict[str, Any]:
    """Return values of a space, nothing while too few trials have ended; see Optuna."""
    known = _observed(self, study) if search_space else None
    if known is None:
        return _optuna_sample_relative(self, study, trial, search_space)
    return {} if known.ended < self._n_startup_trials else self._sample(study, trial, search_space)


_optuna_sample_relative = TPESampler._sample_relative


def _sample(
    self: TPESampler, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
) -> dict[str, Any]:
    """Return the best of some samples of the good trials' density; see Optuna."""
    known = _observed(self, study)
    if known is None:
        return _optuna_sample(self, study, trial, search_space)
    below, above = _estimators(self, study, known, search_space, trial.number if self._constant_liar else None)
    samples = below.sample(self._rng.rng, self._n_ei_candidates)
    best = TPESampler._compare(samples, self._compute_acquisition_func(samples, below, above))
    return {name: distribution.to_external_repr(best[name]) for name, distribution in search_space.items()}


_optuna_sample = TPESampler._sample


def _estimators(
    sampler: TPESampler, study: optuna.Study, known: Observed, space: dict[str, BaseDistribution], asked: int | None
) -> tuple[_ParzenEstimator, _ParzenEstimator]:
    """Return the densities of the good trials and of the others.

    Args:
        sampler: has the options of both.
        study: whose trials.
        known: its trials.
        space: what they are over.
        asked: number of the trial that is asked for; all others that run are among the others. None: none is.
    """
    several, most = study._is_multi_objective(), _most_good(sampler, study, known.ended)
    if several:
        good = [known.place(each.number) for each in _split_trials(study, known.trials_that_ended(), most)[0]]
    else:
        good = known.best(most)
    left_out = good if asked is None else [*good, known.place(asked)]
    others = known.others(left_out, running=asked is not None)
    return _estimator(sampler, known, good, space, alike=several), _estimator(sampler, known, others, space)


def _most_good(sampler: TPESampler, study: optuna.Study, ended: int) -> int:
    """Return how many at most of those that have ended are good."""
    several = study._is_multi_objective()
    return (sampler._gamma or (default_gamma_multiobjective if several else default_gamma))(ended)


def _estimator(
    sampler: TPESampler,
    known: Observed,
    places: Sequence[int] | Places,
    space: dict[str, BaseDistribution],
    alike: bool = False,
) -> _ParzenEstimator:
    values = known.values(places, space)
    weights = np.ones(len(next(iter(values.values())))) if alike else None
    return sampler._parzen_estimator_cls(values, space, sampler._parzen_estimator_parameters, weights)


def tpe_promise(
    sampler: TPESampler,
    study: optuna.Study,
    space: Mapping[str, BaseDistribution],
    points: Sequence[Mapping[str, Any]],
) -> list[float] | None:
    """Return log l(x) / g(x) of points: how much likelier TPE holds each among the good than among the others.

    Args:
        sampler: its estimators are built anew, of the trials that have ended.
        study: whose trials.
        space: what is searched, by flat name.
        points: Optuna's values by flat name.

    Returns:
        The values; None while the sampler draws at random.
    """
    varied = {name: distribution for name, distribution in space.items() if not distribution.single()}
    known = _observed(sampler, study)
    trials = study._get_trials(deepcopy=False, states=ENDED, use_cache=True) if known is None else []
    ended = len(trials) if known is None else known.ended
    if ended < sampler._n_startup_trials or not varied:
        return None
    if known is None:
        parts = _split_trials(study, trials, _most_good(sampler, study, ended))
        below, above = (
            sampler._build_parzen_estimator(study, varied, part, handle_below=is_below)
            for part, is_below in zip(parts, (True, False), strict=True)
        )
    else:
        below, above = _estimators(sampler, study, known, varied, asked=None)
    values = {name: np.array([d.to_internal_repr(point[name]) for point in points]) for name, d in varied.items()}
    ratios: list[float] = sampler._compute_acquisition_func(values, below, above).tolist()
    return ratios


# Densities


def log_ndtr(a: NDArray[Any]) -> Floats:
    """Return the logarithm of the standard normal distribution function."""
    from scipy.special import log_ndtr

    values: Floats = log_ndtr(a)
    return values


def _ndtr(a: Floats) -> Floats:
    """Return the standard normal distribution function."""
    from scipy.special import ndtr

    values: Floats = ndtr(a)
    return values


@dataclass(frozen=True)
class _Axes:
    """Numeric hyperparameters of kernels and samples, those with the narrowest kernels first, on the kernels' scale.

    Attributes:
        means: of the kernels, ``[P, K]``.
        scales: their standard deviations before they are cut off at the ends, ``[P, K]``.
        low: ends of the ranges, ``[P, 1]``.
        high: the others.
        left: of every sample: the lower end of its cell, which is a point where there is no step, ``[P, S]``.
        right: the upper end.
        are_points: whether there is no step, ``[P]``.
    """

    means: Floats
    scales: Floats
    low: Floats
    high: Floats
    left: Floats
    right: Floats
    are_points: NDArray[np.bool_]

    @classmethod
    def of(cls, distributions: Sequence[Any], x: Sequence[Floats]) -> "_Axes":
        """Return the axes of distributions, at the values that samples have of each."""
        scaled = [np.log if each.is_log else np.asarray for each in distributions]
        half = [each.step / 2 for each in distributions]
        axes = cls(
            means=np.array([each.mu for each in distributions]),
            scales=np.array([each.sigma for each in distributions]),
            low=np.array([[each.adapted_low] for each in distributions]),
            high=np.array([[each.adapted_high] for each in distributions]),
            left=np.array([scale(values - h) for scale, values, h in zip(scaled, x, half, strict=True)]),
            right=np.array([scale(values + h) for scale, values, h in zip(scaled, x, half, strict=True)]),
            are_points=np.array([each.step == 0.0 for each in distributions]),
        )
        order = np.argsort((axes.scales / (axes.high - axes.low)).mean(axis=1))
        return cls(*(getattr(axes, each.name)[order] for each in fields(cls)))

    @property
    def are_inside(self) -> bool:
        """Whether all means lie in the ranges, to rounding: of one that was made smaller they may not."""
        rounding = 1e-9 * (self.high - self.low)
        return bool(((self.low - rounding <= self.means) & (self.means <= self.high + rounding)).all())

    @property
    def peak(self) -> float:
        """The logarithm of more than a kernel may have: of the density of points, of the probability of cells."""
        highest = -np.log(self.scales.min(axis=1)) - _truncnorm._norm_pdf_logC
        return float((np.where(self.are_points, highest, 0.0) + _LEAST_MASS).sum())

    def near(self, limit: Floats) -> tuple[Places, Places]:
        """Return every sample with every kernel that is not farther away, as the square of a distance over all axes."""
        found = []
        for sample, most in enumerate(limit.tolist()):
            apart = self._apart(0, sample, slice(None))
            near = np.flatnonzero(apart <= most)
            found.append((np.full(len(near), sample), near, apart[near]))
        samples, kernels, apart = (np.concatenate(parts) for parts in zip(*found, strict=True))
        for axis in range(1, len(self.means)):
            apart += self._apart(axis, samples, kernels)
            is_near = apart <= limit[samples]
            samples, kernels, apart = samples[is_near], kernels[is_near], apart[is_near]
        return samples, kernels

    def _apart(self, axis: int, sample: Any, kernel: Any) -> Floats:
        """Return the squares of how many standard deviations samples are from kernels along an axis."""
        means = self.means[axis, kernel]
        far: Floats = self.left[axis, sample] - means
        if not self.are_points[axis]:
            far = np.maximum(np.maximum(far, means - self.right[axis, sample]), 0.0)
        far /= self.scales[axis, kernel]
        far *= far
        return far

    def log_density(self, sample: Places, kernel: Places) -> Floats:
        """Return the logarithms of the densities of kernels at samples, of cells of their probabilities."""
        there = np.zeros(self.means.shape[1], bool)
        there[kernel] = True
        place = (np.cumsum(there) - 1)[kernel]
        means, scales = self.means[:, there], self.scales[:, there]
        share = np.log1p(-_ndtr((self.low - means) / scales) - _ndtr((means - self.high) / scales))
        height = np.where(self.are_points[:, None], np.log(scales) + _truncnorm._norm_pdf_logC, 0.0)
        total: Floats = -(share + height).sum(axis=0)[place]
        left = (self.left[:, sample] - means[:, place]) / scales[:, place]
        cells = ~self.are_points
        if cells.any():
            right = (self.right[cells][:, sample] - means[cells][:, place]) / scales[cells][:, place]
            total += _truncnorm._log_gauss_mass(left[cells], right).sum(axis=0)
        total -= (left[self.are_points] ** 2).sum(axis=0) / 2.0
        beyond = ((self.left < self.low) | (self.left > self.high)) & self.are_points[:, None]
        total[beyond[:, sample].any(axis=0)] = -np.inf
        return total


def log_pdf(self: Any, x: Floats) -> Floats:
    """Return the logarithm of the density of a mixture of products at samples, ``[S, P]``; see Optuna.

    A kernel is left out at a sample where it lies so many standard deviations away that, were all kernels as far, their
    sum would be less than exp(-40) of what the last kernel alone, which is as wide as the range, has there.
    """
    categories = _mixtures._BatchedCategoricalDistributions
    numeric = [i for i, each in enumerate(self.distributions) if not isinstance(each, categories)]
    if len(self.weights) <= MANY or not numeric:
        return _optuna_log_pdf(self, x)
    axes = _Axes.of([self.distributions[i] for i in numeric], [x[:, i] for i in numeric])
    if not axes.are_inside:
        return _optuna_log_pdf(self, x)
    chosen = [(self.distributions[i].weights, x[:, i].astype(int)) for i in range(x.shape[1]) if i not in numeric]
    weights = np.log(self.weights)

    def log_densities(sample: Places, kernel: Places) -> Floats:
        total: Floats = weights[kernel] + axes.log_density(sample, kernel)
        for shares, choice in chosen:
            total += np.log(shares[kernel, choice[sample]])
        return total

    samples, kernels = np.arange(len(x)), len(weights)
    widest = log_densities(samples, np.full(len(x), kernels - 1))
    most = weights.max() + np.log(kernels) + axes.peak
    sample, kernel = axes.near(2 * (most + _NEGLIGIBLE - widest))
    values = log_densities(sample, kernel)
    starts = np.searchsorted(sample, samples)
    highest = np.maximum.reduceat(values, starts)
    highest[np.isneginf(highest)] = 0
    with np.errstate(divide="ignore"):
        density: Floats = np.log(np.add.reduceat(np.exp(values - highest[sample]), starts)) + highest
    return density


_optuna_log_pdf = _mixtures._MixtureOfProductDistribution.log_pdf

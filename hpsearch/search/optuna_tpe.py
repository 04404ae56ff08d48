"""Optuna's tree-structured Parzen estimator (TPE) among thousands of trials, by reaching into it; for Optuna 5.0.

What it proposes stays what Optuna proposes: what its estimators are made of is kept from one ask to the next, and where
they have many kernels only those are reckoned with that a rounded sum can tell from none.
`tests/unit/search/test_optuna_tpe.py` fails where a later Optuna is different.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    several = study._is_multi_objective()
    most = (sampler._gamma or (default_gamma_multiobjective if several else default_gamma))(known.ended)
    if several:
        good = [known.place(each.number) for each in _split_trials(study, known.trials_that_ended(), most)[0]]
    else:
        good = known.best(most)
    left_out = good if asked is None else [*good, known.place(asked)]
    others = known.others(left_out, running=asked is not None)
    return _estimator(sampler, known, good, space, alike=several), _estimator(sampler, known, others, space)


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
    trials = study._get_trials(deepcopy=False, states=ENDED, use_cache=True)
    varied = {name: distribution for name, distribution in space.items() if not distribution.single()}
    if len(trials) < sampler._n_startup_trials or not varied:
        return None
    known = _observed(sampler, study)
    if known is None:
        good = sampler._gamma or (default_gamma_multiobjective if len(study.directions) > 1 else default_gamma)
        below, above = (
            sampler._build_parzen_estimator(study, varied, part, handle_below=is_below)
            for part, is_below in zip(_split_trials(study, trials, good(len(trials))), (True, False), strict=True)
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


@dataclass(frozen=True)
class _Axis:
    """A numeric hyperparameter of samples and kernels, on the scale of the kernels.

    Attributes:
        means: of the kernels.
        scales: their standard deviations before they are cut off at the ends.
        low: end of the range.
        high: the other.
        left: of every sample: the lower end of its cell, which is a point where there is no step.
        right: the upper end.
        is_point: whether there is no step.
    """

    means: Floats
    scales: Floats
    low: float
    high: float
    left: Floats
    right: Floats
    is_point: bool

    @classmethod
    def of(cls, kernels: Any, x: Floats) -> "_Axis":
        scale = np.log if kernels.is_log else np.asarray
        left, right = scale(x - kernels.step / 2), scale(x + kernels.step / 2)
        low, high = kernels.adapted_low, kernels.adapted_high
        return cls(kernels.mu, kernels.sigma, low, high, left, right, kernels.step == 0.0)

    @property
    def peak(self) -> float:
        """The logarithm of the largest density that a kernel may have, or of the probability of a cell."""
        highest = -np.log(self.scales.min()) - _truncnorm._norm_pdf_logC if self.is_point else 0.0
        return float(highest + _LEAST_MASS)

    @property
    def width(self) -> float:
        """The mean width of the kernels, as a share of the range."""
        return float(self.scales.mean()) / (self.high - self.low)

    def apart(self, sample: Any, kernel: Any) -> Floats:
        """Return the squares of how many standard deviations samples are from kernels."""
        means = self.means[kernel]
        far: Floats = self.left[sample] - means
        if not self.is_point:
            far = np.maximum(np.maximum(far, means - self.right[sample]), 0.0)
        far /= self.scales[kernel]
        far *= far
        return far

    def log_density(self, sample: Places, kernel: Places) -> Floats:
        """Return the logarithms of the densities of kernels at samples, or of the probabilities of their cells."""
        means, scales = self.means[kernel], self.scales[kernel]
        left, right = (self.left[sample] - means) / scales, (self.right[sample] - means) / scales
        if not self.is_point:
            return _truncnorm._log_gauss_mass(left, right) - self._log_mass(kernel)
        out = -(left**2) / 2.0 - _truncnorm._norm_pdf_logC - self._log_mass(kernel) - np.log(scales)
        out[(left < (self.low - means) / scales) | (left > (self.high - means) / scales)] = -np.inf
        return out

    def _log_mass(self, kernel: Places) -> Floats:
        """Return the logarithm of the share of kernels that lies in the range, reckoned once for each."""
        there = np.zeros(len(self.means), bool)
        there[kernel] = True
        mass = np.empty(len(self.means))
        means, scales = self.means[there], self.scales[there]
        mass[there] = _truncnorm._log_gauss_mass((self.low - means) / scales, (self.high - means) / scales)
        return mass[kernel]


def log_pdf(self: Any, x: Floats) -> Floats:
    """Return the logarithm of the density of a mixture of products at samples, ``[S, P]``; see Optuna.

    A kernel is left out at a sample where it lies so many standard deviations away that, were all kernels as far, their
    sum would be less than exp(-40) of what the last kernel alone, which is as wide as the range, has there.
    """
    if len(self.weights) <= MANY:
        return _optuna_log_pdf(self, x)
    categories = _mixtures._BatchedCategoricalDistributions
    chosen = [
        (each.weights, x[:, i].astype(int)) for i, each in enumerate(self.distributions) if isinstance(each, categories)
    ]
    axes = [_Axis.of(each, x[:, i]) for i, each in enumerate(self.distributions) if not isinstance(each, categories)]
    axes.sort(key=lambda axis: axis.width)

    def log_densities(sample: Places, kernel: Places) -> Floats:
        total: Floats = np.log(self.weights)[kernel]
        for weights, choice in chosen:
            total += np.log(weights[kernel, choice[sample]])
        for axis in axes:
            total += axis.log_density(sample, kernel)
        return total

    samples, last = np.arange(len(x)), len(self.weights) - 1
    most = np.log(self.weights.max() * len(self.weights)) + sum(axis.peak for axis in axes)
    limit = 2 * (most + _NEGLIGIBLE - log_densities(samples, np.full(len(x), last)))
    sample, kernel = _near(axes, limit, len(self.weights))
    values = log_densities(sample, kernel)
    starts = np.searchsorted(sample, samples)
    highest = np.maximum.reduceat(values, starts)
    highest[np.isneginf(highest)] = 0
    with np.errstate(divide="ignore"):
        density: Floats = np.log(np.add.reduceat(np.exp(values - highest[sample]), starts)) + highest
    return density


_optuna_log_pdf = _mixtures._MixtureOfProductDistribution.log_pdf


def _near(axes: Sequence[_Axis], limit: Floats, kernels: int) -> tuple[Places, Places]:
    """Return every sample with every kernel that is not farther away, as the square of a distance over all axes."""
    if not axes:
        every = np.indices((len(limit), kernels))
        return every[0].ravel(), every[1].ravel()
    found = []
    for each, most in enumerate(limit.tolist()):
        apart = axes[0].apart(each, slice(None))
        kernel = np.flatnonzero(apart <= most)
        found.append((np.full(len(kernel), each), kernel, apart[kernel]))
    sample, kernel, apart = (np.concatenate(parts) for parts in zip(*found, strict=True))
    for axis in axes[1:]:
        apart += axis.apart(sample, kernel)
        near = apart <= limit[sample]
        sample, kernel, apart = sample[near], kernel[near], apart[near]
    return sample, kernel

"""What a study is asked for: another sampler's proposals, each of them a point that was not tried yet."""

import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpsearch.base.rng import address
from hpsearch.search.explored import Explored
from hpsearch.search.optuna_internals import given_params, is_inside
from hpsearch.search.optuna_tpe import tpe_promise
from hpsearch.search.prior import Prior
from hpsearch.search.samplers import SpaceAware
from hpsearch.search.space import Space
from hpsearch.search.tried import Tried

MAX_ASKS = 4
"""So often a model is asked for one point."""
MAX_REDRAWS = 1000
"""So many random points are drawn for one that is new."""


@runtime_checkable
class Ranking(Protocol):
    """A sampler with a model that says which of several points it would rather try."""

    def promise(self, study: Study, trial: FrozenTrial, points: Sequence[Mapping[str, Any]]) -> Sequence[float] | None:
        """Return what each point promises, more is better; None while there is no model."""
        ...


class UniqueSampler(BaseSampler):
    """Another sampler's proposals, each of them new.

    A proposal that was tried already, or does not meet the constraints of the space, is asked for again, `MAX_ASKS`
    times at most and until the same one comes twice in a row. Then its nearest neighbours that are new, in one
    hyperparameter first and in two then, are ranked by the sampler's own model and the most promising one is taken,
    any of them where there is no model. Where all of them were tried a random new point is taken, and one that was
    tried only in a space that holds no other.

    A sampler that fails at a point (a matrix that is singular, a value that is not a number) is replaced there by a
    random new point.

    Args:
        inner: the sampler that proposes.
        space: the whole space, so that a proposal is known at once.
        seed: of the replacements.
        line: told when the inner sampler fails, once for every kind of failure.
        known: how many of the first points were given and not proposed.
        prior: points of another study that the sampler is told of.
        tried: what was tried so far, of an open space; of another it finds out by itself.
    """

    def __init__(
        self,
        inner: BaseSampler,
        space: Space,
        seed: int,
        line: Callable[[str], None] = warnings.warn,
        known: int = 0,
        prior: Prior | None = None,
        tried: Explored | None = None,
    ) -> None:
        self.inner = inner
        self._space = space
        self._seed = seed
        self._line = line
        self._prior = prior
        self._failures: set[str] = set()
        self._tried = tried or Tried(space)
        self._untried: Iterator[dict[str, Any]] | None = None
        if isinstance(inner, SpaceAware):
            inner.bind(space, known, prior is not None)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002
        """Return the whole space."""
        return self._space.distributions()

    def sample_relative(
        self,
        study: Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """Return one proposal for the whole space."""
        given = given_params(trial)
        if self._space.is_complete(given):
            return self._space.draw(self._random(trial.number))
        self._tried.note_others(study, trial.number)
        study = self._prior.beside(study) if self._prior else study
        proposal = self._new(study, trial, search_space, given)
        self._tried.note_point({**proposal, **given}, trial.number)
        return proposal

    def _new(
        self, study: Study, trial: FrozenTrial, space: dict[str, BaseDistribution], given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the first proposal that is new, or else what replaces the last one."""
        last = None
        for _ in range(MAX_ASKS):
            proposal = self._proposal(study, trial, space)
            if proposal is None:
                break
            if self._tried.is_new({**proposal, **given}, trial.number):
                return proposal
            if proposal == last:
                break
            last = proposal
        neighbour = None if last is None else self._neighbour({**last, **given}, study, trial, given)
        return neighbour or self._random_new(given, trial.number)

    def _proposal(self, study: Study, trial: FrozenTrial, space: dict[str, BaseDistribution]) -> dict[str, Any] | None:
        """Return what the inner sampler proposes, None where it fails."""
        try:
            proposal = self._propose(study, trial, space)
            for name, distribution in space.items():
                if not is_inside(distribution, proposal[name]):
                    raise ValueError(f"{name} = {proposal[name]!r} is outside {distribution}")
        except (ImportError, MemoryError):
            raise
        except Exception as error:
            self._report(f"sampler {type(self.inner).__name__} failed ({type(error).__name__}: {error})", trial.number)
            return None
        return proposal

    def _propose(self, study: Study, trial: FrozenTrial, space: dict[str, BaseDistribution]) -> dict[str, Any]:
        relative = self.inner.sample_relative(study, trial, self.inner.infer_relative_search_space(study, trial))
        return {
            name: relative[name]
            if name in relative
            else self.inner.sample_independent(study, trial, name, distribution)
            for name, distribution in space.items()
        }

    def _report(self, failure: str, number: int) -> None:
        text = " ".join(failure.split())
        if text not in self._failures:
            self._failures.add(text)
            self._line(f"{text}; point {number} is drawn at random instead")

    def _neighbour(
        self, point: Mapping[str, Any], study: Study, trial: FrozenTrial, given: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Return the most promising new point that differs from another in one or two hyperparameters."""
        rng = self._random(trial.number)
        for changes in (1, 2):
            near = self._space.neighbours(point, changes, rng, keep=given)
            new = [each for each in near if self._tried.is_new(each, trial.number)]
            if new:
                scores = promise(self.inner, study, trial, self._space, new)
                return rng.choice(new) if scores is None else new[int(np.argmax(scores))]
        return None

    def _random_new(self, given: Mapping[str, Any], number: int) -> dict[str, Any]:
        """Return a random point that is new together with the values given; any one when there is none."""
        rng = self._random(number)
        for _ in range(MAX_REDRAWS):
            point = self._space.draw(rng)
            if self._tried.is_new({**point, **given}, number):
                return point
        if not given and self._space.size() is not None:
            self._untried = self._untried or self._space.cells()
            point |= next((cell for cell in self._untried if self._tried.is_new(cell, number)), {})
        return point

    def _random(self, number: int) -> random.Random:
        return random.Random(address(self._seed, "unseen", number))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a value for a hyperparameter outside the proposal."""
        return self.inner.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Pass on."""
        self.inner.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """Pass on."""
        self.inner.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Pass on."""
        self.inner.reseed_rng()


def promise(
    sampler: BaseSampler, study: Study, trial: FrozenTrial, space: Space, points: Sequence[Mapping[str, Any]]
) -> Sequence[float] | None:
    """Return what each of several points promises by a sampler's own model.

    Args:
        sampler: that was asked for this trial.
        study: where it looks at earlier points.
        trial: that a point is sought for.
        space: what is searched.
        points: Optuna's values of every branch by flat name.

    Returns:
        A number for each, more is better; None for a sampler without a model, or while it has none.
    """
    if isinstance(sampler, Ranking):
        return sampler.promise(study, trial, points)
    if isinstance(sampler, TPESampler) and not space.is_open:  # of branches no two points have the same names
        return tpe_promise(sampler, study, space.distributions(), points)
    return None

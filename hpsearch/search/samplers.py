"""Proposing points: what ours adds to Optuna's samplers."""

import json
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpsearch.search.space import Space

MAX_REDRAWS = 100


class Grid(RandomSampler):
    """Every combination of the space, as a queue of explicit points in the storage.

    A lost point is found again and none runs twice, which Optuna's own grid sampler cannot promise under ask and tell.

    Args:
        points: values per interval: one number for all, or one per key; None when there is no interval.
        seed: unused by the grid itself.
    """

    def __init__(self, points: int | Mapping[str, int] | None = None, seed: int | None = None) -> None:
        super().__init__(seed=seed)
        self.points = points


class Unseen(BaseSampler):
    """Another sampler's proposals, with one that was seen before replaced by a random unseen one.

    Args:
        inner: the sampler that proposes.
        space: the whole space, so that a proposal is known at once.
        seed: of the replacements.
    """

    def __init__(self, inner: BaseSampler, space: Space, seed: int) -> None:
        self.inner = inner
        self._space = space
        self._random = RandomSampler(seed=seed)
        self._seen: dict[int, str] = {}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002
        """Return the whole space."""
        return self._space.distributions()

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return one proposal for the whole space."""
        seen = self._points_before(study, trial)
        proposal = self._propose(study, trial, search_space)
        for _ in range(MAX_REDRAWS):
            if self._key(proposal) not in seen:
                break
            proposal = {
                name: self._random.sample_independent(study, trial, name, distribution)
                for name, distribution in search_space.items()
            }
        else:
            proposal = self._first_unseen(seen) or proposal
        return proposal

    def _propose(self, study: Study, trial: FrozenTrial, space: dict[str, BaseDistribution]) -> dict[str, Any]:
        relative = self.inner.sample_relative(study, trial, self.inner.infer_relative_search_space(study, trial))
        return {
            name: relative[name]
            if name in relative
            else self.inner.sample_independent(study, trial, name, distribution)
            for name, distribution in space.items()
        }

    def _first_unseen(self, seen: set[str]) -> dict[str, Any] | None:
        if self._space.size() is None:
            return None
        return next((point for point in self._space.grid() if self._key(point) not in seen), None)

    def _points_before(self, study: Study, trial: FrozenTrial) -> set[str]:
        for other in study.get_trials(deepcopy=False):
            if other.number != trial.number and other.number not in self._seen:
                self._seen[other.number] = self._key(other.system_attrs.get("fixed_params", other.params))
        return set(self._seen.values())

    def _key(self, flat: Mapping[str, Any]) -> str:
        return json.dumps(self._space.active(flat), sort_keys=True) if flat else ""

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
        self._random.reseed_rng()

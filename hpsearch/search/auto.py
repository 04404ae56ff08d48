"""What proposes points when the user does not say how: evenly spread ones, then what is learned of them."""

import warnings
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from hpsearch.base.errors import check_float, check_int
from hpsearch.base.rng import address
from hpsearch.search.optuna_internals import is_of_no_study
from hpsearch.search.samplers import Sobol


class AutoSampler(Sobol):
    """Evenly spread points first, then every second one from what is known so far.

    The rule: the first `startup` points are Sobol's, whatever the budget, so that more budget later changes nothing of
    the past; a space with fewer points than that is tried entirely (what is proposed twice is replaced by a point that
    is new). From then on every second point is the next of Sobol's sequence, because a guess that is wrong must not
    cost more than a factor of two. The others come from

    - a model, once `startup` points have a score: a tree-structured Parzen estimator (Bergstra et al. 2011, in the
      multivariate form of Falkner et al. 2018);
    - the best points until then, when most are known by their first epochs alone, whose order a model would take too
      seriously: every hyperparameter is that of one of two parents, uniform crossover (Syswerda 1989), moved on its own
      scale by a normal deviate of `spread`. Parents are drawn from the `parents` points that came furthest in training
      and, of these, were best; of several objectives, from the points that no other beats.

    Where points of another study are told there is a model from the first point on, so none is only spread.

    Infeasible points are no parents, and the worst to the model. Each proposal is a function of the seed, the point's
    number and what is known at that time.

    Args:
        startup: so many evenly spread points first.
        parents: so many points have offspring.
        spread: standard deviation of the moves, as a share of a range.
        candidates: of the model, from which the most promising is taken.
        seed: of the scrambling, the offspring and the model.
    """

    def __init__(
        self,
        startup: int = 32,
        parents: int = 5,
        spread: float = 0.3,
        candidates: int = 24,
        seed: int | None = None,
    ) -> None:
        check_int("sampler.startup", startup, 1)
        check_int("sampler.parents", parents, 1)
        check_float("sampler.spread", spread, "[0, inf)")
        check_int("sampler.candidates", candidates, 1)
        super().__init__(seed=seed)
        self.startup = startup
        self.parents = parents
        self.spread = spread
        self.candidates = candidates

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the next point: evenly spread, or learned."""
        spread = super().sample_relative(study, trial, search_space)
        number = trial.number - self._known
        if number < self._spread_first or (number - self._spread_first) % 2 == 0:
            return spread
        known = study.get_trials(deepcopy=False)
        scored = sum(each.state is OptunaState.COMPLETE for each in known)
        if scored >= self.startup or any(map(is_of_no_study, known)):
            searched = {name: each for name, each in search_space.items() if not each.single()}
            return spread | self._model(trial.number).sample_relative(study, trial, searched)
        return self._offspring(_best(study, known, self.parents), trial.number) or spread

    def _member(self, number: int) -> dict[str, Any]:
        """Return the next member: every second one of a Sobol sequence would lie in half of the space."""
        return super()._member(min(number, self._spread_first) + max(number - self._spread_first, 0) // 2)

    @property
    def _spread_first(self) -> int:
        return 0 if self._informed else self.startup

    def _model(self, number: int) -> TPESampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the multivariate form is experimental
            return TPESampler(
                n_startup_trials=2,
                n_ei_candidates=self.candidates,
                multivariate=True,
                constant_liar=False,
                seed=address(self._seed or 0, "model", number) % 2**32,
            )

    def _offspring(self, parents: list[FrozenTrial], number: int) -> dict[str, Any]:
        """Return a child of two parents, which may be the same; empty without parents."""
        if not parents or self._space is None:
            return {}
        rng = np.random.default_rng(address(self._seed or 0, "offspring", number) % 2**32)
        pair = [parents[i] for i in rng.integers(len(parents), size=2)]
        child = {}
        for parameter in self._space.asked:
            share = parameter.to_unit(pair[rng.integers(2)].params[parameter.name]) + rng.normal(0, self.spread)
            inside = 1 - abs(1 - share % 2)  # reflected at both ends
            child[parameter.name] = parameter.from_unit(min(inside, np.nextafter(1, 0)))
        return child


def _best(study: Study, trials: list[FrozenTrial], most: int) -> list[FrozenTrial]:
    """Return the feasible points that came furthest and were best there, one of those with the same curve."""
    if len(study.directions) > 1:
        return study.best_trials
    sign = -1 if study.direction is StudyDirection.MAXIMIZE else 1
    ranked: dict[tuple[float, ...], FrozenTrial] = {}
    for each in trials:
        curve = [sign * each.intermediate_values[step] for step in sorted(each.intermediate_values)]
        ended = each.state is OptunaState.COMPLETE and each.value is not None
        score = [sign * each.value] if ended and each.value is not None else curve[-1:]
        if score and all(value <= 0 for value in each.constraints.values()):
            furthest = max(each.intermediate_values, default=0)
            ranked.setdefault((not ended, -furthest, *score, *curve), each)
    return [ranked[key] for key in sorted(ranked)[:most]]

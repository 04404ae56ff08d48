"""What proposes points when the user does not say how: evenly spread ones, then what is learned of them."""

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from hpsearch.base.errors import check_float, check_int
from hpsearch.base.rng import address
from hpsearch.search.effects import main_effects
from hpsearch.search.optuna_internals import all_trials, given_params
from hpsearch.search.optuna_tpe import reseeded, tpe_promise
from hpsearch.search.samplers import Sobol
from hpsearch.search.space import Space
from hpsearch.search.survey import Survey, is_feasible, is_scored

SMALL = 1000
"""In a space of so many points at most all of them are compared."""


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

    In a space of at most `SMALL` points the model begins after `few` points, once as many as half of them have a score,
    and says of all that were not tried which is the most promising. For every second point it is asked what the values
    of the hyperparameters add to the score each for itself (see `main_effects`), because there a wrong guess is again
    to cost no more than a factor of two; of several objectives it is not.

    In place of an evenly spread point whose `NEAREST` points that have ended all diverged, ran out of memory or raised
    an error comes one of the offspring, once there is a parent.

    Where points of another study are told there is a model from the first point on, so none is only spread.

    Infeasible points are no parents, and the worst to the model. Each proposal is a function of the seed, the point's
    number and what is known at that time.

    Args:
        startup: so many evenly spread points first.
        parents: so many points have offspring.
        spread: standard deviation of the moves, as a share of a range.
        candidates: of the model, from which the most promising is taken.
        few: so many evenly spread points first in a small space.
        seed: of the scrambling, the offspring and the model.
    """

    def __init__(
        self,
        startup: int = 32,
        parents: int = 5,
        spread: float = 0.3,
        candidates: int = 24,
        few: int = 10,
        seed: int | None = None,
    ) -> None:
        check_int("sampler.startup", startup, 1)
        check_int("sampler.parents", parents, 1)
        check_float("sampler.spread", spread, "[0, inf)")
        check_int("sampler.candidates", candidates, 1)
        check_int("sampler.few", few, 2)
        super().__init__(seed=seed)
        self.startup = startup
        self.parents = parents
        self.spread = spread
        self.candidates = candidates
        self.few = few
        self._survey: Survey | None = None
        self._kept: TPESampler | None = None
        self._asked_for = -1
        self._asks = 0

    def bind(self, space: Space, known: int = 0, informed: bool = False) -> None:
        """Take the space; what was known of another one is forgotten."""
        super().bind(space, known, informed)
        self._survey = self._kept = None

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the next point: evenly spread, or learned; another one of the learned where it is asked again."""
        self._asks = self._asks + 1 if trial.number == self._asked_for else 0
        self._asked_for = trial.number
        spread = super().sample_relative(study, trial, search_space)
        known = self._look(study)
        number = trial.number - self._known
        if self._is_in_reach(number, known):
            return spread | self._most_promising(study, trial, spread)
        if number < self._spread_first or (number - self._spread_first) % 2 == 0:
            is_lost = known.is_among_failures(spread)
            return spread | self._offspring(self._best(study, known), trial.number) if is_lost else spread
        if self._has_model(known):
            model = self._model(trial.number)
            if self._is_open:  # the model finds out which names go together
                search_space = model.infer_relative_search_space(study, trial)
            searched = {name: each for name, each in search_space.items() if not each.single()}
            return spread | model.sample_relative(study, trial, searched)
        return spread | self._offspring(self._best(study, known), trial.number)

    def _look(self, study: Study) -> Survey:
        """Return what is known of the trials of a study."""
        if self._survey is None:
            self._survey = Survey(self._space, study.direction if len(study.directions) == 1 else None)
        self._survey.look(study.get_trials(deepcopy=False))
        return self._survey

    def _best(self, study: Study, known: Survey) -> list[FrozenTrial]:
        """Return the parents of offspring: of several objectives, the points that no other beats."""
        return study.best_trials if len(study.directions) > 1 else known.best(self.parents)

    def promise(self, study: Study, trial: FrozenTrial, points: Sequence[Mapping[str, Any]]) -> Sequence[float] | None:
        """Return log l(x) / g(x) of each point by the model; None while there is none."""
        known = self._look(study)
        is_known = self._has_model(known) or self._is_in_reach(trial.number - self._known, known)
        if self._space is None or self._is_open or not is_known:
            return None
        return tpe_promise(self._model(trial.number), study, self._space.distributions(), points)

    def _has_model(self, known: Survey) -> bool:
        return known.scored >= self.startup or known.has_foreign

    def _is_in_reach(self, number: int, known: Survey) -> bool:
        """Return whether the space is small and most of its points so far have a score."""
        size = self._space.size() if self._space else None
        return size is not None and size <= SMALL and known.scored >= max(self.few, number / 2)

    def _most_promising(self, study: Study, trial: FrozenTrial, spread: Mapping[str, Any]) -> dict[str, Any]:
        """Return the point that a model likes best among those that were not tried; empty where all were."""
        assert self._space is not None
        tried = {self._space.key(given_params(each)) for each in all_trials(study) if each.number != trial.number}
        points = [{**spread, **cell} for key, cell in self._cells.items() if key not in tried]
        if not points:
            return {}
        feasible = [each for each in study.get_trials(deepcopy=False) if is_scored(each) and is_feasible(each)]
        if (trial.number - self._known) % 2 == 0 and len(study.directions) == 1 and len(feasible) > 1:
            sign = 1 if study.direction is StudyDirection.MAXIMIZE else -1
            scores = [sign * each.values[0] for each in feasible]
            return points[int(np.argmax(main_effects(self._space, [each.params for each in feasible], scores, points)))]
        promises = self.promise(study, trial, points)
        return {} if promises is None else points[int(np.argmax(promises))]

    @cached_property
    def _cells(self) -> dict[str, dict[str, Any]]:
        """Every point of a small space by its key."""
        return {self._space.key(cell): cell for cell in self._space.cells()} if self._space else {}

    def _member(self, number: int) -> dict[str, Any]:
        """Return the next member: every second one of a Sobol sequence would lie in half of the space."""
        return super()._member(min(number, self._spread_first) + max(number - self._spread_first, 0) // 2)

    @property
    def _spread_first(self) -> int:
        return 0 if self._informed else self.startup

    @property
    def _is_open(self) -> bool:
        return self._space is not None and self._space.is_open

    def _model(self, number: int) -> TPESampler:
        """Return the model as it proposes a point; in a space that is open it finds out anew what goes together."""
        if self._kept is None or self._is_open:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that the multivariate form is experimental
                self._kept = TPESampler(
                    n_startup_trials=2,
                    n_ei_candidates=self.candidates,
                    multivariate=True,
                    group=self._is_open,
                    constant_liar=False,
                )
        return reseeded(self._kept, self._seed_for("model", number))

    def _seed_for(self, what: str, number: int) -> int:
        again = (self._asks,) if self._asks else ()
        return address(self._seed or 0, what, number, *again) % 2**32

    def _offspring(self, parents: list[FrozenTrial], number: int) -> dict[str, Any]:
        """Return a child of two parents, which may be the same; empty without parents."""
        if not parents or self._space is None:
            return {}
        rng = np.random.default_rng(self._seed_for("offspring", number))
        pair = [parents[i] for i in rng.integers(len(parents), size=2)]
        child = {}
        for parameter in self._space.asked:
            heir, moved = rng.integers(2), rng.normal(0, self.spread)
            having = [each.params for each in (pair[heir], pair[1 - heir]) if parameter.name in each.params]
            if not having:  # of another branch
                continue
            share = parameter.to_unit(having[0][parameter.name]) + moved
            inside = 1 - abs(1 - share % 2)  # reflected at both ends
            child[parameter.name] = parameter.from_unit(min(inside, np.nextafter(1, 0)))
        return child

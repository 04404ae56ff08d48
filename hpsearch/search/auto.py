"""What searches when the user does not say how: evenly spread points, then what is learned of them, in stages."""

import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from hpsearch.base.errors import check_float, check_int
from hpsearch.base.rng import address
from hpsearch.base.types import Decision, TrialState
from hpsearch.search.pruners import Candidate, Promoter
from hpsearch.search.samplers import Sobol

LAST = 3
"""So many go on to the end of their training once no new points are asked."""
THINNING = 1.2
"""Between the places of one stage and of the next."""


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
        if trial.number < self.startup or (trial.number - self.startup) % 2 == 0:
            return spread
        known = study.get_trials(deepcopy=False)
        if sum(each.state is OptunaState.COMPLETE for each in known) >= self.startup:
            searched = {name: each for name, each in search_space.items() if not each.single()}
            return spread | self._model(trial.number).sample_relative(study, trial, searched)
        return self._offspring(_best(study, known, self.parents), trial.number) or spread

    def _member(self, number: int) -> list[float]:
        """Return the next member: every second one of a Sobol sequence would lie in half of the space."""
        return super()._member(min(number, self.startup) + max(number - self.startup, 0) // 2)

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
        for parameter in self._space.parameters:
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


class AutoPruner(Promoter):
    """Stages: every point trains to the first one and waits; few go on, and fewer at every further stage.

    The stages are at half of a trial's epochs, a quarter, an eighth and so on down to epoch 1. Nothing goes on before
    `start` points are known. Then the best that waits at a stage goes on, the latest stage first, if it is among the
    best ``m = sqrt(n / share) / 1.2^stage`` (at least 1) of all n points asked at that epoch, so that what is spent on
    new points grows with their number, and an early leader cannot keep all others waiting for ever. A point better than
    all before it goes on at once. One that has followed for several epochs the very curve of another that has passed (a
    hyperparameter without effect) stays. Once there are no new points the best three go on to the end.

    Successive halving (Li et al. 2018) with pauses, many points at the first stage, and ranks in place of quotas.

    Args:
        epochs: of a trial; None: unknown, then the stages are at epochs 1, 2, 4, ... without end. With 1, no point
            waits.
        start: so many points come to the first stage before one goes on.
        share: of so many points one place at the first stage, of four times as many two, of nine times as many three.
    """

    def __init__(self, epochs: int | None = None, start: int = 64, share: int = 12) -> None:
        if epochs is not None:
            check_int("pruner.epochs", epochs, 0)
        check_int("pruner.start", start, 1)
        check_int("pruner.share", share, 2)
        self.epochs = epochs
        self.start = start
        self.share = share
        self._stages = sorted({epochs // 2**k for k in range(1, epochs.bit_length())}) if epochs else []

    def decide(self, point: int, candidates: Mapping[int, Candidate]) -> Decision:
        """Pause a point at its first report at or after a stage, unless it would go on at once."""
        candidate = candidates[point]
        stage = self._stage(candidate.epoch)
        earlier = max((epoch for epoch in candidate.scores if epoch < candidate.epoch), default=0)
        if stage < 0 or stage == self._stage(earlier):
            return Decision.CONTINUE
        waiting = {**candidates, point: replace(candidate, state=TrialState.PAUSED)}
        return Decision.CONTINUE if self.promote(waiting, asking=True) == point else Decision.PAUSE

    def promote(self, candidates: Mapping[int, Candidate], asking: bool) -> int | None:
        """Choose the best of those that wait at the latest stage at which one is good enough."""
        if asking and len(candidates) < self.start:
            return None
        waiting: dict[int, list[Candidate]] = {}
        for each in candidates.values():
            if each.state is TrialState.PAUSED:
                waiting.setdefault(self._stage(each.epoch), []).append(each)
        for stage in sorted(waiting, reverse=True):
            places = (len(candidates) / self.share) ** 0.5 / THINNING**stage
            best = self._best(waiting[stage], stage, candidates, max(1, places) if asking else LAST)
            if best is not None:
                return best
        ended = any(each.state in (TrialState.COMPLETE, TrialState.RUNNING) for each in candidates.values())
        if asking or ended or not waiting:
            return None
        return max(waiting[max(waiting)], key=lambda each: (each.scores[each.epoch], -each.point)).point

    def _best(
        self, waiting: list[Candidate], stage: int, candidates: Mapping[int, Candidate], places: float
    ) -> int | None:
        """Return the best that waits at a stage, None when it has none of so many places."""
        epoch = self._epoch(stage)
        come = {each.point: _curve(each, epoch) for each in candidates.values() if each.epoch >= epoch}
        passed = {curve for point, curve in come.items() if self._has_passed(candidates[point], stage)}
        new = [each for each in waiting if stage == 0 or come[each.point] not in passed]
        if not new:
            return None
        first = min(new, key=lambda each: (-come[each.point][-1], each.point))
        rank = len({curve for curve in come.values() if curve[-1] > come[first.point][-1]})
        return first.point if rank < places else None

    def _epoch(self, stage: int) -> int:
        return 1 << stage if self.epochs is None else self._stages[stage]

    def _stage(self, epoch: int) -> int:
        """Return the last stage that an epoch has come to, -1 before the first."""
        return (epoch.bit_length() if self.epochs is None else bisect_right(self._stages, epoch)) - 1

    def _has_passed(self, candidate: Candidate, stage: int) -> bool:
        """Return whether a point went on from a stage to which it came."""
        waits = candidate.state in (TrialState.PAUSED, TrialState.PRUNED)
        return self._stage(candidate.epoch) > stage or not waits


def _curve(candidate: Candidate, epoch: int) -> tuple[float, ...]:
    """Return the scores up to the first report at or after an epoch to which the point came."""
    epochs = sorted(candidate.scores)
    return tuple(candidate.scores[each] for each in epochs[: bisect_left(epochs, epoch) + 1])

"""What searches when the user does not say how: evenly spread points in stages, and later a model."""

import copy
import warnings
from bisect import bisect_left
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from hpsearch.errors import check_int
from hpsearch.rng import address
from hpsearch.search.pruners import Promoter, Standing
from hpsearch.search.samplers import Sobol
from hpsearch.types import Decision, TrialState

LAST = 3
"""So many go on to the end of their training once no new points are asked."""


class Auto(Sobol):
    """Evenly spread points first, then every second one from a model of what is known so far.

    The rule: the first `startup` points are Sobol's, whatever the budget, so that more budget later changes nothing of
    the past; a space with fewer points than that is tried entirely (what is proposed twice is replaced by a point that
    is new). From then on every second point is the next of Sobol's sequence, because a model that is wrong must not
    cost more than a factor of two, and the others are a tree-structured Parzen estimator's (Bergstra et al. 2011,
    multivariate form of Falkner et al. 2018), fitted on finished points and on those that wait: they rank behind the
    finished ones, by the epoch they came to and then by their value there. Infeasible points count as worst.

    Each proposal is a function of the seed, the point's number and what is known at that time.

    Args:
        startup: so many evenly spread points first.
        candidates: of the model, from which the most promising is taken.
        seed: of the scrambling and of the model.
    """

    def __init__(self, startup: int = 512, candidates: int = 24, seed: int | None = None) -> None:
        check_int("sampler.startup", startup, 1)
        check_int("sampler.candidates", candidates, 1)
        super().__init__(seed=seed)
        self.startup = startup
        self.candidates = candidates

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the next point: evenly spread, or the model's."""
        spread = super().sample_relative(study, trial, search_space)
        if trial.number < self.startup or (trial.number - self.startup) % 2 == 0:
            return spread
        searched = {name: each for name, each in search_space.items() if not each.single()}
        return spread | self._model(trial.number).sample_relative(cast("Study", _Known(study)), trial, searched)

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


class _Known:
    """A study in which a point that waits looks like one that was pruned where it stands."""

    def __init__(self, study: Study) -> None:
        self._study = study

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[OptunaState] | None = None,
        use_cache: bool = False,  # noqa: ARG002 (the signature that a sampler calls)
    ) -> list[FrozenTrial]:
        trials = [_as_pruned(trial) for trial in self._study.get_trials(deepcopy=deepcopy)]
        return [trial for trial in trials if states is None or trial.state in states]


def _as_pruned(trial: FrozenTrial) -> FrozenTrial:
    if trial.state is not OptunaState.RUNNING or not trial.intermediate_values:
        return trial
    pruned = copy.copy(trial)
    pruned.state = OptunaState.PRUNED
    return pruned


class AutoPruner(Promoter):
    """Stages: every point trains to epoch 1 and waits; few go on, and fewer at every further stage.

    The stages are at epochs 1, `factor`, `factor`^2, ... below half of a trial's epochs. Nothing goes on before
    4 `share` points are known. Then the best that waits at a stage goes on, the latest stage first, if it is among the
    best m of all n points asked at that epoch: m = n / `share` at the first stage, half as many at every further one,
    but never fewer than 1 + n / (6 `share`), so that an early leader cannot keep all others waiting for ever. A point
    better than all before it thus goes on at once. One that has followed for several epochs the very curve of another
    that has passed (a hyperparameter without effect) stays. Once there are no new points the best three go on to the
    end.

    Successive halving (Li et al. 2018) with pauses, more points at the first stage, and ranks in place of quotas.

    Args:
        epochs: of a trial; None: unknown, then the stages never end. With 1, no point waits.
        factor: between the epochs of two stages.
        share: one point of so many passes the first stage.
    """

    def __init__(self, epochs: int | None = None, factor: int = 4, share: int = 12) -> None:
        if epochs is not None:
            check_int("pruner.epochs", epochs, 0)
        check_int("pruner.factor", factor, 2)
        check_int("pruner.share", share, 2)
        self.epochs = epochs
        self.factor = factor
        self.share = share

    def judge(self, point: int, standings: Mapping[int, Standing]) -> Decision:
        """Pause a point at its first report at or after a stage, unless it would go on at once."""
        standing = standings[point]
        stage = self._stage(standing.epoch)
        earlier = max((epoch for epoch in standing.scores if epoch < standing.epoch), default=0)
        if stage < 0 or stage == self._stage(earlier):
            return Decision.CONTINUE
        waiting = {**standings, point: replace(standing, state=TrialState.PAUSED)}
        return Decision.CONTINUE if self.promote(waiting, asking=True) == point else Decision.PAUSE

    def promote(self, standings: Mapping[int, Standing], asking: bool) -> int | None:
        """Choose the best of those that wait at the latest stage at which one is good enough."""
        if asking and len(standings) < 4 * self.share:
            return None
        waiting: dict[int, list[Standing]] = {}
        for each in standings.values():
            if each.state is TrialState.PAUSED:
                waiting.setdefault(self._stage(each.epoch), []).append(each)
        for stage in sorted(waiting, reverse=True):
            best = self._best(
                waiting[stage], stage, standings, 1 + len(standings) // (6 * self.share) if asking else LAST
            )
            if best is not None:
                return best
        ended = any(each.state in (TrialState.COMPLETE, TrialState.RUNNING) for each in standings.values())
        if asking or ended or not waiting:
            return None
        return max(waiting[max(waiting)], key=lambda each: (each.scores[each.epoch], -each.point)).point

    def _best(self, waiting: list[Standing], stage: int, standings: Mapping[int, Standing], fewest: int) -> int | None:
        """Return the best that waits at a stage, None when it is not good enough; `fewest` places are good enough."""
        epoch = self.factor**stage
        come = {each.point: _curve(each, epoch) for each in standings.values() if each.epoch >= epoch}
        passed = {curve for point, curve in come.items() if self._has_passed(standings[point], stage)}
        new = [each for each in waiting if stage == 0 or come[each.point] not in passed]
        if not new:
            return None
        first = min(new, key=lambda each: (-come[each.point][-1], each.point))
        rank = len({curve for curve in come.values() if curve[-1] > come[first.point][-1]})
        return first.point if rank < max(fewest, len(standings) // (self.share * 2**stage)) else None

    def _stages(self) -> Iterator[int]:
        """Yield the epochs of the stages; without end where a trial's epochs are unknown."""
        epoch = 1
        while self.epochs is None or 2 * epoch <= self.epochs:
            yield epoch
            epoch *= self.factor

    def _stage(self, epoch: int) -> int:
        """Return the last stage that an epoch has come to, -1 before the first."""
        stage = -1
        for at in self._stages():
            if at > epoch:
                break
            stage += 1
        return stage

    def _has_passed(self, standing: Standing, stage: int) -> bool:
        """Return whether a point went on from a stage to which it came."""
        waits = standing.state in (TrialState.PAUSED, TrialState.PRUNED)
        return self._stage(standing.epoch) > stage or not waits


def _curve(standing: Standing, epoch: int) -> tuple[float, ...]:
    """Return the scores up to the first report at or after an epoch to which the point came."""
    epochs = sorted(standing.scores)
    return tuple(standing.scores[each] for each in epochs[: bisect_left(epochs, epoch) + 1])

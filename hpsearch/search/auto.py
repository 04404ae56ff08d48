"""What searches when the user does not say how: evenly spread points in stages, and later a model."""

import copy
import warnings
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

MOST_STAGES = 64  # more than the doublings of any number of epochs


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

    def __init__(self, startup: int = 64, candidates: int = 24, seed: int | None = None) -> None:
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

    The stages are at epochs 1, `factor`, `factor`^2, ... below half of a trial's epochs. Of every `share` points asked
    one passes the first stage, of every 2 `share` one the second, of every 4 `share` one the third: with 4 and 8 and
    trials of 50 epochs 12 % of the points see epoch 4, 6 % epoch 16 and 3 % the end, so that each stage costs about as
    much as the first. The best at a stage goes on first, the earliest stage first. A point that came to a stage on the
    very curve of one that has passed it (a hyperparameter without effect) waits behind all others. A point that
    diverges gives its place back. Once there are no new points at least one of every stage goes on, so that the study
    has a complete point.

    Asynchronous successive halving (Li et al. 2018) with pauses, and with more points at the first stage.

    Args:
        epochs: of a trial; None: unknown, then the stages never end. With 1, no point waits.
        factor: between the epochs of two stages.
        share: one point of so many passes the first stage.
    """

    def __init__(self, epochs: int | None = None, factor: int = 4, share: int = 8) -> None:
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
        """Choose the best of those that wait at the earliest stage that has a place left."""
        waiting: dict[int, list[Standing]] = {}
        beyond: dict[int, list[Standing]] = {}
        for each in standings.values():
            stage = self._stage(each.epoch)
            if each.state is TrialState.PAUSED:
                waiting.setdefault(stage, []).append(each)
            beyond.setdefault(self._passed(each, stage), []).append(each)
        for stage in sorted(waiting):
            passed = [each for count, some in beyond.items() if count > stage for each in some]
            places = len(standings) // (self.share * 2**stage)
            if len(passed) < (places if asking else max(places, 1)):
                return self._first(waiting[stage], passed, self.factor**stage).point
        return None

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

    def _passed(self, standing: Standing, stage: int) -> int:
        """Return how many stages a point went on from; none when it ended in a failure."""
        match standing.state:
            case TrialState.COMPLETE:
                return MOST_STAGES
            case TrialState.INFEASIBLE | TrialState.FAILED:
                return 0
            case TrialState.RUNNING:
                return stage + 1
        return max(stage, 0)

    def _first(self, waiting: list[Standing], passed: list[Standing], epoch: int) -> Standing:
        curves = {_curve(each, epoch) for each in passed}
        return min(waiting, key=lambda each: (_curve(each, epoch) in curves, -(each.at(epoch) or 0.0), each.point))


def _curve(standing: Standing, epoch: int) -> tuple[float, ...]:
    return tuple(score for at, score in sorted(standing.scores.items()) if at <= epoch)

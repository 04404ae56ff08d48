"""Every reach into what Optuna does not promise, in one place; written for Optuna 5.0.

`tests/unit/search/test_optuna_internals.py` fails where a later Optuna is different.
"""

import copy
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, CmaEsSampler, TPESampler
from optuna.samplers._tpe import _truncnorm
from optuna.samplers._tpe.sampler import _split_trials, default_gamma, default_gamma_multiobjective
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.study._constrained_optimization import _CONSTRAINTS_KEY
from optuna.trial import FrozenTrial, TrialState

WRITTEN_FOR = "5.0"


def quicken_tpe() -> None:
    """Let Optuna's TPE take log Phi from SciPy: its own loop in Python is most of the time of an ask.

    At 2,000 trials an ask takes a third of the time; the values agree to rounding. This replaces a private function of
    Optuna for the whole process.
    """
    _truncnorm._log_ndtr = log_ndtr


def log_ndtr(a: NDArray[Any]) -> NDArray[np.float64]:
    """Return the logarithm of the standard normal distribution function."""
    from scipy.special import log_ndtr

    values: NDArray[np.float64] = log_ndtr(a)
    return values


def reopened(study: optuna.Study, trial: FrozenTrial) -> optuna.Trial:
    """Return a running trial as the object that `ask` returned, whoever asked; Optuna has no public way back to it."""
    return optuna.Trial(study, trial._trial_id)


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
    trials = study._get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED), use_cache=True)
    varied = {name: distribution for name, distribution in space.items() if not distribution.single()}
    if len(trials) < sampler._n_startup_trials or not varied:
        return None
    good = sampler._gamma or (default_gamma_multiobjective if len(study.directions) > 1 else default_gamma)
    below, above = (
        sampler._build_parzen_estimator(study, varied, part, handle_below=is_below)
        for part, is_below in zip(_split_trials(study, trials, good(len(trials))), (True, False), strict=True)
    )
    values = {name: np.array([d.to_internal_repr(point[name]) for point in points]) for name, d in varied.items()}
    ratios: list[float] = sampler._compute_acquisition_func(values, below, above).tolist()
    return ratios


def gp_promise(
    acquisition: Any, searched: dict[str, BaseDistribution], points: Sequence[Mapping[str, Any]]
) -> list[float]:
    """Return what an acquisition function of Optuna's Gaussian process says of points.

    Args:
        acquisition: as `GPSampler._optimize_acqf` is given it.
        searched: the space that the process is over, in its order.
        points: Optuna's values by flat name.
    """
    from optuna._gp.search_space import SearchSpace

    trials = [optuna.trial.create_trial(state=TrialState.RUNNING)] * len(points)  # only counted
    values = SearchSpace(searched).get_normalized_params(trials, [dict(point) for point in points])
    scores: list[float] = acquisition.eval_acqf_no_grad(values).tolist()
    return scores


def all_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return every trial, also where a pruner shows samplers a part of the study (Hyperband its bracket)."""
    return study._storage.get_all_trials(study._study_id, deepcopy=False)


def is_of_no_study(trial: FrozenTrial) -> bool:
    """Return whether a trial was made by `optuna.trial.create_trial` and added to no study."""
    return trial.number < 0


def with_values(trial: FrozenTrial, values: Sequence[float]) -> FrozenTrial:
    """Return a copy of a trial with other values."""
    changed = copy.copy(trial)
    changed.values = values
    return changed


class StudyWithTrials(optuna.Study):
    """A study whose trials a sampler sees otherwise than they are.

    Args:
        study: the study; one of Hyperband's brackets too.
        seen: (its trials) -> those that are seen, of any state.
    """

    def __init__(self, study: optuna.Study, seen: Callable[[list[FrozenTrial]], list[FrozenTrial]]) -> None:
        super().__init__(study.study_name, study._storage, study.sampler, study.pruner)
        self._inner = study
        self._seen = seen

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        """Return the trials that are seen; see Optuna."""
        trials = self._seen(self._inner.get_trials(deepcopy))
        return trials if states is None else [trial for trial in trials if trial.state in states]

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        del use_cache
        return self.get_trials(deepcopy, states)


def set_user_attr(study: optuna.Study, trial: FrozenTrial, key: str, value: Any) -> None:
    """Set a user attribute of a trial that has not ended, whether it was asked or waits in the queue."""
    study._storage.set_trial_user_attr(trial._trial_id, key, value)


def start_queued(study: optuna.Study, trial: FrozenTrial) -> None:
    """Take a trial out of the queue, whatever stands before it there: it is running, as one that was just asked."""
    study._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)


def storage_of(study: optuna.Study) -> optuna.storages.BaseStorage:
    """Return the storage of a study."""
    return study._storage


def is_inside(distribution: BaseDistribution, value: Any) -> bool:
    """Return whether a distribution holds a value; one of another type raises."""
    return distribution._contains(distribution.to_internal_repr(value))


def given_params(trial: FrozenTrial) -> dict[str, Any]:
    """Return what is set of a trial's point already, or was given to `enqueue_trial`."""
    return {**fixed_params(trial), **trial.params}


def fixed_params(trial: FrozenTrial) -> dict[str, Any]:
    """Return what was given to `enqueue_trial`; empty for another trial."""
    return dict(trial.system_attrs.get("fixed_params", {}))


def without_cma_state(system_attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the system attributes of a trial without what CMA-ES keeps in them, which belongs to its ranges."""
    return {key: value for key, value in system_attrs.items() if not key.startswith("cma:")}


def without_constraints(system_attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the system attributes of a trial without its constraints, of which the first that is set stays."""
    return {key: value for key, value in system_attrs.items() if not key.startswith(_CONSTRAINTS_KEY)}


def independent_sampler(sampler: CmaEsSampler) -> BaseSampler:
    """Return what draws the hyperparameters that CMA-ES does not."""
    return sampler._independent_sampler


class QueueStorage(JournalStorage):
    """Optuna's journal storage, which is asked before every new trial for those that are queued.

    Optuna answers that by reading every trial of the study; here an empty queue is known to stay empty until a trial
    is queued. That holds for a storage with one writer.
    """

    def __init__(self, backend: BaseJournalBackend) -> None:
        super().__init__(backend)
        self._unqueued: set[int] = set()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Create a trial; see Optuna."""
        if template_trial is not None and template_trial.state is TrialState.WAITING:
            self._unqueued.discard(study_id)
        return super().create_new_trial(study_id, template_trial)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials of a study; see Optuna."""
        queued = states == (TrialState.WAITING,)
        if queued and study_id in self._unqueued:
            return []
        trials = super().get_all_trials(study_id, deepcopy, states)
        if queued and not trials:
            self._unqueued.add(study_id)
        return trials


def pruner_options(pruner: BasePruner) -> dict[str, Any]:
    """Return the options of one of Optuna's pruners, which keeps each under its name after an underscore."""
    return {name.lstrip("_"): value for name, value in vars(pruner).items()}

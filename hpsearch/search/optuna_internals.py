"""Every reach into what Optuna does not promise but for its TPE (`optuna_tpe`); written for Optuna 5.0.

`tests/unit/search/test_optuna_internals.py` fails where a later Optuna is different.
"""

import copy
from collections.abc import Callable, Container, Mapping, Sequence
from functools import lru_cache
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, CmaEsSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, _storage
from optuna.study._constrained_optimization import _CONSTRAINTS_KEY
from optuna.trial import FrozenTrial, TrialState

from hpsearch.search.observed import Listed

WRITTEN_FOR = "5.0"


def share_distributions() -> None:
    """Let Optuna's journal make every distribution once: it reads one from JSON for each value of each trial.

    This replaces a private name of Optuna's for the whole process; nobody changes a distribution.
    """
    read = vars(_storage)["json_to_distribution"]
    if not hasattr(read, "cache_info"):
        vars(_storage)["json_to_distribution"] = lru_cache(maxsize=4096)(read)


def reopened(study: optuna.Study, trial: FrozenTrial) -> optuna.Trial:
    """Return a running trial as the object that `ask` returned, whoever asked; Optuna has no public way back to it."""
    return optuna.Trial(study, trial._trial_id)


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
    """Optuna's journal storage for studies of many trials, with one writer.

    It is asked before every new trial for those that are queued, which Optuna answers by reading every trial of the
    study; here an empty queue is known to stay empty until a trial is queued. The list of all trials is kept, only what
    was written since is taken in, and it says what that was.
    """

    def __init__(self, backend: BaseJournalBackend) -> None:
        self._unqueued: set[int] = set()
        self._lists: dict[int, list[FrozenTrial]] = {}
        self._noted: dict[int, dict[int, int]] = {}
        self._written: set[int] = set()
        self._time = 0
        super().__init__(backend)

    def _sync_with_backend(self) -> None:
        logs = list(self._backend.read_logs(self._replay_result.log_number_read))
        self._replay_result.apply_logs(logs)
        self._written.update(log["trial_id"] for log in logs if "trial_id" in log)

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
        if not deepcopy and states is None:
            return self._all_trials(study_id)
        trials = super().get_all_trials(study_id, deepcopy, states)
        if queued and not trials:
            self._unqueued.add(study_id)
        return trials

    def _all_trials(self, study_id: int) -> list[FrozenTrial]:
        with self._thread_lock:
            self._sync_with_backend()
            known = self._replay_result
            if study_id not in known._studies:
                raise KeyError(f"no study {study_id}")
            self._time += 1
            for trial in (known._trials[trial_id] for trial_id in self._written if trial_id in known._trials):
                study = known._trial_id_to_study_id[trial._trial_id]
                there, noted = self._lists.get(study, []), self._noted.setdefault(study, {})
                if trial.number < len(there):
                    there[trial.number] = trial
                noted.pop(trial.number, None)
                noted[trial.number] = self._time
            self._written.clear()
            there = self._lists.setdefault(study_id, [])
            there += [known._trials[trial_id] for trial_id in known._study_id_to_trial_ids[study_id][len(there) :]]
            return Listed(there, self._noted.setdefault(study_id, {}), self._time)


def pruner_options(pruner: BasePruner) -> dict[str, Any]:
    """Return the options of one of Optuna's pruners, which keeps each under its name after an underscore."""
    return {name.lstrip("_"): value for name, value in vars(pruner).items()}

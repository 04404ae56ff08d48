"""What is reached for inside Optuna: each of these fails where a later Optuna is different."""

from itertools import permutations

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import HyperbandPruner, MedianPruner, SuccessiveHalvingPruner
from optuna.samplers import RandomSampler
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from hpsearch.search import optuna_internals as internals
from hpsearch.search.observed import changed
from hpsearch.search.samplers import CmaEs
from hpsearch.search.storage import JournalStore

SPACE = {
    "lr": FloatDistribution(1e-4, 1, log=True),
    "width": IntDistribution(8, 512),
    "kind": CategoricalDistribution(["a", "b"]),
}


def test_it_was_written_for_this_version():
    written, installed = (version.split(".")[:2] for version in (internals.WRITTEN_FOR, optuna.__version__))
    assert written == installed, "read optuna_internals.py against the new Optuna, then set WRITTEN_FOR"


def test_a_running_point_is_opened_again_and_told():
    study = optuna.create_study()
    study.ask(SPACE)
    asked = study.ask(SPACE)
    again = internals.reopened(study, study.trials[1])
    assert (again.number, again.params) == (1, asked.params)
    study.tell(again, 0.5)
    assert [t.state for t in study.trials] == [TrialState.RUNNING, TrialState.COMPLETE]


def test_all_trials_are_seen_where_a_pruner_shows_a_part():
    seen = []

    class Looking(RandomSampler):
        def sample_relative(self, study, trial, search_space):
            seen.append((len(study.get_trials(deepcopy=False)), len(internals.all_trials(study))))
            return {}

    pruner = HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3)
    study = optuna.create_study(study_name="s", sampler=Looking(), pruner=pruner)  # brackets are drawn by the name
    for _ in range(8):
        trial = study.ask({"x": FloatDistribution(0, 1)})
        trial.report(0.5, step=1)
        trial.should_prune()
        study.tell(trial, 0.0)
    assert [everything for _, everything in seen] == list(range(1, 9))
    assert any(part < everything for part, everything in seen)


def test_the_storage_of_a_study():
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="s")
    assert optuna.load_study(study_name="s", storage=internals.storage_of(study)).study_name == study.study_name


@pytest.mark.parametrize(
    ("distribution", "value", "inside"),
    [
        (SPACE["lr"], 0.1, True),
        (SPACE["lr"], 2.0, False),
        (SPACE["width"], 512, True),
        (SPACE["width"], 513, False),
        (SPACE["kind"], "b", True),
    ],
)
def test_what_a_distribution_holds(distribution, value, inside):
    assert internals.is_inside(distribution, value) is inside


def test_a_value_of_no_choice_raises():
    with pytest.raises(ValueError, match="not in"):
        internals.is_inside(SPACE["kind"], "c")


def test_what_is_given_of_a_queued_point_is_known_before_it_is_drawn():
    seen = []

    class Looking(RandomSampler):
        def infer_relative_search_space(self, study, trial):
            seen.append(internals.given_params(trial))
            return {}

    study = optuna.create_study(sampler=Looking(seed=0))
    study.enqueue_trial({"width": 9})
    study.ask(SPACE)
    assert seen == [{"width": 9}]
    assert internals.given_params(study.trials[0]) == study.trials[0].params


def test_cma_es_keeps_its_state_in_trials_under_its_name():
    study = optuna.create_study(sampler=CmaEs(seed=0))
    space = {name: SPACE[name] for name in ("lr", "width")}
    for _ in range(8):
        study.tell(study.ask(space), 0.5)
    attrs = study.trials[-1].system_attrs
    assert any(key.startswith("cma:") for key in attrs)
    assert not internals.without_cma_state(attrs)
    assert internals.without_cma_state({"cma:x": 1, "fixed_params": {}}) == {"fixed_params": {}}


def test_cma_es_draws_the_rest_with_a_sampler_of_its_own():
    inner = RandomSampler(seed=0)
    assert internals.independent_sampler(CmaEs(independent_sampler=inner)) is inner


def test_an_empty_queue_is_not_looked_for_in_all_trials(tmp_path, monkeypatch):
    store = JournalStore().open(tmp_path)
    study = optuna.create_study(storage=store.storage, study_name="s", sampler=RandomSampler(seed=0))
    study.ask(SPACE)
    read = []
    monkeypatch.setattr(JournalStorage, "get_all_trials", lambda *args: read.append(args) or [])
    study.ask(SPACE)
    assert not read
    store.close()


def test_pruners_keep_their_options_by_name():
    options = {"n_startup_trials": 3, "n_warmup_steps": 2, "interval_steps": 4, "n_min_trials": 6}
    assert internals.pruner_options(MedianPruner(**options)).items() >= {"percentile": 50.0, **options}.items()
    options = {"min_resource": 2, "reduction_factor": 4, "min_early_stopping_rate": 1}
    assert internals.pruner_options(SuccessiveHalvingPruner(**options)).items() >= options.items()
    assert internals.pruner_options(SuccessiveHalvingPruner(min_resource="auto"))["min_resource"] is None


def test_the_list_of_all_trials_is_kept_and_is_that_of_optuna(tmp_path):
    store = JournalStore().open(tmp_path)
    studies = [optuna.create_study(storage=store.storage, study_name=name) for name in ("one", "two")]
    rng, before, seen, running = np.random.default_rng(2), {each: [] for each in studies}, [], []
    for step in range(120):
        study = studies[step % 2]
        running.append((study, study.ask({"lr": FloatDistribution(0, 1)})))
        for place in sorted({int(rng.integers(len(running))) for _ in range(2)}, reverse=True):
            running[place][1].report(0.5, step)
            if rng.random() < 0.2:
                study, trial = running.pop(place)
                study.tell(trial, 0.1)
        if rng.random() < 0.5:
            for each in studies:
                kept = store.storage.get_all_trials(each._study_id, deepcopy=False)
                known = store.storage._replay_result.get_all_trials(each._study_id, None)
                assert len(kept) == len(known)
                assert all(mine is theirs for mine, theirs in zip(kept, known, strict=True))
                before[each].append(store.storage.get_all_trials(each._study_id, deepcopy=False))
                for pair in permutations([*before[each][:12:3], before[each][-1]], 2):
                    seen.append(changed(*pair))
                    assert seen[-1] == changed(*map(list, pair))
                kept.clear()  # it is the caller's
            one, other = (before[each][-1] for each in studies)
            assert changed(one, other) == changed(list(one), list(other))
    assert {0, 1, 2, 3} <= set(map(len, seen))
    with pytest.raises(KeyError):
        store.storage.get_all_trials(99, deepcopy=False)
    store.close()

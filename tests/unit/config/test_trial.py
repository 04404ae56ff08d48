"""A point of the space becomes the configuration of a trial, and its overrides compose the same again."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hpsearch
from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.base.plain import diff, same
from hpsearch.config.compose import Composition, compose, trial_key
from hpsearch.config.composer import trial_part
from hpsearch.search.space import Space


def assert_replays(trial, dirs=()):
    composition = compose(trial.overrides, dirs)
    assert same(trial_part(composition.config), trial.config), diff(trial.config, composition.config)
    again = composition.trial({}, trial.config["seed"], trial.config["fold"])
    assert (again.overrides, again.key) == (trial.overrides, trial.key)


def test_the_overrides_are_short_and_readable(sweep):
    trial = sweep.trial({"optimizer.lr": 0.0215443}, seed=2)
    assert trial.overrides == ("optimizer.lr=0.0215443", "trainer.epochs=30", "seed=2")
    assert trial.config["optimizer"]["lr"] == 0.0215443
    assert trial.config["seed"] == 2
    assert_replays(trial)


def test_a_trial_says_nothing_of_the_search_or_of_where_it_runs(sweep):
    trial = sweep.trial({"optimizer.lr": 0.1}, seed=0)
    of_a_search = {"study", "space", "sampler", "pruner", "launcher", "tracker", "storage", "budget"}
    of_a_search |= {"extend", "ablation", "nuisance", "stages"}
    assert not of_a_search & set(trial.config)
    words = "+study=lr_sweep launcher=inline tracker=none storage=memory sampler=random pruner=median extend.after=3"
    elsewhere = compose([*words.split(), "budget.points=3", "study.name=other", "ablation.points=7"])
    assert elsewhere.trial({"optimizer.lr": 0.1}, seed=0) == trial


def test_the_default_trial_needs_no_override():
    assert compose([]).trial({}, 0).overrides == ()


def test_filling_in_leaves_the_composition_alone(sweep):
    before = copy.deepcopy(sweep.config)
    first = sweep.trial({"optimizer.lr": 0.1, "model.hidden": [8, 8]}, seed=1)
    first.config["model"]["hidden"].append(9)
    assert sweep.config == before
    assert sweep.trial({"optimizer.lr": 0.1}, seed=1).config["model"]["hidden"] == [64]


@pytest.mark.parametrize(
    ("words", "params"),
    [
        ([], {"model": "lenet", "model.kernel_size": 3}),
        ([], {"model": "softmax", "optimizer": "adam", "optimizer.betas": [0.8, 0.9], "scheduler": "cosine"}),
        ([], {"regularizer": "l2", "regularizer.l2.strength": 0.5}),
        (["regularizer=[l2]"], {"regularizer.l2.strength": 0.5}),
        ([], {"regularizer": ["l2"]}),
        (["model=lenet", "regularizer=l2"], {"model": "mlp", "regularizer": "none"}),
        ([], {"trainer.clip_norm": None, "data.batch_size": "full", "data.scaling": "none"}),
        (["+model.extra={a:1,b:[2,x]}", "~model.activation"], {"model.dropout": 0.5}),
        (["data=fashion_mnist", "data.root='/a b/c,d'"], {}),
        (["trainer.device=cuda:0"], {"trainer.precision": "bf16"}),
        (["model.hidden=[]", "seed=3"], {}),
        (['+model.text="it\'s ${seed} = [1, 2]"'], {}),
        (["++trainer.clip_norm=${optimizer.lr}"], {"optimizer.lr": 0.25}),
        (["+trainer.budgeted=${budget.points}", "budget.points=7"], {}),
        (["+optimizer.deep.er=1"], {"optimizer.deep": {"er": 2, "other": 3}}),
    ],
)
def test_overrides_compose_the_same_configuration(words, params):
    assert_replays(compose(words).trial(params, seed=1))


def test_a_users_options_replay_with_their_folder(mine, my_conf):
    trial = mine.trial({"model.width": 16, "optimizer.lr": 0.1}, seed=1)
    assert trial.overrides == (
        "model=my_net",
        "model.width=16",
        "optimizer.lr=0.1",
        "trainer.epochs=3",
        "seed=1",
        "plugins=[my_net_package]",
    )
    assert_replays(trial, [my_conf])


def test_groups_outside_the_defaults_replay(my_conf):
    trial = compose(["+extra=one", "extra.level=2"], [my_conf]).trial({}, 0)
    assert trial.overrides == ("+extra=one", "plugins=[my_net_package]", "extra.level=2")
    assert_replays(trial, [my_conf])


def test_interpolations_follow_what_is_filled_in(my_conf):
    composition = compose(["data=my_data", "model=my_net"], [my_conf])
    trial = composition.trial({"model.width": 99}, seed=0)
    assert trial.config["data"]["name"] == "99-wide"
    assert "data.name" not in " ".join(trial.overrides)
    assert_replays(trial, [my_conf])


def test_an_unknown_key_is_refused(sweep):
    with pytest.raises(SpaceError, match=r"space optimizer\.lrr: optimizer=momentum has no such key, did you mean"):
        sweep.trial({"optimizer.lrr": 1}, 0)


def test_a_value_out_of_range_names_the_space(sweep):
    with pytest.raises(ConfigError) as error:
        sweep.trial({"optimizer.lr": -1.0}, 0)
    assert str(error.value) == (
        "optimizer.lr = -1.0: must be a number in (0, inf) (from the search space in conf/study/lr_sweep.yaml)"
    )
    with pytest.raises(ConfigError, match=r"seed = -1"):
        sweep.trial({}, -1)


def test_the_key_sees_what_the_trial_is_and_nothing_else(sweep):
    key = sweep.trial({"optimizer.lr": 1.0}, 0).key
    assert len(key) == 16
    assert key == sweep.trial({"optimizer.lr": 1}, 0).key
    others = [
        sweep.trial({"optimizer.lr": 1.0}, 1),
        sweep.trial({"optimizer.lr": 1.0}, 0, fold=1),
        sweep.trial({"optimizer.lr": 2.0}, 0),
        sweep.trial({"optimizer.lr": 1.0, "model": "softmax"}, 0),
    ]
    assert len({key, *(trial.key for trial in others)}) == 5


def test_paths_and_packages_are_not_part_of_the_key():
    here, there = (compose(["data=fashion_mnist", f"data.root={root}"]).trial({}, 0) for root in ("/a", "/b"))
    assert here.key == there.key
    assert here.config != there.config
    assert compose(["plugins=[a]"]).trial({}, 0).key == compose([]).trial({}, 0).key
    assert trial_key(compose([]).config) == compose([]).trial({}, 0).key


VALUES = {
    "optimizer.lr": st.floats(1e-6, 10) | st.integers(1, 5),
    "optimizer.weight_decay": st.sampled_from([0, 0.0, 1e-5]),
    "model.hidden": st.lists(st.integers(1, 64), max_size=3),
    "model.activation": st.text("rel u'\\${}[]=,", max_size=6) | st.sampled_from(["null", "true", "1", "1e-3", ""]),
    "data.train_size": st.none() | st.integers(1, 99),
    "data.batch_size": st.just("full") | st.integers(1, 99),
    "trainer.clip_norm": st.none() | st.floats(0.1, 2),
    "optimizer": st.sampled_from(["sgd", "momentum", "nesterov"]),
    "scheduler": st.sampled_from(["constant", "cosine", "step"]),
    "regularizer": st.sampled_from(["none", "l2", ["l2"]]),
}


@settings(max_examples=12, deadline=None)
@given(st.fixed_dictionaries({}, optional=VALUES), st.integers(0, 5), st.integers(0, 2))
def test_any_point_composes_again_from_its_overrides(sweep, params, seed, fold):
    if "${" in params.get("model.activation", ""):
        params["model.activation"] = "relu"
    trial = sweep.trial(params, seed, fold)
    assert_replays(trial)


def test_a_conditional_space_from_end_to_end(my_conf):
    composition = compose(["+study=groups"], [my_conf])
    space = Space.parse(composition.space, composition.where)
    composition.check_space(space.ends())
    trials = [composition.trial(space.active(cell), 0) for cell in space.grid()]
    assert len(trials) == space.size() == 6
    assert len({trial.key for trial in trials}) == 6
    assert {str(trial.config["model"].get("kernel_size")) for trial in trials} == {"None", "3", "5"}
    for trial in trials:
        assert_replays(trial, [my_conf])


@pytest.mark.parametrize(
    "word",
    [
        *("extend.times=5", "budget.points=3", "launcher=inline", "tracker=none", "storage=memory", "plugins=[a]"),
        *("sampler=sobol", "pruner=hyperband", "ablation.points=3", "study.seeds=2", "study.question=Why"),
    ],
)
def test_how_a_search_runs_is_no_part_of_a_trial(word):
    plain, other = (compose(["+study=lr_sweep", *words]) for words in ([], [word]))
    assert plain.config != other.config
    assert trial_key(plain.config) == trial_key(other.config)


def test_a_trial_is_filled_in_and_checked_once(tmp_path, monkeypatch):
    """Of a study, each trial that trains and one that is built beforehand; of a single trial, that one."""
    calls = []
    fill = Composition.trial

    def counted(composition, params, seed, fold=0):
        calls.append((tuple(params.items()), seed, fold))
        return fill(composition, params, seed, fold)

    monkeypatch.setattr(Composition, "trial", counted)
    monkeypatch.chdir(tmp_path)
    words = ("model=softmax", "data.train_size=100", "trainer.epochs=1", "tracker=none", "launcher=inline")
    hpsearch.run_trial(words)
    assert len(calls) == 1
    search = ("+study=search", "storage=memory", "sampler=grid", "space.optimizer.lr=choice(0.1, 0.2, 0.3)")
    hpsearch.run_study((*words, *search, "pruner=none", "study.seeds=2"))
    del calls[0]
    assert len(calls) == 1 + 3 * 2 and len(set(calls)) == 3 * 2


def test_variables_of_the_environment_stand_in_no_printed_command(monkeypatch):
    from hpsearch.config.compose import compose

    monkeypatch.setenv("SECRET", "s3cret")
    table = ["data=table", "data.target=x", "tracker.uri=abc"]
    filled = compose([*table, "data.path=${oc.env:SECRET}/${tracker.uri}"]).trial({}, 0)
    assert "data.path='${oc.env:SECRET}/abc'" in filled.overrides and filled.config["data"]["path"] == "s3cret/abc"
    borrowed = compose(["data=table", "data.target=x", "tracker.uri=${oc.env:SECRET}", "data.path=${tracker.uri}"])
    assert "data.path='${oc.env:SECRET}'" in borrowed.trial({}, 0).overrides
    assert "data.path=abc" in compose([*table, "data.path=${tracker.uri}"]).trial({}, 0).overrides


def test_what_difference_counts_and_how_a_search_ends_are_no_part_of_a_trial_or_of_a_name():
    plain, other = compose(["+study=lr_sweep"]), compose(["+study=lr_sweep", "objective.margin=0.1", "study.confirm=0"])
    assert plain.study_name == other.study_name
    assert plain.trial({}, 0).key == other.trial({}, 0).key

"""What a configuration asks to search: refused where it cannot be searched, else as a record."""

import pytest

from hpsearch.base.errors import HpsearchError
from hpsearch.config.compose import compose, describe_groups
from hpsearch.search.extension import Extension, Ranges
from hpsearch.study.plan import plan_search

STUDY = ("+study=lr_sweep", "tracker=none")
ENDLESS = ("sampler=random", "budget.points=null")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("space.optimizer.lr=choice(0.1, 0.2)",), "no study named: add"),
        ((*STUDY, "trainer.test=true"), "a search may not look at the test split"),
        ((*STUDY, "~space.optimizer.lr"), "the space of study '.*' is empty"),
        ((*STUDY, "fold=1", "data.folds=3"), "a study trains every fold of data.folds"),
        ((*STUDY, *ENDLESS), "this sampler would search for ever"),
        ((*STUDY, "pruner=wilcoxon", "study.seeds=1"), "compares seeds or folds, and there is one"),
        (
            (*STUDY, *ENDLESS, "budget.seconds=9", "pruner=top_k_after"),
            "pruner.of = null",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(words, message):
    with pytest.raises(HpsearchError, match=message):
        plan_search(compose(words))


def test_a_stage_of_a_recipe_may_look_at_the_test_split():
    assert plan_search(compose([*STUDY, "trainer.test=true"]), tests=True).space.parameters


def test_every_seed_and_fold_is_a_replicate():
    plan = plan_search(compose([*STUDY, "seed=4", "study.seeds=2", "data.folds=3"])).plan
    assert plan.seeds == (4, 5) and len(plan.replicates) == 6


@pytest.mark.parametrize("folds", ["many", "-1", "2.5"])
def test_folds_of_a_source_of_the_users_own_are_a_number_too(folds):
    mine = ("data._target_=my_package.Data", "plugins=[my_package]", f"data.folds={folds}")
    with pytest.raises(HpsearchError, match=r"^data\.folds = .*: must be a whole number >= 1$"):
        plan_search(compose([*STUDY, *mine]))


def test_one_configuration_of_every_searched_option_is_built_beforehand():
    search = plan_search(compose([*STUDY, "space.model=choice(softmax, mlp)"]))
    configs = search.representatives()
    assert {"model=softmax", "model=mlp"} == set(configs)
    assert all(config["seed"] == 0 for config in configs.values())
    assert configs["model=mlp"]["model"]["_target_"] != configs["model=softmax"]["model"]["_target_"]


@pytest.mark.parametrize(("value", "allowed"), [(0.1, True), (-1.0, False), ("many", False)])
def test_a_wider_range_holds_allowed_values_alone(value, allowed):
    assert plan_search(compose(STUDY)).allowed({"optimizer.lr": value}) is allowed


def test_a_key_is_ruled_where_its_class_says_what_it_may_be():
    ours = plan_search(compose([*STUDY, "model=mlp"])).ruled({"optimizer.lr": 0.1})
    assert ours >= {"optimizer.lr", "optimizer.momentum", "model.dropout", "data.batch_size", "trainer.epochs"}
    assert "model.hidden" not in ours
    mine = ("trainer=own", "trainer._target_=my_package.train", "plugins=[my_package]", "+args.dropout=0.5")
    assert "args.dropout" not in plan_search(compose([*STUDY, *mine])).ruled({"optimizer.lr": 0.1})


@pytest.mark.parametrize(
    ("key", "expression", "best", "new"),
    [
        ("model.dropout", "interval(0, 0.9)", 0.9, (0.0, 0.99)),
        ("optimizer.momentum", "interval(0.5, 0.9)", 0.9, (0.5, 0.99)),
        ("optimizer.lr", "interval(0.1, 1)", 0.1, (0.01, 1.0)),
        ("optimizer.weight_decay", "interval(0.1, 1)", 0.1, (0.0, 1.0)),
        ("optimizer.lr", "tag(log, interval(0.1, 1))", 0.1, (0.01, 1.0)),
        ("data.batch_size", "int(interval(8, 64))", 8, (1, 64)),
        ("data.batch_size", "tag(log, int(interval(8, 64)))", 8, (1, 64)),
    ],
)
def test_a_range_goes_as_far_as_its_class_allows(key, expression, best, new):
    search = plan_search(compose([*STUDY, "model=mlp", "~space.optimizer.lr", f"space.{key}={expression}"]))
    ranges = Ranges(search.space, allowed=search.allowed, ruled=search.ruled)
    (widening,) = Extension(after=1).widenings(search.space, ranges, {key: best})
    assert widening.new == pytest.approx(new)
    assert all(search.allowed({key: end}) for end in widening.new)


@pytest.mark.parametrize("sampler", sorted(describe_groups()["sampler"]))
def test_every_sampler_takes_points_to_try_first(sampler):
    rate, momentum = "tag(log, interval(1e-4, 1))", "interval(0, 0.9)"
    more = ()
    if sampler == "brute_force":
        rate, momentum = "choice(0.03, 0.1, 1)", "choice(0, 0.9)"
    if sampler == "grid":
        more = ("sampler.points=3",)
    space = (f"space.optimizer.lr={rate}", f"space.optimizer.momentum={momentum}")
    first = "sampler.first=[{optimizer.lr: 0.1, optimizer.momentum: 0}]"
    search = plan_search(compose(["+study=search", "tracker=none", f"sampler={sampler}", *space, *more, first]))
    assert [search.space.active(cell) for cell in search.known] == [{"optimizer.lr": 0.1, "optimizer.momentum": 0}]
    assert search.sampler_after(1)


def test_a_study_file_lists_points_to_try_first(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.yaml").write_text(
        "# @package _global_\nstudy: {seeds: 1}\nspace: {optimizer.lr: 'choice(0.1, 0.2)'}\n"
        "sampler:\n  first:\n  - {optimizer.lr: 0.2}\n"
    )
    search = plan_search(compose(["+study=mine"], [tmp_path]))
    assert [search.space.active(cell) for cell in search.known] == [{"optimizer.lr": 0.2}]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("sampler.first=[{optimizer.lr: 70}]", r"sampler\.first\[0\] = .*: optimizer\.lr = 70 is not in tag\(log"),
        ("sampler.first=[{optimizer.momentum: 0}]", r"sampler\.first\[0\] = .*: optimizer\.momentum is not searched"),
        ("sampler.first=[{}]", r"sampler\.first\[0\] = \{\}: optimizer\.lr is missing"),
        ("sampler.first=3", r"sampler\.first = 3: must be a list of points, as \[.*\(from the command line\)"),
        ("sampler.frist=[]", r"sampler\.frist: no such key, did you mean 'sampler\.first'"),
    ],
)
def test_points_to_try_first_that_are_none_are_refused_in_one_line(word, message):
    with pytest.raises(HpsearchError, match=message) as error:
        plan_search(compose([*STUDY, word]))
    assert "\n" not in str(error.value)

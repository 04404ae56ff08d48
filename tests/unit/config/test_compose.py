"""Words in, a plain configuration out; or one clear line."""

import threading

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from hpsearch.base.errors import ConfigError, HpsearchError, SpaceError
from hpsearch.config.compose import compose
from hpsearch.config.groups import CONF
from hpsearch.search.space import Space


def plan(*words, dirs=()):
    """Do what a study does before it starts."""
    composition = compose(words, dirs)
    space = Space.parse(composition.space, composition.where)
    composition.check_space(space.ends())
    return composition


def test_the_main_job(sweep):
    assert sweep.study_option == sweep.study_name == "lr_sweep"
    assert sweep.space == {"optimizer.lr": "tag(log, interval(1e-3, 10))"}
    assert sweep.config["study"]["seeds"] == 3
    assert sweep.config["study"]["restart"] is False
    assert sweep.config["sampler"]["points"] == 13
    assert sweep.config["model"]["hidden"] == [64]
    assert sweep.choices["model"] == "mlp"
    assert "space" not in sweep.config
    assert sweep.command == "python -m hpsearch +study=lr_sweep"
    assert len(Space.parse(sweep.space).grid(13)) == 13


def test_the_command_line_beats_the_study():
    composition = compose(["+study=lr_sweep", "data=fashion_mnist", "model=lenet", "trainer.epochs=1", "study.seeds=1"])
    assert composition.choices["data"] == "fashion_mnist"
    assert composition.config["model"]["kernel_size"] == 5
    assert composition.config["trainer"]["epochs"] == 1
    assert composition.config["study"]["seeds"] == 1
    assert composition.study_name == "lr_sweep__data-fashion_mnist__model-lenet__trainer.epochs-1__study.seeds-1"


def test_no_study():
    composition = compose(["optimizer.lr=0.05"])
    assert (composition.study_option, composition.study_name, composition.space) == (None, "single", {})
    assert composition.config["optimizer"]["lr"] == 0.05


def test_a_users_folder(mine, my_conf):
    assert mine.config["model"] == {"_target_": "my_net_package.Net", "_partial_": True, "width": 8}
    assert mine.config["plugins"] == ["my_net_package"]
    assert mine.space == {"model.width": "choice(4, 8, 16)", "optimizer.lr": "tag(log, interval(1e-3, 1))"}
    assert mine.command == f"python -m hpsearch --config-dir '{my_conf}' +study=my_study"
    assert mine.config_dirs == (my_conf,)


def test_plugins_on_the_command_line_win(my_conf):
    assert compose(["plugins=[other]"], [my_conf]).config["plugins"] == ["other"]


def test_where_a_value_came_from(mine, my_conf):
    composition = compose(
        [
            "+study=my_study",
            "data=my_data",
            "optimizer.momentum=0.5",
            "space.trainer.epochs=choice(1,2)",
            "regularizer=l2",
        ],
        [my_conf],
    )
    sources = {
        "optimizer.momentum": "the command line",
        "optimizer.nesterov": "conf/optimizer/momentum.yaml",
        "optimizer.lr": f"the search space in {my_conf}/study/my_study.yaml",
        "model.width": f"the search space in {my_conf}/study/my_study.yaml",
        "trainer.epochs": "the search space on the command line",
        "trainer.device": "conf/trainer/default.yaml",
        "data.batch_size": f"{my_conf}/data/my_data.yaml",
        "regularizer.l2.strength": "conf/regularizer/l2.yaml",
        "study.seeds": f"{my_conf}/study/my_study.yaml",
        "seed": "conf/config.yaml",
        "budget.points": "conf/config.yaml",
    }
    assert {key: composition.where(key) for key in sources} == sources
    assert mine.where("trainer.epochs") == f"{my_conf}/study/my_study.yaml"


def test_interpolations_are_resolved(my_conf):
    assert compose(["data=my_data", "model=my_net", "model.width=3"], [my_conf]).config["data"]["name"] == "3-wide"


@pytest.mark.parametrize(
    ("words", "space", "fixed"),
    [
        ([], {"model.width", "optimizer.lr"}, ()),
        (["optimizer.lr=0.1"], {"model.width"}, ("optimizer.lr",)),
        (["++optimizer.lr=0.1"], {"model.width"}, ("optimizer.lr",)),
        (["optimizer=adam"], {"model.width", "optimizer.lr", "optimizer.eps"}, ()),
        (["optimizer=adam", "optimizer.eps=1e-3"], {"model.width", "optimizer.lr"}, ("optimizer.eps",)),
        (["~space.optimizer.lr"], {"model.width"}, ()),
        (["~space"], set(), ()),
        (["~space", "space.optimizer.lr=choice(1)"], {"optimizer.lr"}, ()),
        (["~space[optimizer=adam]", "optimizer=adam"], {"model.width", "optimizer.lr"}, ()),
        (["space.optimizer.momentum=choice(0,0.9)"], {"model.width", "optimizer.lr", "optimizer.momentum"}, ()),
        (
            ["space.optimizer=choice(momentum,adam)"],
            {"model.width", "optimizer.lr", "optimizer=adam/optimizer.eps", "optimizer"},
            (),
        ),
        (["space.optimizer=choice(momentum,adamw)"], {"model.width", "optimizer.lr", "optimizer"}, ()),
    ],
)
def test_what_is_left_to_search(my_conf, words, space, fixed):
    composition = plan("+study=my_study", *words, dirs=[my_conf])
    assert set(composition.space) == space
    assert composition.fixed == fixed


def test_the_command_line_replaces_an_expression(my_conf):
    composition = compose(["+study=my_study", "space.optimizer.lr=choice(1,2)"], [my_conf])
    assert composition.space["optimizer.lr"] == "choice(1,2)"
    assert composition.where("optimizer.lr") == "the search space on the command line"


def test_conditions_on_conditions(my_conf):
    composition = plan("+study=groups", "space.scheduler=choice(constant,cosine)", dirs=[my_conf])
    assert set(composition.space) == {
        "model",
        "scheduler",
        "regularizer",
        "model=lenet/model.kernel_size",
        "model=lenet/scheduler=cosine/scheduler.min_factor",
    }
    assert set(plan("+study=groups", dirs=[my_conf]).space) == {"model", "model=lenet/model.kernel_size", "regularizer"}
    fixed = plan("+study=groups", "model=lenet", "scheduler=cosine", dirs=[my_conf])
    assert set(fixed.space) == {"model.kernel_size", "scheduler.min_factor", "regularizer"}
    assert fixed.fixed == ("model",)


CASES = {
    "unknown study": (["+study=lr_swep"], "study=lr_swep: no such option, did you mean 'lr_sweep'? (known: "),
    "unknown option": (["model=lenett"], "model=lenett: no such option, did you mean 'lenet'? (known: alexnet,"),
    "unknown option in a list": (["regularizer=[l2,nope]"], "regularizer=nope: no such option"),
    "options that do not combine": (["optimizer=[sgd,adam]"], "optimizer=[sgd,adam]: sgd does not combine with others"),
    "an empty list of options": (["regularizer=[]"], "regularizer=[]: name at least one option"),
    "no option": (["model=null"], "model=null: no such option (known: "),
    "a group left out": (["~model"], "~model: it cannot be left out"),
    "misspelt group": (["modle=lenet"], "modle: no such key, did you mean 'model'?"),
    "misspelt key": (["optimizer.lrr=3"], "optimizer.lrr: no such key, did you mean 'optimizer.lr'?"),
    "misspelt key below a new option": (["model=lenet", "model.kernel_siz=3"], "did you mean 'model.kernel_size'?"),
    "a key without its group": (
        ["kernel_size=3", "model=lenet"],
        "kernel_size: no such key, did you mean 'model.kernel_size'",
    ),
    "misspelt removal": (
        ["~optimizer.momentun"],
        "optimizer.momentun: no such key, did you mean 'optimizer.momentum'?",
    ),
    "misspelt key of a study": (["study.sedes=3"], "study.sedes: no such key, did you mean 'seeds'?"),
    "a key added twice": (["+optimizer.lr=3"], "+optimizer.lr=3: the key is there already, write optimizer.lr=3"),
    "a group added twice": (["+model=lenet"], "model is given twice: write model=OPTION without +"),
    "a table where a list stood": (
        ["+study=search", "sampler.first={optimizer.lr: 2}"],
        "sampler.first = {optimizer.lr:2}: must be a list (from the command line)",
    ),
    "a list where a table stood": (
        ["objective.limits=[acc]"],
        "objective.limits = [acc]: must be a table (from the command line)",
    ),
    "a number as a budget": (["budget=3"], "budget = 3: must be a table"),
    "a number as what is widened": (["extend=3"], "extend = 3: must be a table"),
    "a number as limits of ranges": (["extend.limits=3"], "extend.limits = 3: must be a table"),
    "negative learning rate": (["optimizer.lr=-1"], "optimizer.lr = -1: must be a number in (0, inf)"),
    "zero learning rate": (["optimizer.lr=0"], "optimizer.lr = 0: must be a number in (0, inf)"),
    "nan learning rate": (["optimizer.lr=nan"], "optimizer.lr = nan: must be a number in (0, inf)"),
    "infinite learning rate": (["optimizer.lr=inf"], "optimizer.lr = inf: must be"),
    "text as a number": (["optimizer.lr=fast"], "optimizer.lr = 'fast': must be a number"),
    "bool as a number": (["trainer.epochs=true"], "trainer.epochs = True: must be a whole number >= 1"),
    "fraction of an epoch": (["trainer.epochs=1.5"], "trainer.epochs = 1.5: must be a whole number"),
    "batch size 0": (["data.batch_size=0"], "data.batch_size = 0: must be a whole number >= 1, or full"),
    "no seeds": (["+study=lr_sweep", "study.seeds=0"], "study.seeds = 0: must be a whole number >= 1"),
    "a path as a name": (["+study=lr_sweep", "study.name=../x"], "study.name = '../x': must be at most 120 letters"),
    "an option as a name": (
        ["+study=lr_sweep", "study.name=-x"],
        "study.name = '-x': must be at most 120 letters, digits, '.', '_' and '-', begin with no '-'",
    ),
    "a reserved name": (["+study=lr_sweep", "study.name=single"], "study.name = 'single': must be at most 120 letters"),
    "a value inside a list": (
        ["objective=acc_and_seconds", "objective.others.0.direction=up"],
        "objective.others.0.direction = 'up': must be one of maximize, minimize (from the command line)",
    ),
    "nothing where an option stood": (
        ["regularizer=[l2]", "regularizer.l2=null"],
        "regularizer.l2 = None: must be a table with a _target_, or left out of regularizer",
    ),
    "an interpolation to nowhere": (["optimizer.lr=${nope}"], "optimizer.lr: Interpolation key 'nope' not found"),
    "a value still to come": (["trainer.epochs=???"], "trainer.epochs: a value is required"),
}
SPACES = {
    "empty choice": ("optimizer.lr=choice()", "space optimizer.lr = choice(): an empty choice is not allowed"),
    "reversed interval": ("optimizer.lr=interval(1,0.1)", "the interval is reversed: 1 to 0.1"),
    "log interval from 0": ("optimizer.lr=tag(log,interval(0,1))", "a log interval must start above 0, not at 0"),
    "interval that reaches 0": ("optimizer.lr=interval(0,1)", "optimizer.lr = 0.0: must be a number in (0, inf)"),
    "choice with a bad value": ("trainer.epochs=choice(1,0)", "trainer.epochs = 0: must be a whole number >= 1"),
    "choice of the wrong type": ("trainer.epochs=choice(1,2.5)", "trainer.epochs = 2.5: must be a whole number"),
    "interval of fractions": ("trainer.epochs=interval(1,9)", "trainer.epochs = 1.0: must be a whole number"),
    "misspelt key": ("optimizer.lrr=choice(1)", "optimizer=momentum has no such key, did you mean 'optimizer.lr'?"),
    "key of another option": ("model.kernel_size=choice(3)", "model=mlp has no such key"),
    "unknown option": ("model=choice(mlp,lenett)", "model=lenett: no such option, did you mean 'lenet'?"),
    "seed": ("seed=choice(1,2)", "seed cannot be searched: seeds are replicates, see study.seeds"),
    "run-time key": ("launcher.workers=choice(1,2)", "launcher.workers cannot be searched: it is not part of a trial"),
    "run-time group": ("tracker=choice(none,mlflow)", "tracker cannot be searched"),
    "objective": (
        "objective.metric=choice(a,b)",
        "objective.metric cannot be searched: it is what a search compares by",
    ),
    "the data": (
        "data=choice(digits,wine)",
        "data cannot be searched: it decides which samples points are compared on",
    ),
    "classes": ("data.classes=choice([0,1],[2,3])", "data.classes cannot be searched: it decides which samples"),
    "part of a list of classes": (
        "data.classes[0]=choice(0,1)",
        "data.classes[0] cannot be searched: it decides which",
    ),
    "the split": ("data.split_seed=choice(0,1)", "data.split_seed cannot be searched: it decides which samples"),
    "its size": ("data.valid_fraction=choice(0.1,0.2)", "data.valid_fraction cannot be searched: it decides which"),
    "a metric": ("metric=choice(none,auroc)", "metric cannot be searched: it is what points are measured by"),
    "when it is measured": ("trainer.eval_every=choice(1,2)", "trainer.eval_every cannot be searched: it decides when"),
}


def one_line(error, *, source=True):
    text = str(error.value)
    assert "\n" not in text
    assert error.value.exit_code == 2
    assert not source or "from " in text
    return text


@pytest.mark.parametrize("case", CASES)
def test_bad_words_are_one_clear_line(case):
    words, message = CASES[case]
    with pytest.raises(ConfigError) as error:
        compose(words)
    assert message in one_line(error, source=not any(mark in words[-1] for mark in ("???", "$", "l2=null")))


@pytest.mark.parametrize("case", SPACES)
def test_bad_spaces_are_one_clear_line(case):
    word, message = SPACES[case]
    with pytest.raises(ConfigError) as error:
        plan("+study=lr_sweep", f"space.{word}")
    assert message in one_line(error)
    assert "on the command line" in str(error.value) or "from the command line" in str(error.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["~space.optimizer.l"], "~space.optimizer.l: it is not searched, did you mean 'optimizer.lr'?"),
        (["optimizer.lr=1", "space.optimizer.lr=choice(1)"], "optimizer.lr is given a value and a space at once"),
        (["space[modl=lenet].model.k=choice(1)"], "modl is neither a group nor a searched key, did you mean 'model'?"),
        (["space[model=lenets].model.k=choice(1)"], "model=lenets: no such option, did you mean 'lenet'?"),
        (["space[model=lenet].model.kernel_size=choice(3)"], "is never active: model is mlp"),
        (
            ["space.model=choice(mlp,softmax)", "space[model=lenet].model.kernel_size=choice(3)"],
            "is never active: model is never lenet",
        ),
        (
            ["space.model=choice(mlp,lenet)", "space.model.kernel_size=choice(3)"],
            "model=mlp has no such key; write space[model=OPTION].model.kernel_size",
        ),
        (
            ["space.model=choice(mlp,lenet)", "space[model=lenet].model.hidden2=choice(3)"],
            "model=lenet has no such key, did you mean 'model.hidden'?",
        ),
        (
            ["model=lenet", "space.model.kernel_size=choice(3)", "space[model=lenet].model.kernel_size=choice(5)"],
            "twice",
        ),
    ],
)
def test_spaces_that_do_not_fit_together(words, message):
    with pytest.raises(SpaceError) as error:
        plan("+study=lr_sweep", *words)
    assert message in one_line(error)


def study_file(folder, text):
    (folder / "study").mkdir()
    (folder / "study" / "bad.yaml").write_text(f"# @package _global_\n{text}")
    return folder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trainer:\n  epoch: 3", "trainer.epoch: no such key, did you mean 'trainer.epochs'?"),
        ("model:\n  kernel_size: 3", "model.kernel_size: no such key"),
        ("trainers:\n  epochs: 3", "trainers.epochs: no such key, did you mean 'trainer.epochs'?"),
        ("study:\n  sedes: 3", "study.sedes: no such key, did you mean 'seeds'?"),
        ("study: 3", "study = 3: must be a table of"),
        ("trainer:\n  epochs: 0", "trainer.epochs = 0: must be a whole number >= 1"),
        ("space:\n  optimizer.lr: choice(1)\n  optimizer:\n    lr: choice(2)", "space optimizer.lr is given twice"),
        ("space:\n  optimizer.lr: choice(1)\n  optimizer.lr: choice(2)", "line 4: found duplicate key"),
        ("space:\n  optimizer.lr: 0.1", "no search expression; write choice(...)"),
        ("space:\n  optimizer.lr: [0.1, 0.2]", "no search expression; write choice(...)"),
        ("space:\n  model=nope:\n    model.k: choice(1)", "model=nope: no such option"),
        ("defaults:\n  - override /model: nope\n  - _self_", "model=nope: no such option (known: alexnet, "),
        ("trainer: [", "line 2: expected the node content"),
    ],
)
def test_bad_study_files_are_one_clear_line(tmp_path, text, message):
    folder = study_file(tmp_path, text)
    with pytest.raises(HpsearchError) as error:
        plan("+study=bad", dirs=[folder])
    assert message in one_line(error, source=False)


def test_a_studys_keys_go_with_the_option_it_chose(sweep):
    assert compose(["+study=lr_sweep", "sampler=random"]).config["sampler"] == {
        "_target_": "optuna.samplers.RandomSampler",
        "first": [],
    }
    with pytest.raises(ConfigError, match=r"sampler\.points: no such key.*\(from the command line\)"):
        compose(["+study=lr_sweep", "sampler=random", "sampler.points=3"])


@pytest.mark.parametrize(
    ("chosen", "stages"),
    [
        ("none", []),
        ("[data_check,coarse,fine]", ["data_check", "coarse", "fine"]),
        ("[fine,lr_find]", ["fine", "lr_find"]),
    ],
)
def test_a_recipe_has_the_stages_that_the_command_line_lists_and_no_rest_of_others(chosen, stages):
    held = compose(["+study=recipe", f"stage={chosen}"]).config["stages"]
    assert list(held) == stages
    assert all("_target_" in options for options in held.values())
    assert "lr_find" not in held or held["lr_find"]["per_decade"] == 3


def test_a_key_that_the_command_line_adds_is_allowed():
    assert compose(["+model.extra=3", "++model.other.deep=4"]).config["model"]["other"] == {"deep": 4}


def test_hydras_global_state_is_left_alone(my_conf):
    assert not GlobalHydra.instance().is_initialized()
    compose(["seed=54321"], [my_conf])
    assert not GlobalHydra.instance().is_initialized()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        compose(["+study=my_study", "seed=12345"], [my_conf])
        with pytest.raises(ConfigError):
            compose(["nothing.like.this=12345"])
        assert hydra_compose("config", ["model=lenet"]).model.kernel_size == 5


def test_threads_may_compose_at_once():
    found = {}

    def work(option):
        found[option] = compose([f"optimizer={option}"]).config["optimizer"]["_target_"]

    threads = [threading.Thread(target=work, args=(option,)) for option in ("adam", "sgd", "adamw")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"adam": "hpsearch.optim.adam.Adam", "sgd": "torch.optim.SGD", "adamw": "hpsearch.optim.adam.AdamW"}


def test_a_stage_of_a_recipe_is_composed_as_its_own_command_line():
    words = [
        *("+study=batch_momentum", "seed=3", "trainer.epochs=4", "stages.tune.on_fail=continue", "study.seeds=4"),
        *("study.question=Does it, or not?", "nuisance[optimizer.momentum=0].optimizer.lr=choice(0.1, 0.2)"),
    ]
    recipe = compose(words)
    stage = recipe.of_stage(["sampler=grid", "seed=9", "study.name=x.tune"], {"optimizer.momentum": "choice(0, 0.9)"})
    again = compose(stage.words)
    assert (stage.config, stage.space, stage.choices) == (again.config, again.space, again.choices)
    assert stage.trial({}, 0) == again.trial({}, 0) and stage.command == again.command
    assert (stage.config["seed"], stage.config["trainer"]["epochs"], stage.config["stages"]) == (9, 4, {})
    assert [word for word in stage.words if word.startswith(("seed=", "study.seeds="))] == ["seed=9"]
    assert (stage.study_name, stage.study_option) == ("x.tune", "batch_momentum")
    assert stage.config["study"] == {**recipe.config["study"], "name": "x.tune", "seeds": 5}
    assert stage.space == {"optimizer.momentum": "choice(0, 0.9)"}
    assert stage.config["nuisance"] == recipe.config["nuisance"] and len(recipe.config["nuisance"]) == 3
    name = "optimizer.momentum=0/optimizer.lr"
    searched = recipe.of_stage([], {**stage.space, name: "choice(0.3)"})
    assert name in searched.space and name not in searched.config["nuisance"]


def test_other_values_are_set_where_there_are_such_keys_and_the_rest_stays():
    composition = compose(["launcher=processes"])
    other = composition.with_values({"launcher.workers": 1, "launcher.nonsense": 2})
    assert other.config["launcher"] == {**composition.config["launcher"], "workers": 1}
    assert composition.config == compose(["launcher=processes"]).config
    assert other.where("launcher.workers") == composition.where("launcher.workers")

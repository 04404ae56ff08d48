"""A function of one's own: what its arguments are called, and where."""

import re
import sys

import pytest
import yaml

from hpsearch import load_curves, load_trials, run_search, run_study
from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.cli import run
from hpsearch.config.compose import compose
from hpsearch.tracking.events import read_trials
from hpsearch.tracking.runs import trial_params

PROJECT = '''
def train(lr, width=4, seed=0, shape=None):
    """The metric `lr` is the rate over time, and `state` is a fixed column."""
    for epoch in range(1, 4):
        yield {"valid/acc": 1 - abs(lr - 0.3) + width / 1000 + seed / 10000, "lr": lr / epoch, "state": epoch}


def whole(lr, config):
    yield {"valid/acc": lr * config["optimizer"]["lr"]}


def mapping(config):
    yield {"valid/acc": config["lr"]}


def folded(lr, fold):
    yield {"valid/acc": lr + fold}


def any_of(**given):
    yield {"valid/acc": given["lr"]}
'''
OWN = ("trainer=own", "trainer._target_=own_project.train", "plugins=[own_project]", "launcher=inline")
GRID = ("+study=search", "sampler=grid", "pruner=none", "study.name=own", "tracker=none")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A folder with a function to search."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_project.py").write_text(PROJECT)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("own_project", None)


def test_an_argument_has_one_name_in_the_record_and_the_functions_name_for_people(project, capsys):
    words = [*GRID, *OWN, "space.args.lr=choice(0.2, 0.3)", "args.width=8", "study.seeds=2"]
    assert run(words) == 0
    printed = capsys.readouterr().out
    assert "lr = 0.3 has the " in printed
    assert "best      lr=0.3  valid/acc" in printed
    assert "+args.lr=0.3" in printed and "+args.width=8" in printed  # of the command that trains it again
    trials, curves = load_trials("own"), load_curves("own")
    assert trials["args.lr"].tolist() == [0.2, 0.2, 0.3, 0.3]
    assert trials["lr"].tolist() == pytest.approx([0.2 / 3, 0.2 / 3, 0.1, 0.1])  # the metric of that name
    assert set(trials["state"]) == {"COMPLETE"} and set(trials["metrics.state"]) == {3}
    assert curves["lr"].max() == 0.3 and "args.lr" not in curves
    folder = project / "studies" / "own"
    assert "args.lr" in (folder / "trials.csv").read_text().splitlines()[0].split(",")
    pages = [(folder / name).read_text() for name in ("README.md", "report.html")]
    for page in pages:
        assert "(args.lr)" not in page and "args.lr = " not in page


def test_the_best_setting_goes_back_into_the_function():
    from own_project import train

    found = run_search(
        train,
        space={"lr": "choice(0.2, 0.3)", "shape": "choice([8, 8], [64])", "lr=0.3/width": "choice(1, 2)"},
        sampler="grid", pruner="none", tracker="none",
    )  # fmt: skip
    assert found.best.params == {"lr": 0.3, "shape": found.best.params["shape"], "width": 2}
    assert list(train(**found.best.params))[-1]["valid/acc"] == found.best.mean


def test_known_settings_an_earlier_study_and_replay_name_arguments_alike(capsys):
    words = [*GRID, *OWN, "space.args.lr=choice(0.2, 0.3)", "sampler=manual"]
    first = [*words, "sampler.first=[{args.lr: 0.3}]"]
    assert run_study(first).best.params == {"args.lr": 0.3}
    told = [*words, "study.name=later", "sampler=tpe", "sampler.prior=own", "budget.points=2"]
    assert sorted(load_trials(run_study(told).name)["args.lr"]) == [0.2, 0.3]
    capsys.readouterr()
    assert run(["replay", "own/0/0", "--check", "plugins=[own_project]"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "config"),
    [
        (["args.width=8"], {"width": 8}),
        (["+args.width=8"], {"width": 8}),
        (["++args.width=8", "args.shape=[1, 2]"], {"width": 8, "shape": [1, 2]}),
        (["args={width: 8}"], {"width": 8}),
        (["+study=search", "space.args.width=choice(1, 2)"], {"width": None}),
        (["+study=search", "space.args.shape[1]=choice(1, 2)"], {"shape": [None, None]}),
        (["+study=search", "args.shape=[5, 6]", "space.args.shape[1]=choice(1, 2)"], {"shape": [5, 6]}),
    ],
)
def test_arguments_are_named_without_a_file(words, config):
    assert compose([*OWN, *words]).config["args"] == config


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["args=3"], ConfigError, r"args = 3: must be a table"),
        (["args=[1]"], ConfigError, r"args = \[1\]: must be a table"),
        (["+study=search", "space.args.a.b=choice(1, 2)"], SpaceError, "cannot be the name of an argument"),
        (["+study=search", "space.args.1=choice(1, 2)"], SpaceError, "cannot be the name of an argument"),
    ],
)
def test_what_cannot_be_arguments_is_one_line(words, error, message):
    with pytest.raises(error, match=message) as raised:
        compose([*OWN, *words])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["args.lr=0.1", "args.widht=8"], "args.widht: own_project.train takes no such argument, did you mean 'width'"),
        (["args.width=8"], "args.lr: own_project.train needs it"),
        (["args.lr=0.1", "args.seed=3"], "args.seed = 3: is given at run time"),
        (["args.lr=0.1", "+trainer.width=8"], "trainer.width: is not used by own_project.train; its arguments are"),
        (["args.lr=0.1", "+args._target_=torch.nn.Linear"], "args._target_: is not used here"),
    ],
)  # fmt: skip
def test_what_the_function_does_not_take_is_one_line_and_nothing_is_created(words, message, project, capsys):
    assert run([*OWN, "tracker=none", *words]) == 2
    printed = capsys.readouterr().err
    assert message in printed and "\n" not in printed.strip()
    assert not (project / "studies").exists()


def own(function, *words):
    return [*OWN, f"trainer._target_=own_project.{function}", "tracker=none", *words]


def test_record_reports_and_mlflow_speak_of_what_the_function_was_given(project):
    assert run([*GRID, *OWN, "space.args.lr=choice(0.2, 0.3)", "args.width=8"]) == 0
    record = read_trials(project / "studies" / "own")[0].config
    assert record.keys() == {"trainer", "args", "objective", "seed", "fold", "plugins"}
    assert record["args"] == {"width": 8, "lr": 0.2} and record["trainer"] == {"_target_": "own_project.train"}
    study = yaml.safe_load((project / "studies" / "own" / "study.yaml").read_text())["config"]
    assert not study.keys() & {"data", "model", "optimizer", "scheduler", "finetune", "metric"}
    pages = [(project / "studies" / "own" / name).read_text() for name in ("README.md", "report.html")]
    for page in pages:
        assert "Fixed, not searched: width 8;" in page
        assert not [word for word in ("data Digits", "model MLP", "optimizer.lr", "ConstantLR") if word in page]
    params = trial_params(read_trials(project / "studies" / "own")[0])
    assert {key for key in params if not key.startswith("objective.")} == {
        *("args.lr", "args.width", "trainer._target_", "seed", "fold"),
    }


def test_a_function_that_asks_for_everything_is_shown_with_everything(project):
    words = [*GRID, *own("whole"), "space.args.lr=choice(1, 2)", "optimizer.lr=0.25", "optimizer=sgd"]
    assert run(words) == 0
    assert load_trials("own")["score"].tolist() == [0.25, 0.5]
    assert "optimizer.lr 0.25" in (project / "studies" / "own" / "README.md").read_text()


READ_BY_NONE = [
    (["optimizer.lr=0.1"], "optimizer.lr=0.1: own_project.train does not read it; it takes args.lr, args.width"),
    (["model=lenet"], "model=lenet: own_project.train does not read it"),
    (["+data.mine=3"], "+data.mine=3: own_project.train does not read it"),
    (["metric=[acc]"], "metric=[acc]: own_project.train does not read it"),
    (["data.folds=3"], "data.folds=3: own_project.train does not read it"),
    (["+study=lr_sweep"], "space optimizer.lr: own_project.train does not read it; it takes args.lr, args"),
    (["+study=lr_sweep", "space.args.lr=choice(1, 2)"], "~space.optimizer.lr takes it out (from conf/study/lr_sweep"),
    (["+study=batch_size", "space.args.lr=choice(1, 2)"], "data.batch_size: own_project.train does not read it"),
    (["+study=search", "space.args.lr=choice(1, 2)", "space.model=choice(mlp, lenet)"], "space model: own_project"),
    (["+study=search", "space.args.lr=choice(1, 2)", "nuisance.optimizer.lr=choice(1, 2)"], "optimizer.lr: own"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), READ_BY_NONE, ids=[" ".join(words) for words, _ in READ_BY_NONE])
def test_what_the_function_does_not_read_is_one_line_and_nothing_is_created(words, message, project, capsys):
    assert run(own("train", *(() if "+study" in words[0] else ("args.lr=1",)), *words)) == 2
    printed = capsys.readouterr().err
    assert message in printed and "\n" not in printed.strip()
    assert not (project / "studies").exists()


def test_what_a_study_sets_for_another_loop_is_left_out_and_its_space_may_be_taken_out():
    made = compose(own("train", "+study=lr_sweep", "~space", "space.args.lr=choice(1, 2)"))
    assert list(made.space) == ["args.lr"] and "optimizer" not in made.config
    assert run_study([*own("train"), "+study=lr_sweep", "~space", "space.args.lr=choice(0.1, 0.3)", "study.seeds=1"])


@pytest.mark.parametrize(
    ("function", "words", "takes"),
    [("mapping", ["args.lr=1"], "args.*"), ("any_of", ["args.lr=1"], "args.*"), ("folded", ["args.lr=1"], "args.lr")],
)
def test_what_takes_anything_takes_arguments_alone(function, words, takes):
    made = compose(own(function, *words))
    assert made.trial({}, 0).config.keys() - {"data"} == {"trainer", "args", "objective", "seed", "fold", "plugins"}
    with pytest.raises(ConfigError, match=re.escape(f"own_project.{function} does not read it; it takes {takes} (")):
        compose(own(function, *words, "optimizer.lr=1"))


def test_folds_are_read_for_a_function_that_asks_for_its_fold():
    found = run_study([*GRID, *own("folded"), "space.args.lr=choice(1, 2)", "data.folds=3"])
    assert (found.best.n, found.best.mean) == (3, 3)
    trial = compose(own("folded", "args.lr=1", "data.folds=3")).trial({}, 0, 2)
    assert trial.config["data"] == {"folds": 3}
    assert compose([*trial.overrides, "fold=2"]).trial({}, 0, 2) == trial


def test_the_key_of_a_trial_is_of_what_it_reads(project):
    plain = compose(own("train", "args.lr=1")).trial({}, 0)
    (project / "my_conf" / "study").mkdir(parents=True)
    (project / "my_conf" / "study" / "wide.yaml").write_text(
        "# @package _global_\ndefaults: [search, {override /model: lenet}, _self_]\noptimizer: {lr: 0.7}\n"
    )
    other = compose(own("train", "+study=wide", "space.args.lr=choice(1, 2)"), ["my_conf"]).trial({"args.lr": 1}, 0)
    assert other.config == plain.config and other.key == plain.key
    assert compose(other.overrides).trial({}, 0) == plain


def test_an_argument_may_be_another_key_which_is_read_then():
    made = compose(own("train", "args.lr=${optimizer.lr}", "optimizer.lr=0.7")).trial({}, 0)
    assert made.config["args"]["lr"] == 0.7
    assert compose(made.overrides).trial({}, 0) == made

"""A function of one's own: what its arguments are called, and where."""

import sys

import pytest

from hpsearch import load_curves, load_trials, run_search, run_study
from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.cli import run
from hpsearch.config.compose import compose

PROJECT = '''
def train(lr, width=4, seed=0, shape=None):
    """The metric `lr` is the rate over time, and `state` is a fixed column."""
    for epoch in range(1, 4):
        yield {"valid/acc": 1 - abs(lr - 0.3) + width / 1000 + seed / 10000, "lr": lr / epoch, "state": epoch}
'''
OWN = ("trainer=own", "trainer._target_=own_project.train", "plugins=[own_project]", "launcher=inline")
GRID = ("+study=search", "sampler=grid", "pruner=none", "study.name=own")


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
    assert "lr = 0.3 is best" in printed
    assert "best      lr=0.3  valid/acc" in printed
    assert "+args.lr=0.3" in printed and "+args.width=8" in printed  # of the command that trains it again
    trials, curves = load_trials("own"), load_curves("own")
    assert trials["args.lr"].tolist() == [0.2, 0.2, 0.3, 0.3]
    assert trials["lr"].tolist() == pytest.approx([0.2 / 3, 0.2 / 3, 0.1, 0.1])  # the metric of that name
    assert set(trials["state"]) == {"COMPLETE"} and set(trials["metrics.state"]) == {3}
    assert curves["lr"].max() == 0.3 and "args.lr" not in curves
    sent = load_trials("own", uri="sqlite:///mlflow.db")
    assert sent["args.lr"].tolist() == trials["args.lr"].tolist() and sent["lr"].tolist() == trials["lr"].tolist()
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
    words = [*GRID, *OWN, "tracker=none", "space.args.lr=choice(0.2, 0.3)", "sampler=manual"]
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

"""A Hydra application with its own config groups, searched by Hydra's own command without a change in it."""

import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus

from hpsearch import load_trials, replay
from hpsearch.base.types import TrialState
from hpsearch.terminal import hydra_sweeper as module
from hpsearch.terminal.hydra_sweeper import ReturnedValue
from tests.support.records import lacked

APPLICATION = """
    import hydra
    from hydra.utils import instantiate


    @hydra.main(version_base=None, config_path="conf", config_name="config")
    def main(config):
        model = instantiate(config.model)
        (here := __import__("pathlib").Path(hydra.core.hydra_config.HydraConfig.get().runtime.output_dir) / "out.txt")
        here.write_text(str(config.seed))
        return -((config.optimizer.lr - 0.1) ** 2) + model.denominator + config.get("extra", 0)


    if __name__ == "__main__":
        main()
"""
FILES = {
    "train.py": APPLICATION,
    "conf/config.yaml": "defaults: [{model: small}, {optimizer: sgd}, _self_]\nseed: 0\n",
    "conf/model/small.yaml": "{_target_: fractions.Fraction, numerator: 1, denominator: 1}",
    "conf/model/large.yaml": "{_target_: fractions.Fraction, numerator: 1, denominator: 2}",
    "conf/optimizer/sgd.yaml": "lr: 0.1",
}


@pytest.fixture
def application(tmp_path, monkeypatch, hydra_sweeper):
    """A function that runs the application with words of its own, in a folder where it stands."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    monkeypatch.chdir(tmp_path)

    def run(*words):
        command = [sys.executable, "train.py", "-m", "hydra/sweeper=hpsearch", "hydra.sweep.dir=jobs", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=200)

    return run


QUICK = 'hydra.sweeper.overrides=["tracker=none","launcher=inline"]'


@pytest.mark.slow
def test_it_is_searched_in_hydras_own_folders_and_trained_again(application):
    words = ("optimizer.lr=tag(log, interval(1e-4, 1))", "model=small,large", "+extra=choice(3)", "seed=5", QUICK)
    done = application(*words, "hydra.sweeper.points=2", "hydra.sweeper.sampler=random", "hydra.sweeper.name=found")
    assert done.returncode == 0, done.stderr
    assert "maximizing value; hydra.sweeper.direction=minimize for a loss" in done.stderr
    trials = load_trials("found").set_index("point")
    assert trials["state"].tolist() == [TrialState.COMPLETE] * 2
    for point, trial in trials.iterrows():
        size = {"small": 1, "large": 2}[trial["args.model"]]
        assert trial["score"] == pytest.approx(-((trial["args.optimizer.lr"] - 0.1) ** 2) + size + 3)
        assert Path("jobs", str(point), "out.txt").read_text() == "5"
        assert Path("jobs", str(point), ".hydra", "overrides.yaml").is_file()
    assert Path("jobs", "multirun.yaml").is_file()
    again = replay("found/1/0", overrides=["launcher=inline", "tracker=none", *lacked("found", 1)])
    assert again.same, again.differences


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["seed=1"], "nothing to search: give a key of the application a search expression, as lr=interval(0, 1)"),
        (["seed=1,2", "hydra.sweeper.seeds=2"], "hydra.sweeper.seeds = 2: hydra.sweeper.seed_key must name the key"),
        (["optimizer.rate=interval(0, 1)"], "Could not override 'optimizer.rate'."),
        (["model=small,huge"], "Could not find 'model/huge'"),
    ],
    ids=["nothing", "seeds", "key", "option"],
)
def test_what_cannot_be_searched_is_one_line(application, words, said):
    done = application(*words)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2 and len(lines) == 1 and said in lines[0], done.stderr
    assert not Path("studies").exists() and not Path("jobs").exists()


def parsed(*words):
    return OverridesParser.create().parse_overrides(list(words))


def test_keys_have_arguments_of_their_own():
    keys = ["optimizer", "optimizer.lr", "+extra", "model/head@net", "seed"]
    names = module._names(keys)
    assert names == dict(
        zip(keys, ["optimizer.option", "optimizer.lr", "extra", "model.head.net", "seed"], strict=True)
    )


def test_values_with_commas_are_a_choice():
    told = ["a=1,2", "b=choice(x, y)", "c=range(1, 4)", "d=tag(log, interval(1, 2))", "e=[1, 2],[3]"]
    expected = ["choice(1,2)", "choice(x, y)", "range(1, 4)", "tag(log, interval(1, 2))", "choice([1, 2],[3])"]
    assert [module._expression(each) for each in parsed(*told)] == expected


@pytest.mark.parametrize(
    ("returned", "line"),
    [(0.5, '{"value": 0.5}\n'), ({"acc": 1, "loss": 0.25}, '{"acc": 1.0, "loss": 0.25}\n'), (None, None)],
)
def test_what_a_job_returns_is_handed_over(tmp_path, monkeypatch, returned, line):
    monkeypatch.setenv("HPSEARCH_FOLDER", str(tmp_path))
    job = JobReturn(status=JobStatus.COMPLETED, _return_value=returned)
    ReturnedValue("value").on_job_end(SimpleNamespace(), job)
    assert (tmp_path / "returned.jsonl").is_file() == (line is not None)
    assert line is None or (tmp_path / "returned.jsonl").read_text() == line


def test_a_job_returns_no_text_and_a_failed_one_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("HPSEARCH_FOLDER", str(tmp_path))
    with pytest.raises(SystemExit, match="the function returned 'good': must be a number, or a mapping of numbers"):
        ReturnedValue("value").on_job_end(
            SimpleNamespace(), JobReturn(status=JobStatus.COMPLETED, _return_value="good")
        )
    ReturnedValue("value").on_job_end(SimpleNamespace(), JobReturn(status=JobStatus.FAILED, _return_value=ValueError()))
    assert not (tmp_path / "returned.jsonl").exists()

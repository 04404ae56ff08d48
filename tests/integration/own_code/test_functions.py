"""Functions as people have them: searched as they stand, in workers and in this process."""

import functools
import json
import os
import random
import subprocess
import sys
import textwrap

import pytest

import hpsearch
from hpsearch import load_curves, load_trials, run_search
from hpsearch.base.errors import ConfigError
from hpsearch.base.types import TrialState
from hpsearch.progress.display import Silent

SPACE = {"lr": "interval(0, 1)"}
OPTIONS = {"points": 6, "sampler": "random", "tracker": "none", "overrides": ["launcher=inline", "pruner.start=3"]}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def score(lr, seed=0):
    return 1 - abs(lr - 0.3)


def mapped(lr):
    return {"valid/acc": score(lr), "cost": 2 * lr}


def reported(lr):
    for epoch in range(1, 5):
        hpsearch.report({"valid/acc": score(lr) - 1 / epoch}, epoch=epoch)
    return score(lr)


def of_a_mapping(config):
    return score(config["lr"])


def of_a_mapping_by_type(given: dict[str, float]):
    return score(given["lr"])


def without_arguments():
    return score(hpsearch.params()["lr"])


def helped(width, lr):
    return score(lr) * width


class Trainer:
    best = 0.3

    def fit(self, lr):
        return 1 - abs(lr - self.best)

    def __call__(self, lr):
        return self.fit(lr)

    def epochs(self, lr):
        for epoch in range(1, 5):
            yield {"valid/acc": self.fit(lr) - 1 / epoch}


FUNCTIONS = {
    "score": score,
    "mapped": mapped,
    "reported": reported,
    "of_a_mapping": of_a_mapping,
    "of_a_mapping_by_type": of_a_mapping_by_type,
    "without_arguments": without_arguments,
    "helped": functools.partial(helped, 1.0),
    "fit": Trainer().fit,
    "Trainer": Trainer(),
    "epochs": Trainer().epochs,
    "<lambda>": lambda lr: score(lr),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_searched_as_it_stands(name):
    outcome = run_search(FUNCTIONS[name], space=SPACE, name="study", **OPTIONS)
    assert set(outcome.counts) <= {TrialState.COMPLETE, TrialState.PRUNED}
    trials = load_trials("study")
    whole = trials[trials["state"] == TrialState.COMPLETE]
    column = next(column for column in trials if column.endswith(".lr"))
    wanted = whole[column].map(lambda lr: score(lr) - (0.25 if name == "epochs" else 0))
    assert whole["score"].tolist() == pytest.approx(wanted.tolist())
    assert outcome.best.mean == pytest.approx(whole["score"].max()) and set(outcome.best.params) == {"lr"}


PRUNERS = ["none", "auto", "median", "percentile", "hyperband", "successive_halving", "patience", "top_k_after"]


@pytest.mark.parametrize("pruner", PRUNERS)
def test_a_function_without_epochs_is_complete_under_every_pruner(pruner):
    words = [*OPTIONS["overrides"][:1], *(["pruner.epochs=1", "pruner.k=1"] if pruner == "top_k_after" else [])]
    outcome = run_search(score, space=SPACE, pruner=pruner, **OPTIONS | {"overrides": words, "points": 12})
    assert outcome.counts == {TrialState.COMPLETE: 12}
    assert load_curves("score").groupby("point").size().tolist() == [1] * 12


class Lines(Silent):
    def __init__(self):
        self.lines = []

    def line(self, text):
        self.lines.append(text)


def test_in_this_process_a_function_without_checkpoints_is_never_paused_and_it_is_said_once():
    observer, calls = Lines(), []

    def counted(lr):
        calls.append(lr)
        return reported(lr)

    outcome = run_search(counted, space=SPACE, observer=observer, **OPTIONS)
    assert outcome.counts == {TrialState.COMPLETE: 6} and len(calls) == 6
    why = "a function that runs in this process waits only with a checkpoint"
    assert observer.lines.count(f"points that are to wait train on to their next stage instead: {why}") == 1


def test_a_function_with_checkpoints_waits_and_goes_on_and_is_the_same_again():
    def saves(lr):
        weights = [random.random()]
        if (saved := hpsearch.checkpoint()) is not None:
            weights = json.loads(saved.read_text())
        while len(weights) < 9:
            weights.append(random.random() + lr)
            (hpsearch.folder() / "checkpoint.json").write_text(json.dumps(weights))
            hpsearch.report({"valid/acc": sum(weights)}, epoch=len(weights) - 1)

    run_search(saves, space=SPACE, **OPTIONS)
    trials = load_trials("saves")
    whole = trials[trials["state"] == TrialState.COMPLETE]
    assert (whole["attempts"] > 1).any() and (trials["state"] == TrialState.PRUNED).any()
    for point in whole["point"]:
        assert hpsearch.replay(f"saves/{point}/0", saves, overrides=["launcher=inline", "tracker=none"]).same


def test_a_function_of_a_module_reports_from_a_worker(folder):
    (folder / "my_job.py").write_text(
        textwrap.dedent(
            """
            import hpsearch
            import my_callback

            def train(lr):
                assert hpsearch.folder().is_dir()
                for epoch in range(1, 5):
                    my_callback.after_epoch(lr / epoch, epoch)
                return 10 * lr
            """
        )
    )
    (folder / "my_callback.py").write_text(
        "import hpsearch\n\ndef after_epoch(value, epoch):\n    hpsearch.report({'y': value}, epoch=epoch)\n"
    )
    program = (
        "import my_job, hpsearch\n"
        "hpsearch.run_search(my_job.train, space={'lr': 'interval(0, 1)'}, objective='y', points=6,\n"
        "    sampler='random', tracker='none',\n"
        "    overrides=['launcher.workers=2', 'launcher.lockstep=true', 'pruner.start=3'])\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)
    trials = load_trials("train")
    assert (trials["attempts"] > 1).any(), "some waited and went on"
    assert set(trials["state"]) <= {TrialState.COMPLETE, TrialState.PRUNED}
    whole = trials[trials["state"] == TrialState.COMPLETE]
    assert len(whole) and whole["y"].tolist() == (whole["args.lr"] / 4).tolist()
    assert whole["score"].tolist() == (10 * whole["args.lr"]).tolist()


FORKED = {
    "returns": (lambda: None, 0),
    "exits": (sys.exit, 0),
    "exits with a code": (lambda: sys.exit(7), 7),
    "raises": (lambda: 1 / 0, 1),
    "reports": (lambda: hpsearch.report(y=2.0, epoch=1), 1),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("name", FORKED)
def test_a_child_that_a_function_forks_ends_with_it_and_is_no_second_search(name, folder):
    leaves, codes = FORKED[name][0], []

    def forks(lr):
        child = os.fork()
        if child == 0:
            leaves()
            return 5.0
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        return lr

    run_search(forks, space={"lr": [1.0, 2.0]}, **(OPTIONS | {"sampler": "grid", "points": None}))
    assert codes == [FORKED[name][1]] * 2 and load_trials("forks")["score"].tolist() == [1.0, 2.0]
    for file in (folder / "studies" / "forks" / "events").glob("*-0-0.jsonl"):
        assert file.read_text().count('"state":"COMPLETE"') == 1


WRONG = {
    "class": (Trainer, r"trial_fn = <class .*Trainer'>: is a class: pass a function that makes one"),
    "text": ("train", r"trial_fn = 'train': is no function: pass the function itself"),
    "another name": (lambda lrr: 0.5, r"takes no such argument, did you mean 'lrr'\?"),
    "one more": (lambda lr, width: 0.5, r"width: .* needs it"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_called_is_refused_before_anything_is_created(name, folder):
    function, message = WRONG[name]
    with pytest.raises(ConfigError, match=message):
        run_search(function, space=SPACE, name="study", **OPTIONS)
    assert not (folder / "studies").exists()

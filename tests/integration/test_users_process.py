"""The process is the user's: each way in leaves it as it was, whether it succeeds, fails or is interrupted."""

import contextlib
import gc
import importlib
import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest
import torch

import hpsearch
from hpsearch import Silent, cli
from hpsearch.base.errors import HpsearchError
from tests.support.process import differences, snapshot
from tests.support.stop_keys import ctrl_c

QUIET = {"observer": Silent()}
TRIAL = ("model=softmax", "trainer.epochs=2", "launcher=inline")


def calm(x):
    for epoch in (1, 2):
        yield {"acc": x * epoch}


def wild(x):
    """Change what a trial may change in its process."""
    os.environ["HPSEARCH_OF_A_TRIAL"] = "1"
    warnings.simplefilter("error")
    logging.getLogger("optuna").setLevel(logging.DEBUG)
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(7)
    yield {"acc": x}


def fails(x):
    yield {"acc": x}
    raise ZeroDivisionError


def interrupted(x):
    yield {"acc": x}
    ctrl_c(1)
    yield {"acc": x}


def search(function, name="s", *words, **given):
    options = {"space": {"x": "interval(0, 1)"}, "points": 2, "sampler": "tpe", "objective": "acc", "name": name}
    return hpsearch.run_search(
        function, overrides=["launcher=inline", "study.confirm=0", *words], **(options | QUIET | given)
    )


def study(*words):
    return hpsearch.run_study(
        ["+study=lr_sweep", "study.name=rates", "study.seeds=1", "space.optimizer.lr=choice(0.1, 1)", *TRIAL, *words],
        **QUIET,
    )


def ask_and_tell(name, fail=False):
    words = {"space": {"x": "interval(0, 1)"}, "objective": "acc", "points": 2}
    with hpsearch.open_search(name=name, **words) as opened:
        while (trial := opened.ask()) is not None:
            if fail:
                raise ZeroDivisionError
            opened.tell(trial, acc=trial.params["x"])


def command(*words):
    with contextlib.redirect_stdout(open(os.devnull, "w")):  # noqa: PTH123
        assert cli.run(words) == 0


WAYS = {
    "run_search": lambda: search(calm),
    "run_search, of a function that changes its process": lambda: search(wild, "wild"),
    "run_search, whose trials fail": lambda: search(fails, "fails", "budget.failures=null", "launcher.retries=0"),
    "run_search, interrupted": lambda: search(interrupted, "interrupted"),
    "run_search, with a sampler that is none": lambda: search(calm, "wrong", sampler="none such"),
    "run_search, in a worker": lambda: search(calm, "apart", "launcher=processes", "launcher.workers=1"),
    "run_search, without a server": lambda: search(
        calm, "away", "tracker.uri=http://127.0.0.1:9", "tracker.wait=false"
    ),
    "run_study": study,
    "run_study, deterministic": lambda: study("study.name=same", "trainer.deterministic=true"),
    "run_study, of a value that is none": lambda: study("trainer.epochs=-1"),
    "run_trial": lambda: hpsearch.run_trial([*TRIAL, "data.batch_size=32"], **QUIET),
    "run_trial, that fails": lambda: hpsearch.run_trial([*TRIAL, "model=none_such"], **QUIET),
    "replay": lambda: hpsearch.replay("rates/0/0", overrides=["launcher=inline"], **QUIET),
    "replay, of none": lambda: hpsearch.replay("rates/9/0", **QUIET),
    "load_trials": lambda: hpsearch.load_trials("s"),
    "load_trials, from the store": lambda: hpsearch.load_trials("s", uri="sqlite:///mlflow.db"),
    "load_trials, from a server that is away": lambda: hpsearch.load_trials("s", uri="http://127.0.0.1:9"),
    "load_curves": lambda: hpsearch.load_curves("s"),
    "draw": lambda: hpsearch.draw("s")._repr_svg_(),
    "report": lambda: command("report", "s"),
    "report, for paper": lambda: command("report", "s", "--print", "--tables"),
    "report, of none": lambda: command("report", "none"),
    "sync": lambda: command("sync", "s"),
    "sync, to a server that is away": lambda: command("sync", "s", "tracker.uri=http://127.0.0.1:9"),
    "status": lambda: command("status", "s"),
    "list": lambda: command("list"),
    "ask and tell": lambda: ask_and_tell("by_hand"),
    "ask and tell, that fails": lambda: ask_and_tell("by_hand_too", fail=True),
}
"""In the order in which the later ones find what the earlier ones made."""


COLD = frozenset({
    "environment",
    "signals",
    "folder",
    "path",
    "arguments",
    "streams",
    "umask",
    "locale",
    "python generator",
    "torch",
})
"""What the imports of the first call leave alone too."""
WARM = (
    *("run_study", "run_search", "draw", "report", "report, for paper", "load_trials, from the store"),
    *("run_search, without a server", "load_trials, from a server that is away", "sync, to a server that is away"),
)
"""What imports all that the others do."""
FEW = ("run_search", "run_search, interrupted")


def changed_by(way):
    """Return the end that a way comes to, and what it changes; what still asks a server is waited for."""
    before, end = snapshot(), "success"
    try:
        way()
    except (KeyboardInterrupt, ZeroDivisionError, AssertionError, HpsearchError) as error:
        end = type(error).__name__
    for thread in [thread for thread in threading.enumerate() if thread.name == "mlflow-sender"]:
        thread.join()
    gc.collect()  # with it go the threads of MLflow that copy files
    for thread in [thread for thread in threading.enumerate() if thread.name.startswith("Mlflow")]:
        thread.join(10)
    return end, {name: repr(values)[:1000] for name, values in differences(before, snapshot()).items()}


def changes(folder, ways):
    """Return what ways change, with the end that each comes to."""
    os.chdir(folder)
    importlib.import_module("torch._dynamo")
    cold = {name: each for name, each in changed_by(WAYS[WARM[0]])[1].items() if name in COLD}
    for name in WARM[1:] if len(ways) > len(FEW) else ways:
        changed_by(WAYS[name])
    return {"cold": ("success", cold), **{name: changed_by(WAYS[name]) for name in ways}}


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(changes(sys.argv[1], sys.argv[3:])))


def found(folder, ways):
    """Return `changes` of a process of its own."""
    root, answer = Path(__file__).resolve().parents[2], folder / "answer.json"
    (folder / "work").mkdir()
    words = [sys.executable, "-m", "tests.integration.test_users_process", str(folder / "work"), str(answer), *ways]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(answer.read_text())


@pytest.mark.slow
def test_a_search_leaves_the_process_as_it_was_also_interrupted(tmp_path):
    seen = found(tmp_path, FEW)
    assert {name: end for name, (end, _) in seen.items()} == {
        "cold": "success",
        "run_search": "success",
        "run_search, interrupted": "KeyboardInterrupt",
    }
    assert {name: changed for name, (_, changed) in seen.items() if changed} == {}


@pytest.mark.long
def test_every_way_leaves_the_process_as_it_was(tmp_path):
    seen = found(tmp_path, WAYS)
    failing = {name for name in WAYS if name.endswith(("none", "such", "away", "fails")) or "that is none" in name}
    ends = {name: end for name, (end, _) in seen.items()}
    assert {name for name, end in ends.items() if end != "success"} == failing | {"run_search, interrupted"}
    assert ends["run_search, interrupted"] == "KeyboardInterrupt"
    assert {name: changed for name, (_, changed) in seen.items() if changed} == {}

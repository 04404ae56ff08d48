"""Functions that no module has: they train in worker processes all the same."""

import os
import subprocess
import sys
import textwrap
import threading
from functools import partial
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from hpsearch import load_trials, run_search
from hpsearch.base.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = {"points": 3, "sampler": "random", "pruner": "none", "tracker": "none", "objective": "y", "name": "s"}
OPTIONS |= {"space": {"x": "interval(-1, 1)"}, "overrides": ["launcher.workers=2", "study.confirm=0"]}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


SCRIPT = """
import argparse, multiprocessing, os, sys
import numpy as np
from hpsearch import run_search
import beside

print("once")
TABLE = {"best": np.float64(0.5)}
calls = 0

class Curve:
    def at(self, x):
        return -(x - TABLE["best"]) ** 2

def helper(x):
    return beside.shift(Curve().at(x))

def train(x):
    global calls
    calls += 1
    argparse.ArgumentParser().parse_args()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        (y,) = pool.map(helper, [x])
    for epoch in range(3):
        yield {"y": y, "pid": os.getpid(), "name": float(sys.argv == ["main.py"])}

out = run_search(train, points=int(sys.argv[1]), **OPTIONS)
print(calls, out.best.params["x"] == max(out.best.params["x"], -9), out.already_complete, out.exit_code)
"""


def run_script(folder, points="3", script=SCRIPT):
    (folder / "beside.py").write_text("def shift(y):\n    return y + 1\n")
    options = {name: value for name, value in OPTIONS.items() if name != "points"}
    (folder / "main.py").write_text(script.replace("**OPTIONS", f"**{options!r}"))
    done = subprocess.run(
        [sys.executable, "main.py", points], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.long
def test_a_function_of_a_script_without_a_guard_runs_in_workers_and_its_study_goes_on(folder):
    assert run_script(folder) == ["once", "0 True False 0"]
    trials = load_trials("s")
    assert len(trials) == 3 and trials["pid"].nunique() == 2
    assert set(trials["name"]) == {1.0}
    assert trials["y"].tolist() == pytest.approx([1 - (x - 0.5) ** 2 for x in trials["args.x"]])
    assert run_script(folder) == ["once", "0 True True 0"]
    assert run_script(folder, points="5") == ["once", "0 True False 0"]
    assert load_trials("s")["point"].tolist() == list(range(5))


@pytest.mark.slow
def test_a_module_that_searches_while_it_is_imported_is_not_imported_again_by_workers(folder):
    (folder / "mine.py").write_text(textwrap.dedent(SCRIPT).replace("**OPTIONS", f"**{OPTIONS!r}").replace(
        "points=int(sys.argv[1]), ", ""
    ))  # fmt: skip
    assert run_script(folder, script="import mine\n")[0] == "once"
    assert len(load_trials("s")) == 3


CELL = """
import os
from hpsearch import load_trials, run_search

best = 0.5

def train(x):
    for epoch in range(2):
        yield {"y": -(x - best) ** 2, "pid": os.getpid()}

outcome = run_search(train, **OPTIONS)
print("mine", outcome.exit_code, os.getpid() in set(load_trials("s")["pid"]))
"""


@pytest.mark.slow
def test_a_function_of_a_notebook_runs_in_workers_and_progress_stands_below_its_cell(folder):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL.replace("**OPTIONS", f"**{OPTIONS!r}"))])
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    quiet = {"PYTHONWARNINGS": "ignore:IProgress not found"}  # a progress bar that nobody sees
    client.execute(env=os.environ | {"PYTHONPATH": str(ROOT)} | quiet)
    outputs = notebook.cells[0].outputs
    assert not [output["text"] for output in outputs if output["name"] != "stdout"]
    text = "".join(output["text"] for output in outputs)
    assert "s: 3/3 trials, 3 complete, best " in text and text.endswith("mine 0 False\n")


class Climb:
    def __init__(self, best):
        self.best = best

    def train(self, x):
        yield {"y": -((x - self.best) ** 2), "pid": os.getpid()}


def bowl(best, x):
    yield {"y": -((x - best) ** 2), "pid": os.getpid()}


def inner(best):
    def train(x):
        yield {"y": -((x - best) ** 2), "pid": os.getpid()}

    return train


class Callable:
    def __call__(self, x):
        return -((x - 0.5) ** 2)


KINDS = {
    "plain": lambda x: -((x - 0.5) ** 2),
    "object": Callable(),
    "inner": inner(0.5),
    "lambda": lambda x: (yield {"y": -((x - 0.5) ** 2), "pid": os.getpid()}),
    "partial": partial(bowl, 0.5),
    "method": Climb(0.5).train,
}


@pytest.mark.parametrize(
    "kind",
    [kind if kind in ("inner", "lambda", "method") else pytest.param(kind, marks=pytest.mark.long) for kind in KINDS],
)
def test_whatever_can_be_called_trains_in_workers(kind):
    outcome = run_search(KINDS[kind], **OPTIONS)
    trials = load_trials("s")
    assert outcome.exit_code == 0 and os.getpid() not in set(trials.get("pid", ()))
    assert trials["y"].tolist() == pytest.approx([-((x - 0.5) ** 2) for x in trials["args.x"]])
    assert run_search(KINDS[kind], **OPTIONS).already_complete


def refers_to(value):
    def train(x):
        yield {"y": x, "kind": float(bool(value))}

    return train


def by_a_helper(value):
    def helper():
        return value

    def train(x):
        yield {"y": x, "kind": float(bool(helper()))}

    return train


def as_a_default(value):
    def train(x, other=value):
        yield {"y": x, "kind": float(bool(other))}

    return train


def of_the_module():
    def train(x):
        yield {"y": x, "kind": float(bool(LOCK))}

    return train


class Holder:
    def __init__(self, value):
        self.value = [value]


LOCK = threading.Lock()


@pytest.mark.parametrize(
    ("function", "named"),
    {
        "of the function around": (refers_to(LOCK), "`value`, a lock,"),
        "of the module": (of_the_module(), "`LOCK`, a lock,"),
        "by a helper": (by_a_helper(LOCK), "`value` of helper, a lock,"),
        "a default": (as_a_default(LOCK), "`[0]`, a lock,"),
        "in a list of an object": (refers_to(Holder(LOCK)), "`[0]` of value of value, a lock,"),
        "in a table": (refers_to({"a": LOCK}), "`a` of value, a lock,"),
        "of a partial": (partial(bowl, LOCK), "`[0]` of given, a lock,"),
        "of a method's object": (Climb(LOCK).train, "`best` of self of given, a lock,"),
        "an open file": (refers_to(sys.__stderr__), "`value`, a TextIOWrapper,"),
        "a generator": (refers_to(each for each in "ab"), "`value`, a generator,"),
    }.values(),
)
def test_what_cannot_be_sent_is_named_in_one_line_and_nothing_is_created(folder, function, named):
    with pytest.raises(ConfigError) as caught:
        run_search(function, **OPTIONS)
    name = "bowl" if isinstance(function, partial) else "train"
    assert str(caught.value).startswith(f"{name}: {named} cannot be sent to worker processes (")
    assert str(caught.value).endswith("); make it inside the function, or use launcher=inline")
    assert "\n" not in str(caught.value) and not list(folder.iterdir())


def test_in_this_process_a_function_may_refer_to_anything():
    outcome = run_search(refers_to(LOCK), **OPTIONS | {"overrides": ["launcher=inline"]})
    assert outcome.exit_code == 0 and set(load_trials("s")["kind"]) == {1.0}

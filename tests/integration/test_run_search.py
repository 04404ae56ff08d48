"""Searching the arguments of a function that knows nothing of torch."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpsearch import load_curves, load_trials, run_search
from hpsearch.base.columns import CURVE_COLUMNS, TRIAL_COLUMNS, metric_column
from hpsearch.base.errors import ConfigError, SpaceError, StorageError
from hpsearch.base.types import Objective, TrialState
from hpsearch.progress.display import Silent
from hpsearch.reports.summary.numbers import find
from hpsearch.study.tables import table_of

ROOT = Path(__file__).resolve().parents[2]
TWO = Objective("valid/acc", others=(Objective("cost", "minimize"),))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def climb(lr, kind="a", depth=None, seed=0):
    for epoch in range(1, 6):
        yield {"valid/acc": 1 - abs(lr - 0.3) / epoch - (0.1 if kind == "a" else 0.01 * depth), "cost": lr * epoch}


def search(function=climb, **given):
    options = {"space": {"lr": "interval(0, 1)"}, "points": 8, "sampler": "random", "pruner": "none", "tracker": "none"}
    overrides = ["launcher=inline", *given.pop("overrides", ())]
    return run_search(function, overrides=overrides, **(options | given))


def test_a_function_inside_another_is_searched_in_this_process_where_that_is_asked_for():
    called = []

    def train(lr, seed):
        called.append((lr, seed))
        yield from climb(lr)

    outcome = search(train, seeds=2)
    assert outcome.counts == {TrialState.COMPLETE: 16}
    assert len(set(called)) == 16
    trials = load_trials("train")
    assert outcome.best.mean == pytest.approx(trials.groupby("point")["score"].mean().max())
    assert set(trials["args.lr"]) == {lr for lr, _ in called}
    assert len(load_curves("train")) == 16 * 5


@pytest.mark.parametrize("sampler", ["random", "auto", "manual"])
def test_settings_that_are_known_are_tried_first_and_once(sampler):
    seen = []

    def train(lr, kind):
        seen.append({"lr": lr, "kind": kind})
        yield {"valid/acc": 1 - abs(lr - 0.3)}

    first = [{"lr": 0.3, "kind": "a"}, {"lr": 0.9, "kind": "b"}]
    space = {"lr": "interval(0, 1)", "kind": "choice(a, b)"}
    outcome = search(train, space=space, first=first, sampler=sampler, points=4)
    assert seen[:2] == first and len(seen) == (2 if sampler == "manual" else 4)
    assert outcome.best.point == 0
    assert search(train, space=space, first=first, sampler=sampler, points=4).already_complete
    assert load_trials("train")["point"].tolist() == list(range(len(seen)))


def train_on(best):
    def train(lr):
        yield {"valid/acc": 1 - abs(lr - best)}

    return train


@pytest.mark.parametrize("sampler", ["auto", "tpe"])
def test_another_study_is_told_and_neither_counted_nor_named_best(sampler, folder):
    search(train_on(0.3), name="old", points=24)
    new = {"name": "new", "points": 8, "sampler": sampler, "prior": "old"}
    outcome = search(train_on(0.32), **new, space={"lr": "interval(0.1, 1)"})
    trials = load_trials("new")
    assert outcome.counts == {TrialState.COMPLETE: 8} and trials["point"].tolist() == list(range(8))
    assert outcome.best.mean == trials["score"].max()
    assert (abs(trials["args.lr"] - 0.32) < 0.1).sum() >= 4  # of eight uniform ones, two
    shutil.rmtree(folder / "studies" / "old")
    again = search(train_on(0.32), **{**new, "points": 9}, space={"lr": "interval(0.1, 1)"})
    assert again.counts == {TrialState.COMPLETE: 9}


@pytest.mark.parametrize("others", [3, [3], None, [{"metric": "cost"}], [{"_target_": "x"}], Objective("cost")])
def test_what_is_no_list_of_objectives_is_one_line(others):
    with pytest.raises(ConfigError, match=r"^objective\.others(\[0\])? = .*: must be an? (list of )?objectives?, as"):
        Objective("acc", others=others)


def test_progress_is_shown_unless_an_observer_is_given(capsys):
    search(points=2)
    assert "climb: 2/2 trials, 2 complete, best" in capsys.readouterr().err
    search(points=3, observer=Silent())
    assert capsys.readouterr() == ("", "")


def test_a_function_that_yields_nothing_is_said_so():
    def train(lr):
        yield from ()

    outcome = search(train)
    assert (outcome.counts, outcome.exit_code) == ({TrialState.FAILED: 3}, 1)
    assert "nothing was reported" in outcome.ended
    assert set(load_trials("train")["reason"]) == {"nothing was reported: the training ended before its first metric"}


@pytest.mark.parametrize("pruner", ["auto", "median", "top_k_after"])
def test_a_metric_of_every_other_epoch_is_searched_by(pruner):
    def train(lr):
        for epoch in range(1, 7):
            yield {"loss": 1 / epoch, **({"valid/acc": lr * epoch} if epoch % 3 == 0 else {})}

    outcome = search(train, pruner=pruner, points=6)
    assert outcome.exit_code == 0
    assert outcome.best.mean == pytest.approx(6 * load_trials("train")["args.lr"].max())


def test_a_misspelt_objective_beside_the_first_is_refused_after_one_trial():
    trained = []

    def train(lr):
        trained.append(lr)
        yield from climb(lr)

    both = Objective("valid/acc", others=(Objective("costs", "minimize"),))
    with pytest.raises(ConfigError, match=r"objective.others\[0\].metric = 'costs': .*, did you mean 'cost'?"):
        search(train, objective=both)
    assert len(trained) == 1


MISSPELT = {
    "metric": {"objective": "valid/ac"},
    "beside the first": {"objective": Objective("valid/acc", others=(Objective("costs", "minimize"),))},
    "limit": {"limits": {"costs": 1}},
}


@pytest.mark.parametrize("wrong", MISSPELT.values(), ids=MISSPELT)
def test_the_call_with_the_right_objective_does_not_stumble_over_the_one_with_a_misspelt_one(folder, wrong):
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"no report has"):
            search(points=3, **wrong)
    outcome = search(points=3)
    assert outcome.counts == {TrialState.COMPLETE: 3} and outcome.best.metric == "valid/acc"
    assert len(list((folder / "studies").iterdir())) == 2  # the one that could not be scored is kept
    with pytest.raises(StorageError, match=r"was started with another configuration \(config\.objective"):
        search(points=3, objective="cost")


def test_in_this_process_a_trial_that_takes_too_long_is_stopped_at_its_next_report_and_it_is_said():
    lines = []

    class Lines(Silent):
        def line(self, text):
            lines.append(text)

    def train(lr):
        for _ in range(2 if lr < 0.5 else 1000):
            time.sleep(0 if lr < 0.5 else 0.1)
            yield {"valid/acc": lr}

    space = {"lr": "choice(0.1, 0.9)"}
    outcome = search(train, space=space, sampler="grid", overrides=["budget.trial_seconds=2"], observer=Lines())
    assert outcome.counts == {TrialState.COMPLETE: 1, TrialState.INFEASIBLE: 1}
    assert load_trials("train")["reason"].tolist() == ["", "took too long: 2 s (budget.trial_seconds)"]
    assert lines[0].startswith("budget.trial_seconds: looked at between reports only")


def test_objectives_by_name_and_several_at_once():
    outcome = search(objective="cost", direction="minimize", name="cheap")
    assert outcome.best.mean == pytest.approx(5 * load_trials("cheap")["args.lr"].min())
    both = Objective("valid/acc", others=(Objective("cost", "minimize"),))
    assert search(objective=both, name="both").counts == {TrialState.COMPLETE: 8}


SCRIPT = """
import sys
from hpsearch import run_search
from mine import train
out = run_search(train, space={"x": "interval(-1, 1)"}, points=6, sampler="tpe", pruner="median", tracker="none",
                 objective="y", direction="minimize", overrides=("launcher.workers=2", "study.confirm=0"))
import mine
print(out.best.mean, out.counts, mine.calls, "torch" in sys.modules)
"""

MODULE = """
import sys
calls = 0

def train(x):
    global calls
    calls += 1
    for _ in range(3):
        yield {"y": x * x, "torch": float("torch" in sys.modules)}
"""


@pytest.mark.slow
def test_a_function_of_a_module_runs_in_workers_and_nobody_imports_torch(folder):
    (folder / "mine.py").write_text(MODULE)
    (folder / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(" 0 False\n")
    trials = load_trials("train")
    assert len(trials) == 6
    assert set(trials["torch"]) == {0.0}


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"space": {}}, SpaceError, "nothing to search"),
        ({"space": {"lr": "interval(1, 0)"}}, SpaceError, "lr"),
        ({"space": {"rate": "interval(0, 1)"}}, ConfigError, "climb takes no such argument"),
        ({"space": {"a.b": "interval(0, 1)"}}, SpaceError, "cannot be the name of an argument"),
        ({"space": {"kind=b/depth": "choice(1, 2)"}}, SpaceError, "kind"),
        ({"sampler": "bayes"}, ConfigError, "sampler"),
        ({"points": 0}, ConfigError, "budget.points = 0"),
        ({"objective": "valid/ac"}, ConfigError, "did you mean 'valid/acc'"),
        ({"space": [("lr", "choice(1, 2)")]}, ConfigError, r"^space = \[\('lr', .*\)\]: must be a mapping by"),
        ({"space": None}, ConfigError, r"^space = None: must be a mapping by"),
        ({"arguments": [1]}, ConfigError, r"^arguments = \[1\]: must be a mapping by"),
        ({"first": 3}, ConfigError, r"^first = 3: must be a list$"),
        ({"first": {"lr": 0.1}}, ConfigError, r"^first = \{'lr': 0\.1\}: must be a list$"),
        ({"limits": [3]}, ConfigError, r"^objective\.limits = \[3\]: must be a table"),
        ({"first": [3]}, SpaceError, r"sampler\.first\[0\] = 3: must give values by key"),
        ({"function": int}, ConfigError, "is a class: pass a function"),
    ],
)
def test_bad_input_is_one_line(folder, given, error, message):
    with pytest.raises(error, match=message) as caught:
        search(**given)
    assert "\n" not in str(caught.value)


def test_overrides_that_are_no_list_are_one_line():
    with pytest.raises(ConfigError, match=r"^overrides = 'seed=1': must be a list$"):
        run_search(climb, space={"lr": "interval(0, 1)"}, overrides="seed=1")


def test_metrics_may_have_any_name(folder):
    every = dict.fromkeys((*TRIAL_COLUMNS, *CURVE_COLUMNS, "arm", "loss", "params"))
    names = [name for name in every if name != "step"]  # that is how a loop counts its updates

    def train(x):
        for epoch in (1, 2, 3):
            yield {name: x + place + epoch / 10 for place, name in enumerate(names)}

    for metric in ("epoch", "state", "duration_sec"):
        objective = Objective(metric, others=(Objective("time", "minimize"),))
        options = {"space": {"x": "choice(0, 2)"}, "sampler": "grid", "objective": objective, "name": metric}
        outcome = search(train, **options)
        trials, curves = load_trials(metric), load_curves(metric)
        assert outcome.best.mean == pytest.approx(2 + names.index(metric) + 0.3)
        assert trials["state"].tolist() == ["COMPLETE"] * 2 and curves["epoch"].tolist() == [1, 2, 3] * 2
        for place, name in enumerate(names):
            column = metric_column(name)
            assert curves[column].tolist() == pytest.approx([x + place + e / 10 for x in (0, 2) for e in (1, 2, 3)])
            assert trials[column].tolist() == pytest.approx([place + 0.3, 2 + place + 0.3])
        front = find(table_of(metric)).summary.front
        assert front.values[1] == pytest.approx((2 + names.index(metric) + 0.3, 2 + names.index("time") + 0.3))
        assert metric_column(metric) in (folder / "studies" / metric / "report.html").read_text()


def test_values_of_python_reach_the_function_and_come_back_as_the_best():
    seen = []

    def train(act, shape, kind, depth, lr):
        seen.append({"act": act, "shape": shape, "kind": kind, "depth": depth, "lr": lr})
        yield {"valid/acc": -len(seen)}

    acts, shapes = [None, "None", "null", True, "1"], [[1, None], [[2], "x y"]]
    space = {"act": acts, "shape": shapes, "kind": ["a", "b"], "kind=b": {"depth": "choice(None, 3)"}}
    outcome = search(train, space=space, arguments={"lr": 0.5}, sampler="grid", points=None)
    assert len(seen) == len(acts) * len(shapes) * 3
    assert {repr(point["act"]) for point in seen} == set(map(repr, acts))
    assert all(point["shape"] in shapes and point["depth"] in (None, 3) and point["lr"] == 0.5 for point in seen)
    assert {**outcome.best.params, "lr": 0.5} == seen[0]
    best = list(train(**outcome.best.params, lr=0.5))
    assert seen[-1] == seen[0] and len(best) == 1
    assert {value if value is None else repr(value) for value in load_trials("train")["args.act"]} == {
        value if value is None else repr(value) for value in acts
    }


@pytest.mark.parametrize("gone", ["studies/s", "."])
def test_a_folder_that_is_removed_while_it_is_searched_ends_that_with_one_error(gone, folder):
    def train(lr):
        for epoch in range(1, 4):
            yield {"valid/acc": lr * epoch}
            shutil.rmtree(folder / gone, ignore_errors=True)

    with pytest.raises(StorageError, match=r"studies/s/lock was removed .*nothing more is written") as raised:
        search(train, name="s")
    assert raised.value.__context__ is None, "no other error of closing what is gone"
    assert not (folder / "studies" / "s").exists()


@pytest.mark.parametrize("taken", ["lock removed", "folder moved"])
def test_a_driver_that_has_lost_its_study_writes_no_more_of_it(taken, folder):
    study, kept = folder / "studies" / "train", {}

    def train(lr):
        yield {"valid/acc": lr}
        if lr == 0.2:
            if taken == "folder moved":
                shutil.copytree(study, folder / "copy")
                study.rename(folder / "away")
                (folder / "copy").rename(study)  # as another command has it now
            else:
                (study / "lock").unlink()
            files = [study / "optuna.journal", *study.glob("events/*")]
            kept.update({file: file.read_bytes() for file in files})
        yield {"valid/acc": lr}

    with pytest.raises(StorageError, match="was removed or its folder moved while it ran"):
        search(train, space={"lr": "choice(0.1, 0.2, 0.3)"}, sampler="grid")
    assert kept == {file: file.read_bytes() for file in [study / "optuna.journal", *study.glob("events/*")]}

from dataclasses import replace

import numpy as np
import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.reports.summary.numbers import summarize
from hpsearch.reports.summary.ranges import Near
from hpsearch.study.stages.base import Verdict
from hpsearch.study.stages.curves import Curves, handed
from hpsearch.trial.measure.contained import shallower
from tests.support import synthetic

T = np.arange(1, 13) / 12


class Bench:
    def __init__(self, handed, losses=()):
        self.handed, self.losses, self.said, self.asked = handed, list(losses), [], []

    def config(self, params=None, seed=0):
        self.asked.append(dict(params or {}))
        return {"model": {"hidden": [64, 32]}}

    def measure(self, name, config):
        assert name == "training_losses"
        return self.losses

    def line(self, text):
        self.said.append(text)


def entry(train, valid=None, **fields):
    train = [float(value) for value in train]
    history = {"train": train, "valid": list(valid or train), "untrained": 2.3, "diverged": "", **fields}
    return {"point": 0, "seed": 0, "params": {"optimizer.lr": 0.1}, "history": history}


SOUND, UNDER = 2.3 * np.exp(-10 * T), 0.9 + 1.4 * np.exp(-10 * T)


def test_a_sound_best_trial_passes_and_the_others_are_counted():
    finding = Curves().run(Bench({"fine_trials": [entry(SOUND), entry(UNDER)], "fine_faults": []}))
    assert finding.verdict is Verdict.PASS
    assert finding.sentence == "the best of 2 trials shows no fault; over all trials: underfitting 1"
    assert finding.series["labels"] == [[], ["underfitting"]]


def test_it_says_whose_validation_loss_is_of_averaged_weights():
    averaged = {**entry(SOUND), "weights": "averaged (EMA of 1 epoch)"}
    finding = Curves().run(Bench({"fine_trials": [averaged], "fine_faults": []}))
    assert finding.sentence.endswith("no fault; its validation loss is of averaged weights (EMA of 1 epoch)")


def test_a_fault_of_the_best_is_a_warning_with_its_label_as_the_cause():
    finding = Curves().run(Bench({"fine_trials": [entry(UNDER), entry(SOUND)], "fine_faults": []}))
    assert (finding.verdict, finding.cause) == (Verdict.WARN, "underfitting")
    assert finding.sentence.startswith("learning rate 0.1: the training loss ends flat at 0.9")
    assert "model" in finding.action


def test_a_fault_of_the_search_counts_too():
    fault = ["best value on the edge", "the best learning rate lies at the high edge", "extend"]
    finding = Curves().run(Bench({"fine_trials": [entry(SOUND)], "fine_faults": [fault]}))
    assert (finding.verdict, finding.cause, finding.action) == (Verdict.WARN, fault[0], "extend")


@pytest.mark.parametrize(("twin", "cause"), [(UNDER, "model bias"), (SOUND, "optimization failure")])
def test_a_twin_tells_the_reason_of_underfitting(twin, cause):
    bench = Bench({"fine_trials": [entry(UNDER)], "fine_faults": []}, twin)
    finding = Curves(twin=True).run(bench)
    assert cause in finding.numbers
    assert bench.asked[-1] == {"optimizer.lr": 0.1, "model.hidden": [64], "trainer.epochs": 12}


def test_no_twin_is_trained_for_a_sound_trial():
    bench = Bench({"fine_trials": [entry(SOUND)], "fine_faults": []})
    Curves(twin=True).run(bench)
    assert bench.asked == []


@pytest.mark.parametrize(
    ("model", "change"),
    [
        ({"hidden": [64, 32, 16]}, {"model.hidden": [64]}),
        ({"hidden": [64]}, {"model.hidden": []}),
        ({"hidden": 128, "layers": 4}, {"model.layers": 2}),
        ({"depth": 4}, {"model.depth": 2}),
        ({"blocks": [2, 2, 1]}, {"model.blocks": [1, 1, 1]}),
        ({"hidden": [], "layers": 1}, {}),
        ({"channels": [8]}, {}),
    ],
)
def test_a_shallower_model_is_about_half_as_deep(model, change):
    assert shallower(model) == change


def test_what_is_handed_on_has_the_best_point_first_and_the_diverged_trials_too():
    table = synthetic.sweep()
    summary = summarize(table)
    given = handed(table, summary)
    assert given["fine_trials"][0]["point"] == summary.best.point
    assert len(given["fine_trials"]) == len(table.trials)
    assert any(each["history"]["diverged"] for each in given["fine_trials"])


@pytest.mark.parametrize(("near", "of", "few"), [(4, 20, True), (5, 20, False), (4, 19, False)])
def test_few_points_near_the_best_are_a_fault_of_the_search(near, of, few):
    table = synthetic.sweep()
    summary = replace(summarize(table), near=Near(tuple(range(near)), of, 0.1, "a rule", True))
    labels = [label for label, _, _ in handed(table, summary)["fine_faults"]]
    assert ("too few trials near the best" in labels) is few


def test_a_trial_that_the_search_ended_early_is_not_read():
    table = synthetic.sweep()
    cut = table.trials["point"] == summarize(table).best.point
    table.trials.loc[cut, "state"] = "PRUNED"
    given = handed(table, summarize(table))
    assert len(given["fine_trials"]) == int((~cut).sum())


def test_it_names_the_stage_that_it_needs():
    with pytest.raises(ConfigError, match="fine"):
        Curves().run(Bench({}))
    with pytest.raises(ConfigError, match=r"stages\.curves\.twin"):
        Curves(twin=3)

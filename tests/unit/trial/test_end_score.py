"""The evaluations at the end of a trial, whose mean is its score: which they are, and that they disturb nothing."""

import math
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from hpsearch.base.types import Decision, Objective, Report, TrialState, end_values
from hpsearch.regularizers import EMA, SWA, EarlyStopping
from hpsearch.trial.checkpoint import take_over
from hpsearch.trial.evaluations import end_steps
from hpsearch.trial.loop import train
from hpsearch.trial.reading import END as END_FILE
from tests.support.jobs import curve, drive, make_job, same_weights, weights
from tests.unit.trial.test_evaluations import Noisy

END, LAST = Objective("valid/acc"), Objective("valid/acc", reduce="last")
STOPPED = EarlyStopping(metric="valid/loss", patience=2)


def ended(folder, decide=None, **fields):
    """Return a trial's reports as rows, the evaluations at its end, its result and its last weights."""
    job = make_job(folder, **{"watch_layers": False, "eval_initial": False, **fields})
    messages, result = drive(train(job), *([] if decide is None else [decide]))
    return curve(messages), messages[-1].end, result, weights(job)


def test_the_updates_are_shares_of_the_training_rounded():
    for steps in range(1, 400):
        shares = {math.floor(Fraction(share) * steps + Fraction(1, 2)) for share in ("0.95", "0.975", "1")}
        assert end_steps(steps) == tuple(sorted(shares)) and end_steps(steps)[-1] == steps
    assert end_steps(0) == () and end_steps(1) == (1,) and end_steps(2_000_001)[0] == 1_900_001


KINDS = {
    "plain": {},
    "draws": {"make_model": Noisy},
    "dropout": {"dropout": 0.3},
    "cut short": {"steps": 22},
    "one update": {"steps": 1},
    "three updates": {"steps": 3},
    "moving average": {"make_model": Noisy, "more": {"averaging": EMA(epochs=0.5)}},
    "mean of weights": {"make_model": Noisy, "more": {"averaging": SWA(start=1, every=2)}},
    "often": {"eval_every": 0.25},
    "rarely": {"eval_every": 7},
}


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_what_more_evaluations_measure_and_leave_the_training_alone(tmp_path, kind):
    fields = {"epochs": 5, **KINDS[kind]}
    plain, none, _, last = ended(tmp_path / "last", objective=LAST, **fields)
    found, end, _, same = ended(tmp_path / "end", objective=END, **fields)
    assert none == () and found == plain and same_weights(same, last)
    often = {**fields, "eval_every": 1, "eval_steps": 1}
    by_step = {row[1]: row[2] for row in ended(tmp_path / "often", objective=LAST, **often)[0]}
    assert [step for step, _ in end] == list(end_steps(fields.get("steps") or 30))
    for step, measured in end:
        assert measured == {name: by_step[step][name] for name in ("valid/loss", "valid/acc")}


def test_the_score_is_their_mean(tmp_path):
    job = make_job(tmp_path, epochs=10, lr=1.0)
    last = drive(train(job))[0][-1]
    of_end = end_values(last, "valid/loss")
    assert len(of_end) == 3 and last.metrics["valid/loss"] == of_end[-1] != of_end[0]
    loss = Objective("valid/loss", "minimize")
    assert loss.score({10: of_end[-1]}, of_end) == pytest.approx(sum(of_end) / 3)
    assert end_values(last, "train/loss") == [] == end_values(None, "valid/loss")
    assert replace(loss, reduce="last").score({10: of_end[-1]}, of_end) == of_end[-1]


@pytest.mark.parametrize("told", [Decision.PAUSE, None], ids=["paused", "killed"])
def test_a_trial_that_goes_on_inside_its_end_has_the_same(tmp_path, told):
    fields = {"epochs": 30, "make_model": Noisy}
    whole = ended(tmp_path / "whole", **fields)
    assert [step for step, _ in whole[1]] == [171, 176, 180]
    often = {"watch_layers": False, "checkpoint_sec": 0, "eval_initial": False}
    run = train(make_job(tmp_path / "parts", **often, **fields))
    (message,) = next(run)
    while not (isinstance(message, Report) and message.epoch == 29):
        (message,) = run.send((Decision.CONTINUE,))
    if told is None:
        run.close()
    else:
        with pytest.raises(StopIteration):
            run.send((told,))
    again = ended(tmp_path / "parts", **fields)
    assert again[:2] == whole[:2] and same_weights(again[3], whole[3])


def test_the_test_and_the_training_part_are_measured_at_the_same(tmp_path):
    fields = {"epochs": 10, "dropout": 0.5, "eval_train": True, "test": True}
    job = make_job(tmp_path / "1", **fields)
    messages, _ = drive(train(job))
    end, last = messages[-1].end, messages[-1].metrics
    assert [set(measured) for _, measured in end] == [
        {f"{part}/{name}" for part in ("valid", "test", "train_eval") for name in ("loss", "acc")}
    ] * 3
    assert all(last[name] == value for name, value in end[-1][1].items())
    assert not any("train_eval/loss" in message.metrics for message in messages[1:-1])
    outputs = job.model.eval()(job.splits.train.x)
    assert last["train_eval/acc"] == pytest.approx((outputs.argmax(1) == job.splits.train.y).float().mean().item())
    loss = torch.nn.functional.cross_entropy(outputs, job.splits.train.y).item()
    assert last["train_eval/loss"] == pytest.approx(loss, rel=1e-5) != last["train/loss"]
    once = drive(train(make_job(tmp_path / "2", objective=LAST, **fields)))[0][-1]
    assert once.end == () and once.metrics["train_eval/loss"] == last["train_eval/loss"]


@pytest.mark.parametrize("kind", ["plain", "draws", "dropout", "mean of weights", "often"])
def test_a_curve_of_the_training_part_disturbs_nothing(tmp_path, kind):
    fields = {"epochs": 4, "eval_initial": True, **KINDS[kind]}
    rows, end, _, last = ended(tmp_path / "without", eval_train=True, test=True, **fields)
    each, same_end, _, same = ended(tmp_path / "with", eval_train="each", test=True, **fields)
    assert same_weights(same, last) and same_end == end and each[-1] == rows[-1]
    assert all({"train_eval/loss", "train_eval/acc"} <= set(row[2]) for row in each)
    without = [{k: v for k, v in row[2].items() if not k.startswith("train_eval/")} for row in each[:-1]]
    assert without == [row[2] for row in rows[:-1]]


def test_a_curve_of_the_training_part_is_of_the_weights_of_its_epoch(tmp_path):
    """Early stopping restores the best weights; what they give stands among the evaluations at the end."""
    fields = {"epochs": 30, "lr": 0.5, "objective": Objective("valid/loss", "minimize"), "eval_train": "each"}
    rows, end, result, _ = ended(tmp_path, more={"early_stopping": STOPPED}, **fields)
    best = next(row for row in rows if row[0] == result.facts["best_epoch"])
    restored = [values for _, values in end if "train_eval/loss" in values]
    assert [values["train_eval/loss"] for values in restored] == [best[2]["train_eval/loss"]]
    assert rows[-1][2]["train_eval/loss"] != best[2]["train_eval/loss"]


@pytest.mark.parametrize("eval_every", [1, 0.5])
def test_early_stopping_is_scored_around_the_evaluation_that_it_restores(tmp_path, eval_every):
    fields = {"epochs": 30, "lr": 0.5, "objective": Objective("valid/loss", "minimize"), "eval_every": eval_every}
    more = {"more": {"early_stopping": STOPPED}, "test": True, "eval_train": True}
    rows, end, result, _ = ended(tmp_path, **fields, **more)
    at = next(i for i, row in enumerate(rows) if row[0] == result.facts["best_epoch"])
    assert 0 < at < len(rows) - 1 and result.facts["stopped_epoch"] < 30
    assert [step for step, _ in end] == [row[1] for row in rows[at - 1 : at + 2]]
    assert [values["valid/loss"] for _, values in end] == [row[2]["valid/loss"] for row in rows[at - 1 : at + 2]]
    assert ["test/loss" in values for _, values in end] == [False, True, False]
    assert rows[-1][2]["test/loss"] == end[1][1]["test/loss"]
    assert rows[-1][2]["train_eval/loss"] == end[1][1]["train_eval/loss"]


def test_the_restored_evaluation_may_be_the_first_or_the_last(tmp_path):
    more = {"more": {"early_stopping": EarlyStopping(patience=50)}, "epochs": 3}
    rows, end, result, _ = ended(tmp_path / "last", objective=Objective("valid/loss", "minimize"), lr=1e-4, **more)
    assert result.facts["best_epoch"] == 3 and [step for step, _ in end] == [12, 18]
    rows, end, result, _ = ended(tmp_path / "first", objective=Objective("valid/loss"), lr=1e-4, **more)
    assert result.facts["best_epoch"] == 1 and [step for step, _ in end] == [6, 12]
    assert len(rows) == 3


def test_early_stopping_that_restores_nothing_is_scored_by_its_last_value(tmp_path):
    more = {"more": {"early_stopping": replace(STOPPED, restore_best=False)}, "lr": 0.5}
    fields = {"objective": Objective("valid/loss", "minimize"), "test": True}
    rows, end, result, _ = ended(tmp_path / "stopped", epochs=30, **fields, **more)
    assert result.facts["stopped_epoch"] == rows[-1][0] < 30
    assert [(step, values["valid/loss"]) for step, values in end] == [(rows[-1][1], rows[-1][2]["valid/loss"])]
    rows, end, _, _ = ended(tmp_path / "whole", epochs=3, **fields, **more)
    assert [step for step, _ in end] == list(end_steps(18))


def test_a_pruned_trial_has_none_and_one_that_diverges_there_says_where(tmp_path, monkeypatch):
    fields = {"epochs": 5}

    def stop(message):
        return Decision.STOP if isinstance(message, Report) and message.epoch == 4 else Decision.CONTINUE

    assert ended(tmp_path / "pruned", stop, **fields)[1] == ()
    found = [{"loss": value, "acc": 0.5} for value in (1.0, 1.0, 1.0, 1.0, math.inf, 1.0)]
    monkeypatch.setattr("hpsearch.trial.engine.evaluate", lambda *_: found.pop(0))
    rows, end, result, _ = ended(tmp_path / "diverged", **fields)
    assert (result.state, result.reason) == (
        TrialState.INFEASIBLE,
        "diverged at step 29: validation loss inf after it",
    )
    assert len(rows) == 4 and end == ()


def test_a_trial_that_is_continued_ends_anew(tmp_path):
    first = make_job(tmp_path / "a", epochs=5)
    assert len(drive(train(first))[0][-1].end) == 2
    model, optimizer = first.model, first.optimizer
    progress = take_over(tmp_path / "a" / END_FILE, model, optimizer)
    assert len(progress.reports) == 6 and not progress.end and not any(report.end for report in progress.reports)


def test_of_several_objectives_one_is_enough(tmp_path):
    both = Objective("valid/acc", reduce="best", others=(Objective("valid/loss", "minimize"),))
    rows, end, _, _ = ended(tmp_path / "1", epochs=5, objective=both, test=True, lr=1.0)
    assert [step for step, _ in end] == list(end_steps(30))
    best = ended(tmp_path / "2", epochs=5, objective=replace(LAST, reduce="best"), test=True, lr=1.0)
    assert best[1] == () and rows[-1][2]["test/loss"] == best[0][-1][2]["test/loss"]

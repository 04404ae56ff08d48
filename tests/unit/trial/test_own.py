"""A user's function run as a trial: it reports wherever it likes, and returns its score."""

import math
import threading
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path

import numpy as np
import pytest
import torch

import hpsearch
from hpsearch.base import current
from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Decision, Started, TrialState
from hpsearch.trial.generator import run_code
from hpsearch.trial.own import OwnFunction, OwnGenerator
from hpsearch.trial.surroundings import Surroundings
from hpsearch.trial.waiting import Waiting
from tests.support.jobs import at, drive, make_own_spec

METRIC = "valid/acc"
WORD = ContextVar("WORD", default="none")


@pytest.fixture(autouse=True)
def worker(monkeypatch):
    monkeypatch.setattr(current.process, "is_worker", True)


def begun(function, folder="no folder", **params):
    return OwnFunction(lambda: function(**params), METRIC, params, Path(folder), Surroundings(0))


def run(function, *decide):
    return drive(run_code(begun(function), make_own_spec(), Waiting()), *decide)


def trains(epochs, seen=None):
    for epoch in range(1, epochs + 1):
        hpsearch.report({METRIC: epoch / 10}, epoch=epoch, step=5 * epoch)
        if seen is not None:
            seen.append(epoch)


def curve(messages):
    return [(each.epoch, each.step, dict(each.metrics)) for each in messages[1:]]


def test_what_it_reports_far_below_arrives_epoch_by_epoch():
    messages, result = run(lambda: trains(3))
    assert isinstance(messages[0], Started) and messages[0].epoch is None
    assert curve(messages) == [(1, 5, {METRIC: 0.1}), (2, 10, {METRIC: 0.2}), (3, 15, {METRIC: 0.3})]
    assert (result.state, result.score) == (TrialState.COMPLETE, None)


def test_epochs_are_counted_where_none_is_given():
    def function():
        hpsearch.report({METRIC: 0.5})
        hpsearch.report({METRIC: 0.6, "step": 7})
        hpsearch.report({METRIC: 0.7}, epoch=np.int64(5))
        assert hpsearch.report({METRIC: 0.8}) is Decision.CONTINUE

    assert [(each[0], each[1]) for each in curve(run(function)[0])] == [(1, 1), (2, 7), (5, 5), (6, 6)]


@pytest.mark.parametrize("returned", [0.25, np.float32(0.25), np.array([0.25]), torch.tensor([[0.25]]), {METRIC: 0.25}])
def test_a_returned_number_is_the_score_of_a_function_that_reports_nothing(returned):
    for decision in Decision:
        messages, result = run(lambda: returned, at(1, decision))
        assert curve(messages) == [(1, 1, {METRIC: 0.25})]
        assert (result.state, result.score) == (TrialState.COMPLETE, None), "it has no epochs, so it is never paused"


def test_a_returned_number_is_the_score_beside_reports():
    def function():
        trains(2)
        return 0.9

    messages, result = run(function)
    assert curve(messages)[-1] == (2, 10, {METRIC: 0.2})
    assert (result.state, result.score) == (TrialState.COMPLETE, 0.9)


def test_a_returned_mapping_is_the_score_and_facts():
    def function():
        trains(2)
        return {METRIC: 0.9, "cost": 3}

    _, result = run(function)
    assert (result.score, result.facts) == (0.9, {"cost": 3.0})


@pytest.mark.parametrize("returned", [math.nan, {METRIC: math.inf}, np.array([np.nan])])
@pytest.mark.parametrize("epochs", [0, 2])
def test_a_score_that_is_not_finite_is_infeasible(returned, epochs):
    def function():
        trains(epochs)
        return returned

    _, result = run(function)
    assert result.state is TrialState.INFEASIBLE and METRIC in result.reason


WRONG = {
    "none": (None, r"the function returned None and reported nothing: return its valid/acc, or call hpsearch\.report"),
    "text": (
        "0.9",
        r"the function returned '0\.9': it must be a number, or numbers by name, such as \{'valid/acc': 0\.9\}",
    ),
    "array": (np.ones(2), r"the function returned array\(\[1\., 1\.\]\): it must be a number, or numbers by name"),
    "list": ([0.9], r"the function returned \[0\.9\]: it must be a number, or numbers by name"),
    "lines": (np.ones((2, 2)), r"the function returned array\(\[\[1\., 1\.\], \[1\., 1\.\]\]\): it must be"),
    "pair": ({METRIC: (0.9, 1)}, r"the function returned 'valid/acc': \(0\.9, 1\): each must be a number"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_score_is_refused_in_one_line(name):
    returned, message = WRONG[name]
    with pytest.raises(ConfigError, match=message) as raised:
        run(lambda: returned)
    assert len(str(raised.value).splitlines()) == 1


REPORTS = {
    "number": ((0.9,), {}, r"hpsearch\.report was given 0\.9: it must be numbers by name"),
    "text": (
        ({METRIC: "good"},),
        {},
        r"hpsearch\.report was given 'valid/acc': 'good': each must be a number, by its name",
    ),
    "epoch": (({METRIC: 0.9},), {"epoch": 1.5}, r"hpsearch\.report: epoch = 1\.5: must be a whole number >= 0"),
    "step": (({METRIC: 0.9},), {"step": -1}, r"hpsearch\.report: step = -1: must be a whole number >= 0"),
    "bool": (({METRIC: 0.9},), {"epoch": True}, r"hpsearch\.report: epoch = True: must be a whole number >= 0"),
    "again": (({METRIC: 0.9},), {"epoch": 4}, r"epoch = 4: epoch 4 was reported before; report epochs in order"),
    "before": (({METRIC: 0.9},), {"epoch": 3}, r"epoch = 3: epoch 4 was reported before"),
}


@pytest.mark.parametrize("name", REPORTS)
def test_what_is_no_report_is_refused_where_it_is_made(name):
    args, options, message = REPORTS[name]

    def function():
        hpsearch.report({METRIC: 0.5}, epoch=4)
        with pytest.raises(ConfigError, match=message):
            hpsearch.report(*args, **options)
        return 0.5

    assert run(function)[1].state is TrialState.COMPLETE


def test_a_stop_is_raised_where_it_reported():
    seen, cleaned = [], []

    def function():
        try:
            trains(5, seen)
        except Exception:
            cleaned.append("never")
        finally:
            cleaned.append("closed")

    messages, result = run(function, at(2, Decision.STOP))
    assert (result.state, result.reason) == (TrialState.PRUNED, "stopped after epoch 2")
    assert messages[-1].epoch == 2 and seen == [1] and cleaned == ["closed"]


def test_a_stop_that_is_not_raised_is_returned():
    told = []

    def function():
        for epoch in range(1, 5):
            told.append(hpsearch.report({METRIC: 0.1}, epoch=epoch, raises=False))
        return 0.9

    messages, result = run(function, at(2, Decision.STOP))
    assert told == ["continue", "stop", "stop", "stop"] and messages[-1].epoch == 2
    assert (result.state, result.score) == (TrialState.PRUNED, None)


def swallow():
    for epoch in range(1, 5):
        with suppress(BaseException):
            hpsearch.report({METRIC: 0.1}, epoch=epoch)
    return 0.9


def fail_while_it_ends():
    try:
        trains(5)
    finally:
        raise KeyError("in its clean-up")


def interrupt_while_it_ends():
    try:
        trains(5)
    finally:
        raise KeyboardInterrupt("in its clean-up")


@pytest.mark.parametrize(
    ("function", "printed"),
    [
        (swallow, ""),
        (fail_while_it_ends, "KeyError: 'in its clean-up'"),
        (interrupt_while_it_ends, "KeyboardInterrupt: in its clean-up"),
    ],
)
def test_once_it_is_told_to_stop_it_is_pruned_whatever_it_does(function, printed, capfd):
    messages, result = run(function, at(2, Decision.STOP))
    assert result.state is TrialState.PRUNED and messages[-1].epoch == 2
    err = capfd.readouterr().err
    assert printed in err and bool(printed) == ("in its clean-up" in err)


def test_it_may_end_itself():
    def function():
        hpsearch.report({METRIC: 0.5})
        raise hpsearch.Stop

    _, result = run(function)
    assert (result.state, result.reason) == (TrialState.PRUNED, "it raised Stop after epoch 1")


def test_its_own_error_is_raised():
    def function():
        hpsearch.report({METRIC: 0.5})
        raise ValueError("of its own")

    with pytest.raises(ValueError, match="of its own"):
        run(function)


def test_a_score_that_is_reported_and_not_finite_ends_it():
    seen = []

    def function():
        for score in (0.5, math.nan, 0.7):
            hpsearch.report({METRIC: score})
            seen.append(score)

    _, result = run(function)
    assert (result.state, result.reason) == (TrialState.INFEASIBLE, "valid/acc is nan after epoch 2") and seen == [0.5]


def test_a_paused_one_goes_on_where_it_reported_with_what_it_had():
    def function():
        torch.set_default_dtype(torch.float64)
        WORD.set("its own")
        for epoch in range(1, 4):
            hpsearch.report({METRIC: torch.rand(()).item(), "bits": torch.zeros(1).itemsize}, epoch=epoch)
            assert WORD.get() == "its own"

    whole, _ = run(function)
    waiting, spec = Waiting(), make_own_spec("here")
    before, result = drive(run_code(begun(function), spec, waiting), at(1, Decision.PAUSE))
    assert result.state is TrialState.PAUSED and WORD.get() == "none"
    assert torch.get_default_dtype() is torch.float32
    run(function)  # another takes its turn
    after, result = drive(run_code(waiting.take("here", 2), spec, waiting))
    assert after[0].epoch == 1 and result.state is TrialState.COMPLETE
    assert curve(before) + curve(after) == curve(whole)


def test_several_wait_in_turn():
    loops = [begun(lambda: trains(3)) for _ in range(3)]
    assert [loop.advance().epoch for _ in range(3) for loop in loops] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert [loop.advance() for loop in loops] == [None] * 3 and [loop.advance() for loop in loops] == [None] * 3


def test_one_inside_another_reports_to_its_own():
    def outer():
        inner = begun(lambda: trains(2))
        hpsearch.report({METRIC: 0.5})
        epochs = [inner.advance().epoch for _ in range(2)]
        hpsearch.report({METRIC: float(sum(epochs))})

    assert [each[2][METRIC] for each in curve(run(outer)[0])] == [0.5, 3.0]


def test_it_can_ask_what_it_cannot_be_given(tmp_path):
    asked = []

    def function():
        asked.append((hpsearch.params(), hpsearch.folder(), hpsearch.checkpoint()))
        return 0.5

    code = OwnFunction(function, METRIC, {"lr": 0.1}, tmp_path, Surroundings(0))
    drive(run_code(code, make_own_spec(), Waiting()))
    assert asked == [({"lr": 0.1}, tmp_path, None)]


def in_thread(function):
    raised = []

    def target():
        try:
            function()
        except Exception as error:
            raised.append(str(error))

    thread = threading.Thread(target=target, name="loader")
    thread.start()
    thread.join()
    return raised


def test_a_report_from_another_thread_is_one_clear_error():
    def function():
        raised = in_thread(lambda: hpsearch.report({METRIC: 0.5}))
        assert raised == [
            "hpsearch.report was called in thread 'loader': call it in the thread of the trial's function"
        ]
        return 0.5

    assert run(function)[1].state is TrialState.COMPLETE


def test_one_that_never_began_is_not_begun_by_its_end():
    called = []
    code = begun(lambda: called.append(1))
    code.stop(Decision.STOP)
    assert called == []


def test_a_generator_is_asked_to_yield(tmp_path):
    def reports():
        with pytest.raises(ConfigError, match=r"hpsearch\.report: this trial's function is a generator"):
            hpsearch.report({METRIC: 0.5})
        yield {METRIC: float(hpsearch.params()["lr"])}

    code = OwnGenerator(reports, METRIC, {"lr": 2}, tmp_path, Surroundings(0))
    messages, _ = drive(run_code(code, make_own_spec(), Waiting()))
    assert curve(messages) == [(1, 1, {METRIC: 2.0})]

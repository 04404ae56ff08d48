"""What people write first and that is not quite it: each works, or the line that is printed says what to write."""

import numpy as np
import pytest
import torch

import hpsearch
from hpsearch import load_trials, run_search
from hpsearch.base.errors import ConfigError
from hpsearch.base.types import TrialState

OPTIONS = {"points": 2, "sampler": "random", "tracker": "none", "name": "study"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def search(function, *words):
    run_search(function, space={"lr": "interval(0, 1)"}, overrides=["launcher=inline", *words], **OPTIONS)
    return load_trials("study")


def yields_an_array_by_name(lr):
    yield {"valid/acc": np.array([lr])}


def reports_a_tensor(lr):
    hpsearch.report({"valid/acc": torch.tensor([[lr]])})


def sets_the_default_device(lr):
    torch.set_default_device("meta")
    hpsearch.report({"valid/acc": lr}, epoch=1)
    assert torch.zeros(1).device.type == "meta"
    return lr


def swallows_exceptions(lr):
    try:
        for epoch in range(1, 4):
            hpsearch.report({"valid/acc": lr}, epoch=epoch)
    except Exception:
        return -1.0


WORKS = [yields_an_array_by_name, reports_a_tensor, sets_the_default_device, swallows_exceptions]


@pytest.mark.parametrize("function", WORKS, ids=lambda function: function.__name__)
def test_it_works(function):
    trials = search(function)
    assert trials["state"].tolist() == [TrialState.COMPLETE] * 2
    assert torch.zeros(1).device.type == "cpu"


def yields_an_array(lr):
    yield np.array([lr])


def yields_a_number(lr):
    yield lr


def returns_none(lr):
    torch.zeros(1)


def returns_a_text(lr):
    return "0.9"


def reports_a_number(lr):
    hpsearch.report(lr)


def reports_twice(lr):
    hpsearch.report({"train/loss": 0.1}, epoch=1)
    hpsearch.report({"valid/acc": 0.1}, epoch=1)


def raises_several_lines(lr):
    raise ValueError("\n  sizes do not match:\n   3 and 4\n")


FAILS = {
    yields_an_array: "the training generator yielded array([",
    yields_a_number: "it must be numbers by name, such as {'valid/acc': 0.9}",
    returns_none: "the function returned None and reported nothing: return its valid/acc, or call hpsearch.report(",
    returns_a_text: "the function returned '0.9': it must be numbers by name",
    reports_a_number: "it must be numbers by name, such as {'valid/acc': 0.9}",
    reports_twice: "epoch 1 was reported before; report epochs in order, each once and with all that was measured",
    raises_several_lines: "ValueError: sizes do not match:",
}


@pytest.mark.parametrize("function", FAILS, ids=lambda function: function.__name__)
def test_the_line_says_what_to_write(function):
    trials = search(function, "launcher.retries=0")
    assert trials["state"].tolist() == [TrialState.FAILED] * 2
    for reason in trials["reason"]:
        assert FAILS[function] in reason and len(reason.splitlines()) == 1


def test_a_misspelt_argument_is_refused_with_the_nearest():
    def trains(learning_rate):
        return learning_rate

    with pytest.raises(ConfigError, match="takes no such argument"):
        search(trains)

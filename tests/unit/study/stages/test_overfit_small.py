"""Why a small sample is not learnt: the model, its optimization, or labels that contradict each other."""

import math

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.study.stages.common import Fault
from hpsearch.study.stages.overfit_small import OverfitSmall, compared


def run(loss, rate=0.1, diverged=False):
    return {"rate": rate, "final": loss, "accuracy": 0.5, "losses": [loss], "fitted": False, "diverged": diverged}


def inside(*forms, convex=False, contradicting=0):
    known = [{"words": words, "loss": loss, "fitted": fitted} for words, loss, fitted in forms]
    return {"forms": known, "convex": convex, "contradicting": contradicting, "passes": 1.0}


FOUND = {"runs": [run(2.0), run(1.0, 1.0)], "samples": 32, "guess": 2.0}
SMALL = Fault("model too small", "of 32 samples 50% right", "widen or deepen the model")
FLAT = Fault("bad initialization", "the loss stays flat", "try init=he_normal")


@pytest.mark.parametrize(
    ("fault", "models", "cause", "said"),
    [
        (SMALL, inside(("one linear layer", 0.01, True)), "optimization failure", "one linear layer, which the model"),
        (
            SMALL,
            inside(("model.hidden=[8]", 0.8, False)),
            "optimization failure",
            "reaches 0.8: it is",
        ),
        (SMALL, inside(("model.hidden=[8]", 0.95, False)), "model too small", "model.hidden=[8] (0.95), which it"),
        (SMALL, inside(("a", 1.4, False), ("b", math.inf, False)), "model too small", "a (1.4) and b (inf), which it"),
        (FLAT, inside(("one linear layer", 0.01, True)), "bad initialization", "it is the optimization that fails"),
        (SMALL, inside(("a", 1.4, False), contradicting=4), "contradicting labels", "4 of the sample have the inputs"),
        (SMALL, inside(("a", 0.0, True), contradicting=4), "optimization failure", "a, which the model contains"),
        (FLAT, inside(convex=True), "model too small", "it is linear"),
        (SMALL, inside(), "model too small", "no shallower model is known that it contains"),
        (FLAT, inside(), "bad initialization", "no shallower model is known that it contains"),
    ],
)
def test_a_lower_loss_of_a_contained_model_is_a_failure_of_the_optimization(fault, models, cause, said):
    found = compared(fault, FOUND, models, 0.05)
    assert found.cause == cause
    assert said in found.sentence and found.action


def test_where_all_rates_diverge_any_contained_model_that_trains_is_better():
    diverged = {**FOUND, "runs": [run(math.inf, diverged=True)]}
    assert "it is the optimization" in compared(FLAT, diverged, inside(("a", 1.9, False)), 0.05).sentence
    assert compared(FLAT, diverged, inside(convex=True), 0.05).cause == "bad initialization"


@pytest.mark.parametrize(("options", "said"), [({"contained": 1}, "contained = 1"), ({"lower": 0}, "lower = 0")])
def test_its_options_are_checked(options, said):
    with pytest.raises(ConfigError, match=said):
        OverfitSmall(**options)

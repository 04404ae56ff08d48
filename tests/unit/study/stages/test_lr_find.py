import json
import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.config.compose import compose
from hpsearch.study.run_stages import from_dict, to_dict
from hpsearch.study.stages.base import Verdict
from hpsearch.study.stages.lr_find import LrFind
from hpsearch.trial.measure import measure


@dataclass
class Fake:
    """A context whose worker answers with curves of a formula of (seed, weight decay, log10 lr)."""

    loss: object
    asked: list = field(default_factory=list)

    def config(self, params=None, seed=4):
        return {"seed": seed, **(params or {})}

    def measure(self, name, config, **options):
        self.asked.append((name, config, options))
        seed, decay = config["seed"], config.get("optimizer.weight_decay")
        if name == "fixed_rate_probe":
            rates = options["rates"]
            losses = tuple(float(self.loss(seed, decay, math.log10(rate))) for rate in rates)
            return {"rates": rates, "losses": losses, "diverged": (0,) * len(rates), "untrained": 2.303, "passes": 2.0}
        rates = np.geomspace(options["low"], options["high"], options["steps"]).tolist()
        losses = [float(self.loss(seed, decay, math.log10(rate))) for rate in rates]
        return {"rates": rates, "losses": losses, "passes": 0.5}


@dataclass
class Real:
    """A context that trains in this process."""

    words: tuple

    def config(self, params=None, seed=0):
        return compose(self.words).trial(params or {}, seed, 0).config

    def measure(self, name, config, **options):
        return measure(name, config, **options)


def falls(seed, decay, x, at=-2.5, drop=1.3, edge=-0.1):
    wiggle = 0.01 * math.sin(40 * x + 3 * seed)
    return math.inf if x > edge else 2.303 - drop / (1 + math.exp(-(x - at) / 0.3)) + wiggle


def shown(finding):
    assert from_dict(json.loads(json.dumps(to_dict(finding), allow_nan=False))) == finding
    return finding


def test_it_hands_on_a_range_and_a_rate_within_it():
    context = Fake(falls)
    finding = shown(LrFind().run(context))
    low, high = finding.handed["lr_range"]
    assert finding.verdict is Verdict.PASS
    assert math.log10(low) == pytest.approx(-3.5, abs=0.3)
    assert math.log10(high) == pytest.approx(-0.125)
    assert low == pytest.approx(finding.handed["lr"] / 10)
    assert [config["seed"] for _, config, _ in context.asked] == [4, 5, 6]
    assert finding.numbers["passes"] == 6
    assert f"from {low:.2g} to {high:.2g}" in finding.sentence


def test_the_series_hold_the_curves_with_none_for_what_diverged():
    (curve,) = LrFind().run(Fake(falls)).series["curves"]
    assert len(curve["rates"]) == 25
    assert [len(repeat) for repeat in curve["losses"]] == [25] * 3
    assert curve["losses"][0][-1] is None
    assert len(curve["fit"]) == len(curve["fit_rates"]) == 20
    assert curve["low"] < curve["steepest"] < curve["argmin"] < curve["edge"]


def test_rates_are_evenly_spaced_and_hold_both_ends():
    rates = LrFind(low=1e-3, high=1.0, per_decade=4).rates
    assert rates == pytest.approx(10 ** np.linspace(-3, 0, 13))


REFUSALS = {
    "fails everywhere": lambda seed, decay, x: math.inf,
    "the loss does not fall": lambda seed, decay, x: 2.303 + 0.05 * math.sin(40 * x + 2 * seed),
    "repeats disagree": lambda seed, decay, x: falls(seed, decay, x, at=-3.5 + seed - 4),
}


@pytest.mark.parametrize("cause", REFUSALS)
@pytest.mark.parametrize("method", ["probe", "range_test"])
def test_poor_evidence_is_refused_with_its_reason(cause, method):
    finding = shown(LrFind(method=method).run(Fake(REFUSALS[cause])))
    assert (finding.verdict, finding.cause) == (Verdict.FAIL, cause)
    assert "lr_range" not in finding.handed
    assert "stages.lr_find." in finding.action


def test_a_rule_without_enough_points_is_refused():
    finding = LrFind(rule="slide").run(Fake(falls))
    assert finding.cause == "too few points for the rule"
    assert LrFind(rule="slide", per_decade=20).run(Fake(falls)).verdict is Verdict.PASS


WARNINGS = {
    "no rate fails": ({}, lambda seed, decay, x: falls(seed, decay, x, edge=9)),
    "steepest at the lowest rates": ({"low": 1e-2}, lambda seed, decay, x: falls(seed, decay, x, at=-2)),
}


@pytest.mark.parametrize("cause", WARNINGS)
def test_a_range_that_the_rates_cut_off_is_a_warning(cause):
    options, loss = WARNINGS[cause]
    finding = shown(LrFind(**options).run(Fake(loss)))
    assert (finding.verdict, finding.cause) == (Verdict.WARN, cause)
    assert "lr_range" in finding.handed


def test_a_range_test_reads_its_own_steps():
    context = Fake(falls)
    finding = shown(LrFind(method="range_test", steps=200, initializations=2).run(context))
    assert finding.verdict is Verdict.PASS
    assert math.log10(finding.handed["lr"]) == pytest.approx(-2.5, abs=0.3)
    assert context.asked[0][0] == "range_test"


def test_weight_decays_are_compared_and_the_range_holds_all_of_them():
    def loss(seed, decay, x):
        return falls(seed, decay, x, at=-2.5 + 500 * decay, drop=1.3 if decay else 1.0, edge=-0.1 - 400 * decay)

    decays = (0.0, 1e-3)
    finding = shown(LrFind(weight_decays=decays).run(Fake(loss)))
    assert finding.handed["lr"] > 10 * finding.handed["lr_range"][0]
    each = [LrFind(weight_decays=[decay]).run(Fake(loss)).handed["lr_range"] for decay in decays]
    assert finding.handed["lr_range"] == [min(low for low, _ in each), max(high for _, high in each)]
    assert [curve["weight_decay"] for curve in finding.series["curves"]] == list(decays)
    assert "optimizer.weight_decay=0.001, the best of 2" in finding.sentence
    assert finding.numbers["drop[optimizer.weight_decay=0]"] < finding.numbers["drop[optimizer.weight_decay=0.001]"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "prob"}, "stages.lr_find.method = 'prob': must be one of probe, range_test, did you mean 'probe'?"),
        ({"rule": "vally"}, "did you mean 'valley'"),
        ({"low": 0}, "stages.lr_find.low = 0: must be a number in (0, inf)"),
        ({"low": 1.0, "high": 2.0}, "stages.lr_find.high = 2: must be at least ten times low = 1"),
        ({"per_decade": 1}, "stages.lr_find.per_decade = 1: must be a whole number >= 2"),
        ({"steps": 5}, "stages.lr_find.steps = 5: must be a whole number >= 10"),
        ({"initializations": 0}, "stages.lr_find.initializations = 0"),
        ({"weight_decays": []}, "stages.lr_find.weight_decays = []: must be a list of numbers"),
        ({"weight_decays": 0.1}, "stages.lr_find.weight_decays = 0.1: must be a list of numbers"),
        ({"weight_decays": [-1]}, "stages.lr_find.weight_decays = -1: must be a number in [0, inf)"),
    ],
)
def test_bad_options_are_refused_in_one_line(options, message):
    with pytest.raises(ConfigError) as caught:
        LrFind(**options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", ["probe", "range_test"])
def test_it_finds_the_rates_of_a_real_model(method):
    stage = LrFind(method=method, low=1e-3, high=100, per_decade=2, steps=40, initializations=2)
    finding = shown(stage.run(Real(("data=digits", "model=softmax", "optimizer=sgd", "data.batch_size=64"))))
    low, high = finding.handed["lr_range"]
    assert low < 0.1 < high

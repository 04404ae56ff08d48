import math

import numpy as np
import pytest

from hpsearch.reports.diagnosis.history import history, jumps, noise, places, slope, smoothed
from hpsearch.reports.diagnosis.rules import ADVICE, Label, diagnose

T = np.arange(1, 21) / 20
U = 2.3


def run(train, valid=None, **fields):
    train = U * np.asarray(train, float)
    valid = train if valid is None else U * np.asarray(valid, float)
    return history({"train": train, "valid": valid, "untrained": U, **fields})


def labels(*args, **fields):
    return {each.label for each in diagnose(run(*args, **fields))}


def fall(floor=0.0, constants=10):
    return floor + (1 - floor) * np.exp(-constants * T)


def zigzag(size):
    return size * (1 + (-1.0) ** np.arange(20))


def rows(gradients, dead=0.0, loss=1.0, count=3, saturated=None):
    names = [f"l{i}" for i in range(len(gradients))]
    row = {
        "epoch": 1,
        "step": 1,
        "loss": loss,
        "gradient": dict(zip(names, gradients, strict=True)),
        "weight": dict.fromkeys(names, 1.0),
        "outputs": {"act": {"mean": 0.0, "sd": 1.0, "dead": dead, "saturated": saturated}},
    }
    return [row] * count


SHOWN = {
    "sound": ({"train": fall()}, set()),
    "jumps": ({"train": fall() + zigzag(0.05)}, {Label.TOO_HIGH}),
    "small jumps": ({"train": fall() + zigzag(0.002)}, set()),
    "thrown back": ({"train": np.where(T > 0.5, 0.4, fall())}, {Label.TOO_HIGH}),
    "worse than nothing": ({"train": np.where(T < 0.06, 1.5, fall())}, {Label.TOO_HIGH}),
    "straight": ({"train": 1 - 0.4 * T}, {Label.TOO_LOW, Label.STILL_IMPROVING}),
    "frozen": ({"train": np.ones(20), "update_ratio": [1e-7] * 20}, {Label.TOO_LOW, Label.UPDATE_RATIO}),
    "never falls": ({"train": np.ones(20)}, {Label.PLATEAU}),
    "late": ({"train": np.where(T < 0.5, 0.9, 0.9 * np.exp(-12 * (T - 0.5)))}, {Label.PLATEAU}),
    "converged": ({"train": np.where(T < 0.3, 1 - 3 * T, 0.05)}, set()),
    "cut short": ({"train": fall(constants=2.5), "valid": fall(constants=2.5)}, {Label.STILL_IMPROVING}),
    "underfits": ({"train": fall(0.4)}, {Label.UNDERFITTING}),
    "biased": ({"train": fall(0.4), "twin": U * fall(0.45)}, {Label.UNDERFITTING, Label.MODEL_BIAS}),
    "worse than its twin": (
        {"train": fall(0.4), "twin": U * fall(0.2)},
        {Label.UNDERFITTING, Label.OPTIMIZATION_FAILURE},
    ),
    "sound, better twin": ({"train": fall(0.05), "twin": U * fall(0.0)}, set()),
    "rises": ({"train": fall(), "valid": fall() + 0.3 * np.clip(T - 0.4, 0, None)}, {Label.OVERFITTING}),
    "left behind": ({"train": fall(constants=8), "valid": fall(0.3, 8)}, {Label.OVERFITTING}),
    "another distribution": ({"train": fall(), "valid": 1 - 0.2 * (1 - fall())}, {Label.MISMATCH}),
    "not finite": ({"train": [1.0, math.nan]}, {Label.DIVERGED}),
    "ended": ({"train": [], "valid": [], "diverged": "diverged at step 2: loss inf"}, {Label.DIVERGED}),
    "grows": ({"train": 1 + 3 * T}, {Label.DIVERGED}),
    "grows at the end": ({"train": [*fall()[:-3], 0.4, 1.5, 4.5]}, {Label.DIVERGED}),
    "sound layers": ({"train": fall(), "layers": rows([0.5, 2, 1, 1])}, set()),
    "vanishing": ({"train": fall(), "layers": rows([1e-5, 1e-2, 1])}, {Label.VANISHING}),
    "exploding": ({"train": fall(), "layers": rows([2e3, 2e3, 2e3])}, {Label.EXPLODING}),
    "exploding to the input": ({"train": fall(), "layers": rows([5, 1e-2, 1e-3])}, {Label.EXPLODING}),
    "large targets": ({"train": fall(), "layers": rows([2e3, 2e3, 2e3], loss=1e3), "unit": 1e3}, set()),
    "no gradient at all": ({"train": fall(), "layers": rows([0.0, 0.0])}, set()),
    "infinite gradient": ({"train": fall(), "layers": rows([None, 1.0])}, {Label.EXPLODING}),
    "dead": ({"train": fall(), "layers": rows([1, 1], dead=0.6)}, {Label.DEAD}),
    "saturated": ({"train": fall(), "layers": rows([1, 1], saturated=0.9)}, {Label.SATURATED}),
    "few saturated": ({"train": fall(), "layers": rows([1, 1], saturated=0.55)}, set()),
    "few dead": ({"train": fall(), "layers": rows([1, 1], dead=0.2)}, set()),
    "usual ratio": ({"train": fall(), "update_ratio": [3e-3] * 20}, set()),
    "large ratio": ({"train": fall(), "update_ratio": [0.2] * 20}, {Label.UPDATE_RATIO}),
    "small ratio": ({"train": fall(), "update_ratio": [1e-6] * 20}, {Label.UPDATE_RATIO}),
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_curve_shows_what_it_was_made_to_show(name):
    fields, wanted = SHOWN[name]
    assert labels(**fields) == wanted


def test_every_label_is_shown_by_some_curve_and_has_advice():
    assert set().union(*(wanted for _, wanted in SHOWN.values())) == set(Label) == set(ADVICE)


def test_the_unit_of_the_loss_does_not_matter():
    for fields, wanted in SHOWN.values():
        scaled = {
            key: 7.0 * np.asarray(value) if key in ("train", "valid", "twin") else value
            for key, value in fields.items()
        }
        made = history(
            {"valid": U * np.asarray(scaled["train"]), **scaled, "untrained": 7.0 * U}
            | {key: U * scaled[key] for key in ("train", "valid") if key in scaled}
        )
        assert {each.label for each in diagnose(made)} == wanted


def test_noise_hides_what_it_could_have_made():
    draws = np.random.default_rng(0)
    found = [labels(fall(0.05) + draws.normal(0, 0.003, 20), fall(0.08) + draws.normal(0, 0.02, 20)) for _ in range(50)]
    assert sum(map(len, found)) <= 2


def test_a_short_run_shows_only_what_layers_say():
    assert labels([0.9, 0.8, 0.7]) == set()
    assert labels([0.9, 0.8, 0.7], layers=rows([1e-6, 1])) == {Label.VANISHING}


def test_a_start_that_the_run_recovers_from_does_not_count():
    assert labels(fall(), layers=[*rows([1e-6, 1], count=1), *rows([1, 1], count=2)]) == set()


def test_the_evidence_holds_the_numbers():
    found = {each.label: each for each in diagnose(run(fall(), fall() + 0.3 * np.clip(T - 0.4, 0, None)))}
    assert "rises from" in found[Label.OVERFITTING].evidence
    assert "regulariz" in found[Label.OVERFITTING].advice


@pytest.mark.parametrize("n", [50, 500])
def test_noise_of_a_bent_curve_is_its_noise(n):
    draws = np.random.default_rng(1)
    bent = np.exp(-5 * np.arange(n) / n)
    estimates = [noise(bent + draws.normal(0, 0.05, n)) for _ in range(40)]
    assert np.median(estimates) == pytest.approx(0.05, rel=0.15)
    assert noise(bent) < 0.002


def test_jumps_are_those_of_the_noise_and_a_fall_has_none():
    draws = np.random.default_rng(2)
    assert jumps(1 + draws.normal(0, 0.1, 20000)) == pytest.approx(0.1, rel=0.02)
    assert jumps(np.array([9.0, 4, 1, 0.1, 0])) == 0
    assert jumps(np.array([1.0, 2])) == 0


def test_slope_is_that_of_least_squares():
    y = np.array([1.0, 3.0, 2.0, 5.0])
    assert slope(y) == pytest.approx(np.polyfit(range(4), y, 1)[0])
    assert slope([1.0]) == 0


def test_a_curve_with_epochs_missing_is_read_by_its_epochs():
    epochs = np.array([*range(1, 10), *range(21, 41)])
    line = 3.0 - 0.05 * epochs
    x = places(epochs.astype(float))
    assert smoothed(line, x) == pytest.approx(line)
    assert slope(line, x) == pytest.approx(-0.05)
    assert noise(line, x) == pytest.approx(0, abs=1e-12)
    every_third = places(3.0 * np.arange(1, 30))
    assert slope(line[:29], every_third) == pytest.approx(slope(line[:29]))
    draws = np.random.default_rng(3)
    estimates = [noise(line + draws.normal(0, 0.05, len(line)), x) for _ in range(60)]
    assert np.median(estimates) == pytest.approx(0.05, rel=0.15)


def test_a_gap_is_no_standstill_and_no_jump():
    epochs = [*range(1, 10), *range(31, 61)]
    falls = [float(np.exp(-epoch / 20)) * 2.3 for epoch in epochs]
    fields = {"train": falls, "valid": falls, "untrained": 2.3, "numbers": epochs}
    whole = [float(np.exp(-epoch / 20)) * 2.3 for epoch in range(1, 61)]
    complete = {"train": whole, "valid": whole, "untrained": 2.3}
    found, expected = ({each.label for each in diagnose(history(one))} for one in (fields, complete))
    assert found == expected
    (evidence,) = (e.evidence for e in diagnose(history(fields)) if e.label is Label.STILL_IMPROVING)
    assert "in the last 15 epochs" in evidence


def test_the_last_epochs_are_counted_by_their_numbers():
    numbers = [1, 2, 3, 4, 5, 6, 7, 20, 30, 40]
    falling = [2.0 - 0.04 * number for number in numbers]
    told = diagnose(history({"train": falling, "valid": falling, "untrained": 2.3, "numbers": numbers}))
    (evidence,) = (each.evidence for each in told if each.label is Label.STILL_IMPROVING)
    assert evidence.startswith("the validation loss falls by 0.8 in the last 20 epochs")

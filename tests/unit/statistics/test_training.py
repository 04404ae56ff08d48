import math

import numpy as np
import pytest

from hpsearch.statistics.training import Course, at_chance, dead, has_stopped, verdicts

ENTROPY = math.log(10)


def classifier(loss, accuracy, first=2.31, epochs=20, **more):
    """A run of ten even classes whose training loss falls to `loss`."""
    losses = tuple((loss + (first - loss) * np.exp(-np.arange(epochs) / 3)).tolist())
    known = {
        "losses": losses, "first": first, "valid": loss, "untrained": first, "accuracy": accuracy,
        "untrained_accuracy": 0.12, "constant": ENTROPY, "constant_valid": ENTROPY, "constant_accuracy": 0.1,
        "samples": 1000.0, "path": 10.0,
    }  # fmt: skip
    return Course(**{**known, **more})


def regression(loss, first=1.4, **more):
    """A run on targets of variance 1."""
    known = {"losses": (first, loss, loss), "first": first, "valid": loss, "constant": 1.0, "constant_valid": 1.0}
    return Course(**{**known, "samples": 1000.0, "path": 10.0, **more})


CHANCE = {
    "constant": (classifier(ENTROPY, 0.1), True),
    "blown_up": (classifier(3.68, 0.0945), True),
    "random": (classifier(2.303, 0.13), True),
    "untrained": (classifier(2.30, 0.2, untrained_accuracy=0.2), True),
    "trained": (classifier(0.3, 0.9), False),
    "slow": (classifier(2.2, 0.16), False),
    "overconfident": (classifier(2.6, 0.5), False),
    "memorized": (classifier(0.01, 0.1, valid=5.0), False),
    "died_in_the_last_epoch": (classifier(0.3, 0.1, valid=2.4, losses=(1.0, 0.6, 1.3)), True),
    "rare_class": (
        classifier(0.03, 0.99, constant=0.056, constant_valid=0.056, constant_accuracy=0.99, untrained_accuracy=0.5),
        False,
    ),
    "rare_class_dead": (
        classifier(0.0561, 0.99, constant=0.056, constant_valid=0.056, constant_accuracy=0.99, untrained_accuracy=0.5),
        True,
    ),
    "large_start": (classifier(ENTROPY, 0.1, first=8.0), True),
    "pretrained_destroyed": (classifier(2.31, 0.1, first=0.4, untrained_accuracy=0.85), True),
    "pretrained_kept": (classifier(0.4, 0.85, first=0.4, untrained_accuracy=0.85), False),
    "mean": (regression(1.0), True),
    "worse_than_the_mean": (regression(1.7), True),
    "weak_signal": (regression(0.95), False),
    "lucky_part": (regression(1.0, valid=0.95, samples=100.0), True),
    "good": (regression(0.1), False),
    "unknown": (Course(losses=(1.0, 0.5)), None),
    "diverged": (Course(diverged=True), None),
}


@pytest.mark.parametrize(("run", "expected"), CHANCE.values(), ids=CHANCE)
def test_at_chance_is_what_a_constant_prediction_does(run, expected):
    assert at_chance(run) is expected


def test_float_noise_is_no_knowledge():
    assert at_chance(classifier(ENTROPY, 0.1 + 1e-12, untrained_accuracy=0.1, samples=math.inf))
    assert at_chance(regression(1.0 - 1e-12))


def test_without_a_constant_a_seed_is_dead_beside_others_that_learn():
    bare = [Course(losses=(2.3, last), first=2.3) for last in (0.4, 2.3, 2.29, 0.6)]
    assert dead(bare) == (False, True, True, False)
    assert dead(bare[1:3]) == (False, False)  # slow for all, or as good as it gets
    assert dead([Course(losses=(1.05, last), first=1.05) for last in (1.03, 1.032)]) == (False, False)
    assert dead([Course(diverged=True), bare[0]]) == (False, False)


def swept(*of_rate):
    """Runs of rates 0, 1, 2, ..., each with its list of runs; the words of each rate."""
    runs = {(rate, seed): run for rate, group in enumerate(of_rate) for seed, run in enumerate(group)}
    words = verdicts(runs, {key: float(key[0]) for key in runs})
    return [[words[rate, seed] for seed in range(len(group))] for rate, group in enumerate(of_rate)]


SLOW, TRAINS, FAILS = "too slow", "trains", "fails"
DEAD, UNMOVED = classifier(ENTROPY, 0.1), classifier(2.30, 0.1, path=0.01)
GOOD, WORSE = classifier(0.2, 0.93), classifier(1.9, 0.4)


def test_three_words_along_a_rate():
    found = swept([UNMOVED] * 2, [WORSE] * 2, [GOOD] * 2, [GOOD, DEAD], [WORSE] * 2, [DEAD, Course(diverged=True)])
    assert found == [
        [SLOW] * 2, [SLOW] * 2, [TRAINS] * 2, [TRAINS, FAILS], [FAILS] * 2, [FAILS] * 2,
    ]  # fmt: skip


def test_chance_fails_below_any_rate_that_trains_only_where_weights_moved_and_the_loss_stopped():
    assert swept([UNMOVED], [GOOD]) == [[SLOW], [TRAINS]]
    assert swept([DEAD], [GOOD]) == [[FAILS], [TRAINS]]
    falling = classifier(2.28, 0.1, losses=tuple(np.linspace(2.4, 2.28, 20).tolist()))
    assert swept([falling], [GOOD]) == [[SLOW], [TRAINS]]
    assert swept([UNMOVED], [DEAD]) == [[SLOW], [FAILS]]
    assert swept([UNMOVED], [GOOD, UNMOVED]) == [[SLOW], [TRAINS, FAILS]]


def test_a_diverged_half_makes_no_rate_that_trains():
    found = swept([GOOD, Course(diverged=True), Course(diverged=True)], [UNMOVED] * 3, [GOOD] * 3)
    assert found[1] == [SLOW] * 3


FLOORS = {  # what knowing nothing costs, the least loss there is
    "noisy_targets": ({"constant": 1.0, "constant_valid": 1.0}, 1.3, 0.8),
    "smoothed_labels": ({"constant": 2.303, "constant_valid": 2.303}, 2.31, 1.35),
    "mixed": ({"constant": 2.303, "constant_valid": 2.303}, 2.31, 1.7),
    "pretrained": ({"constant": 2.303, "constant_valid": 2.303}, 0.5, 0.3),
    "of_ones_own": ({}, 1.05, 1.03),
}


@pytest.mark.parametrize(("known", "first", "floor"), FLOORS.values(), ids=FLOORS)
def test_half_of_the_possible_fall_trains_where_half_of_the_first_loss_cannot_be_reached(known, first, floor):
    level = min(first, known.get("constant", first))

    def run(share):
        last = level - share * (level - floor)
        return Course(losses=(first, last, last), first=first, valid=last, untrained=first, samples=1e4, **known)

    found = swept(*([run(share)] for share in (0.05, 0.45, 0.55, 1.0, 0.9, 0.4)))
    assert found == [[SLOW], [SLOW], [TRAINS], [TRAINS], [TRAINS], [FAILS]]


def test_nothing_trains_where_no_rate_lowers_the_loss():
    assert swept([UNMOVED], [UNMOVED], [Course(diverged=True)]) == [[SLOW], [SLOW], [FAILS]]
    assert swept([Course()], [GOOD]) == [[None], [TRAINS]]


@pytest.mark.parametrize(("decay", "stopped"), [(0.0, True), (1e-4, True), (0.01, False), (-0.05, True)])
def test_a_curve_has_stopped(decay, stopped):
    noise = 1e-3 * np.random.default_rng(0).normal(size=20)
    assert has_stopped((2.3 - decay * np.arange(20) + noise).tolist()) is stopped
    assert not has_stopped([2.3, 2.3, 2.3])


def test_a_curve_with_epochs_missing_has_stopped_by_its_epochs():
    losses = [2.0, 1.5, 1.0, 0.999, 0.993, 0.992]
    assert has_stopped(losses) and has_stopped(losses, (1, 2, 3, 4, 5, 6))
    late = [1.01, 1.0, 0.995, 0.5 + 0.4]
    assert not has_stopped(late) and not has_stopped(late, (1, 2, 3, 100))
    bent = [3.0, 2.0, 1.01, 1.0, 1.0, 0.99]  # its last half falls by .01 in 100 epochs, or in 2
    assert has_stopped(bent, (1, 2, 3, 4, 103, 104)) and not has_stopped(bent)
    assert Course(losses=(1.0,), epochs=(7.0,)).last == 1.0

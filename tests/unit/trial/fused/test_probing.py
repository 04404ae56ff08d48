"""A trial at several rates as one program, beside one after the other."""

import math

import pytest

from hpsearch.trial.fused import probing
from hpsearch.trial.fused.probing import losses_together, pays
from hpsearch.trial.measure import probe
from hpsearch.trial.measure.probe import fixed_rate_probe, restored
from hpsearch.trial.updates import take_steps
from tests.support.fused import DIGITS, make
from tests.support.jobs import same_weights, weights

RATES = (0.0, 1e-3, 1e-2, 1e-1)
WORDS = {
    "momentum and penalty": ("optimizer=momentum", "regularizer=l2", "model.dropout=0.3"),
    "Adam, clipped": ("optimizer=adam", "trainer.clip_norm=0.1"),
    "augmented and mixed": ("optimizer=sgd", "augment=crop", "regularizer=mixup"),
    "batch norm": ("optimizer=sgd", "model.norm=batch"),
}


def one_by_one(job, rates, steps):
    for rate in rates:
        with restored(job):
            yield take_steps(job, [rate] * steps, lambda _: False)


@pytest.mark.parametrize("kind", WORDS)
def test_the_losses_are_those_of_one_run_after_the_other(kind, tmp_path):
    job, again = (make((*DIGITS, *WORDS[kind]), tmp_path) for _ in range(2))
    before = weights(job)
    found = losses_together(job, RATES, 15)
    for ours, theirs in zip(found, one_by_one(again, RATES, 15), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)
    assert same_weights(before, weights(job))


def test_a_probe_gives_the_same_either_way(tmp_path, monkeypatch):
    job = make((*DIGITS, "optimizer=sgd"), tmp_path)
    rates = (1e-2, 1e-1, 1e3, 1e4, 1e5)
    together = fixed_rate_probe(job, rates, 15)
    monkeypatch.setattr(probe, "pays", lambda _: False)
    alone = fixed_rate_probe(job, rates, 15)
    assert (together.diverged, together.passes) == (alone.diverged, alone.passes)
    assert together.diverged[-1] is None and 0 < together.diverged[2] < 15
    assert together.losses == pytest.approx(alone.losses, rel=1e-9)
    assert together.untrained == pytest.approx(alone.untrained, rel=1e-9)


def test_a_small_network_is_probed_as_one_program(tmp_path, monkeypatch):
    job = make((*DIGITS, "optimizer=sgd"), tmp_path, double=False)
    calls = []
    monkeypatch.setattr(probe, "losses_together", lambda *args: calls.append(args))  # memory does not suffice
    assert all(map(math.isfinite, fixed_rate_probe(job, RATES[1:], 5).losses))
    assert [args[1:] for args in calls] == [(RATES, 5)]


def test_what_does_not_pay(tmp_path, monkeypatch):
    assert pays(make(DIGITS, tmp_path))
    assert not pays(make((*DIGITS, "regularizer=ema"), tmp_path)), "has no fused form"
    assert not pays(make((*DIGITS, "model=small_conv"), tmp_path)), "convolves"
    monkeypatch.setattr(probing, "SMALL", 1000)
    assert not pays(make(DIGITS, tmp_path)), "is large"

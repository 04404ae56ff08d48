"""Labelled synthetic training curves, noise included: two families that share no shape, no noise and no parameters.

``exponential`` is the one that the thresholds of `hpsearch.reports.diagnosis.rules` were set on: exponential falls,
Gaussian noise. ``mixed`` was written from the sentences that define the labels and is only measured on: power laws,
logistic and piecewise linear curves, correlated noise with heavy tails, other losses, lengths and faults. A case holds
the labels that are true by definition and those that the definition leaves open for it, which count neither way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.reports.diagnosis.history import History, history
from hpsearch.reports.diagnosis.rules import Label

Rng = np.random.Generator
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A run, the labels that it shows and those that its definition leaves open."""

    kind: str
    run: History
    labels: frozenset[Label]
    open: frozenset[Label] = frozenset()


@dataclass
class Draft:
    """A run without its noise; losses in units of the untrained loss."""

    train: Array
    valid: Array
    labels: set[Label]
    fields: dict[str, Any]
    open: set[Label]


def draft(train: Array, valid: Array, *labels: Label, open: tuple[Label, ...] = (), **fields: Any) -> Draft:
    """Return a draft."""
    return Draft(np.asarray(train, float), np.asarray(valid, float), set(labels), fields, set(open))


def judge_improving(made: Draft, sd: float) -> None:
    """Add "still improving" where the clean curve says so.

    It is left open within a factor of two, where the fall is hidden in noise of so much, and where updates throw the
    losses about.
    """
    valid = made.valid
    start = len(valid) - max(2, round(len(valid) / 4))
    fall, whole = valid[start - 1] - valid[-1], 1 - valid[-1]
    share = fall / whole if whole > 0 else 0.0
    if Label.DIVERGED in made.labels or share < 0.025:
        return
    clear = share > 0.1 and fall > 5 * sd and Label.TOO_HIGH not in made.labels
    (made.labels if clear else made.open).add(Label.STILL_IMPROVING)


def layers(rng: Rng, depth: int, spread: float, change: Callable[[int, int], float], dead: float) -> list[dict]:
    """Return rows of ``layers.json``: |g||w| of each layer over the loss is about 3, times `change`(layer, row)."""
    rows = []
    for number in range(4):
        elasticity = [3 * np.exp(rng.normal(0, spread)) * change(layer, number) for layer in range(depth)]
        weight = np.exp(rng.normal(1, 0.5, depth))
        gradient = {f"l{i}": float(e / w) for i, (e, w) in enumerate(zip(elasticity, weight, strict=True))}
        outputs = {f"a{i}": {"mean": 0.1, "sd": 1.0, "dead": float(rng.uniform(0, 0.2))} for i in range(depth - 1)}
        outputs["a0"]["dead"] = dead
        rows.append({
            "epoch": 2**number,
            "step": 1,
            "loss": 1.0,
            "gradient": gradient,
            "weight": {f"l{i}": float(w) for i, w in enumerate(weight)},
            "outputs": outputs,
        })
    return rows


# The family the thresholds were set on.


def exp_fall(epochs: int, constants: float, floor: float) -> Array:
    """Return an exponential fall from 1 to a floor, which takes `constants` time constants."""
    t = np.arange(1, epochs + 1) / epochs
    return floor + (1 - floor) * np.exp(-constants * t)


def _healthy(rng: Rng, n: int) -> tuple[Array, Array]:
    floor = rng.uniform(0, 0.08)
    train = exp_fall(n, rng.uniform(6, 15), floor)
    return train, exp_fall(n, rng.uniform(6, 15), floor + rng.uniform(0, 0.06))


def _exp_jitter(rng: Rng, n: int) -> Draft:
    train, valid = _healthy(rng, n)
    size = rng.uniform(0.05, 0.2)
    return draft(train + size * np.abs(rng.normal(size=n)), valid + size * np.abs(rng.normal(size=n)), Label.TOO_HIGH)


def _exp_back(rng: Rng, n: int) -> Draft:
    train, valid = _healthy(rng, n)
    back = rng.uniform(0.25, 0.7) * np.clip((np.arange(n) / n - 0.5) / 0.3, 0, 1)
    return draft(train + back, valid + back, Label.TOO_HIGH, open=(Label.UNDERFITTING, Label.PLATEAU))


def _exp_low(rng: Rng, n: int) -> Draft:
    constants = rng.uniform(0.1, 0.7)
    return draft(exp_fall(n, constants, 0.0), exp_fall(n, constants, 0.01), Label.TOO_LOW)


def _exp_plateau(rng: Rng, n: int) -> Draft:
    train, valid = _healthy(rng, n)
    level, start, length = rng.uniform(0.3, 0.95), rng.uniform(0, 0.2), rng.uniform(0.32, 0.5)
    t = np.arange(n) / n
    first = np.where(t < start, 1 + (level - 1) * t / max(start, 1e-9), level)
    wait = int((start + length) * n)
    train, valid = (np.concatenate([first[:wait], level * curve[: n - wait]]) for curve in (train, valid))
    return draft(train, valid, Label.PLATEAU, open=(Label.TOO_LOW,))


def _exp_stuck(rng: Rng, n: int) -> Draft:
    level = 1 + rng.uniform(-0.01, 0.01)
    return draft(np.full(n, level), np.full(n, level), Label.PLATEAU)


def _exp_under(rng: Rng, n: int, **more: Any) -> Draft:
    floor = rng.uniform(0.2, 0.7)
    return draft(exp_fall(n, rng.uniform(7, 15), floor), exp_fall(n, 8, floor + 0.03), Label.UNDERFITTING, **more)


def _exp_bias(rng: Rng, n: int) -> Draft:
    made = _exp_under(rng, n)
    made.labels.add(Label.MODEL_BIAS)
    made.fields["twin"] = made.train + rng.uniform(0, 0.2) * (1 - np.exp(-5 * np.arange(n) / n))
    return made


def _exp_optimization(rng: Rng, n: int) -> Draft:
    made = _exp_under(rng, n)
    made.labels.add(Label.OPTIMIZATION_FAILURE)
    made.fields["twin"] = exp_fall(n, 8, rng.uniform(0, 0.6) * float(made.train[-1]))
    return made


def _exp_over(rng: Rng, n: int) -> Draft:
    train, valid = _healthy(rng, n)
    t = np.arange(1, n + 1) / n
    rise = rng.uniform(0.15, 0.8) * np.clip((t - 0.25) / 0.75, 0, 1)
    return draft(train, valid + rise, Label.OVERFITTING)


def _exp_gap(rng: Rng, n: int) -> Draft:
    constants = rng.uniform(6, 10)
    gap = rng.uniform(0.25, 0.5)
    return draft(exp_fall(n, constants, 0.0), exp_fall(n, constants, gap), Label.OVERFITTING)


def _exp_mismatch(rng: Rng, n: int) -> Draft:
    train, _ = _healthy(rng, n)
    valid = 1 - rng.uniform(-0.3, 0.35) * (1 - train)
    return draft(train, valid, Label.MISMATCH)


def _exp_diverged(rng: Rng, n: int) -> Draft:
    train, valid = _healthy(rng, n)
    grown = np.exp(np.arange(n) / n * rng.uniform(1.5, 4))
    return draft(grown + train, grown + valid, Label.DIVERGED)


def _exp_diverged_late(rng: Rng, n: int) -> Draft:
    train, valid = _healthy(rng, n)
    grown = rng.uniform(5, 50) * rng.uniform(1.6, 4) ** (np.arange(n) - n + 1.0)
    return draft(train + grown, valid + grown, Label.DIVERGED)


def _exp_layers(rng: Rng, n: int, change: Callable[[int, int], float], dead: float, *labels: Label) -> Draft:
    train, valid = _healthy(rng, n)
    return draft(train, valid, *labels, layers=layers(rng, 5, 0.5, change, dead))


def _exp_ratio(rng: Rng, n: int, center: float, *labels: Label) -> Draft:
    train, valid = _healthy(rng, n)
    return draft(train, valid, *labels, update_ratio=center * np.exp(rng.normal(0, 0.3, n)))


EXPONENTIAL: dict[str, Callable[[Rng, int], Draft]] = {
    "healthy": lambda rng, n: draft(*_healthy(rng, n)),
    "jumps": _exp_jitter,
    "thrown back": _exp_back,
    "straight fall": _exp_low,
    "late fall": _exp_plateau,
    "never falls": _exp_stuck,
    "cut short": lambda rng, n: draft(c := exp_fall(n, rng.uniform(1.2, 2.2), 0.02), c + 0.02, open=(Label.TOO_LOW,)),
    "underfits": _exp_under,
    "underfits like its twin": _exp_bias,
    "worse than its twin": _exp_optimization,
    "validation rises": _exp_over,
    "validation left behind": _exp_gap,
    "mismatch": _exp_mismatch,
    "diverges": _exp_diverged,
    "diverges late": _exp_diverged_late,
    "sound layers": lambda rng, n: _exp_layers(rng, n, lambda *_: 1.0, rng.uniform(0, 0.2)),
    "vanishing": lambda rng, n: _exp_layers(rng, n, lambda i, _: 0.1 ** (4 - i), 0.0, Label.VANISHING),
    "exploding": lambda rng, n: _exp_layers(rng, n, lambda *_: 3e4, 0.0, Label.EXPLODING),
    "dead": lambda rng, n: _exp_layers(rng, n, lambda *_: 1.0, rng.uniform(0.5, 1), Label.DEAD),
    "sound ratio": lambda rng, n: _exp_ratio(rng, n, 10 ** rng.uniform(-4, -2)),
    "large ratio": lambda rng, n: _exp_ratio(rng, n, 10 ** rng.uniform(-1, 0), Label.UPDATE_RATIO),
    "small ratio": lambda rng, n: _exp_ratio(rng, n, 10 ** rng.uniform(-7, -5), Label.UPDATE_RATIO),
}

# The family that is measured on.


def power_fall(n: int, reach: float, power: float, floor: float) -> Array:
    """Return a power-law fall from 1 towards a floor: (1 + t / r)^-p."""
    t = np.arange(1, n + 1) / n
    return floor + (1 - floor) * (1 + t / reach) ** -power


def logistic_fall(n: int, middle: float, width: float, floor: float) -> Array:
    """Return a logistic fall from 1 to a floor."""
    t = np.arange(1, n + 1) / n
    return floor + (1 - floor) / (1 + np.exp((t - middle) / width))


def _sound(rng: Rng, n: int) -> tuple[Array, Array]:
    if rng.random() < 0.5:
        shape = (rng.uniform(0.005, 0.02), rng.uniform(1.0, 1.6))
        return power_fall(n, *shape, 0.0), power_fall(n, *shape, rng.uniform(0.01, 0.06))
    middle, floor = rng.uniform(0.05, 0.15), rng.uniform(0, 0.08)
    train = logistic_fall(n, middle, rng.uniform(0.02, 0.04), floor)
    return train, train + rng.uniform(0, 0.05)


def _mixed_jumps(rng: Rng, n: int) -> Draft:
    train, valid = _sound(rng, n)
    spikes = rng.exponential(rng.uniform(0.08, 0.25), n)
    return draft(train + spikes, valid + rng.exponential(0.15, n), Label.TOO_HIGH)


def _mixed_back(rng: Rng, n: int) -> Draft:
    train, valid = _sound(rng, n)
    at = int(rng.uniform(0.4, 0.7) * n)
    step = np.where(np.arange(n) >= at, rng.uniform(0.25, 0.8), 0.0)
    return draft(train + step, valid + step, Label.TOO_HIGH, open=(Label.UNDERFITTING, Label.PLATEAU))


def _mixed_worse(rng: Rng, n: int) -> Draft:
    train, valid = _sound(rng, n)
    train[0] = rng.uniform(1.4, 6)
    return draft(train, valid, Label.TOO_HIGH)


def _mixed_straight(rng: Rng, n: int) -> Draft:
    end = rng.uniform(0.4, 0.93)
    t = np.arange(1, n + 1) / n
    bend = rng.uniform(-0.08, 0.08) * (1 - end) * np.sin(np.pi * t)
    train = 1 - (1 - end) * t + bend
    return draft(train, train + 0.01 * t, Label.TOO_LOW)


def _mixed_frozen(rng: Rng, n: int) -> Draft:
    level = np.full(n, 1 - rng.uniform(0, 0.004))
    ratio = 10 ** rng.uniform(-8, -5.3) * np.ones(n)
    return draft(level, level, Label.TOO_LOW, Label.UPDATE_RATIO, update_ratio=ratio, open=(Label.PLATEAU,))


def _mixed_step(rng: Rng, n: int) -> Draft:
    middle = rng.uniform(0.5, 0.7)
    train = logistic_fall(n, middle, 0.03, 0.03) * rng.uniform(0.7, 1.0)
    return draft(train, train + 0.02, Label.PLATEAU, open=(Label.TOO_LOW,))


def _mixed_two_steps(rng: Rng, n: int) -> Draft:
    level = rng.uniform(0.3, 0.7)
    first = logistic_fall(n, 0.08, 0.015, level)
    train = first * logistic_fall(n, rng.uniform(0.6, 0.75), 0.025, 0.1)
    return draft(train, train + 0.03, Label.PLATEAU, open=(Label.TOO_LOW,))


def _mixed_flat(rng: Rng, n: int) -> Draft:
    level = 1 + rng.uniform(-0.02, 0.03)
    return draft(np.full(n, level), np.full(n, level), Label.PLATEAU)


def _mixed_short(rng: Rng, n: int) -> Draft:
    train = power_fall(n, rng.uniform(0.4, 0.8), 1.0, 0.0)
    return draft(train, train + 0.02, Label.STILL_IMPROVING, open=(Label.TOO_LOW,))


def _mixed_under(rng: Rng, n: int) -> Draft:
    floor = rng.uniform(0.22, 0.75)
    train = logistic_fall(n, rng.uniform(0.08, 0.2), 0.03, floor)
    return draft(train, train + rng.uniform(-0.02, 0.04), Label.UNDERFITTING)


def _mixed_bias(rng: Rng, n: int) -> Draft:
    made = _mixed_under(rng, n)
    made.labels.add(Label.MODEL_BIAS)
    made.fields["twin"] = logistic_fall(n, 0.2, 0.04, min(0.98, made.train[-1] + rng.uniform(0, 0.3)))
    return made


def _mixed_deep(rng: Rng, n: int) -> Draft:
    made = _mixed_under(rng, n) if rng.random() < 0.6 else _mixed_flat(rng, n)
    made.labels.add(Label.OPTIMIZATION_FAILURE)
    made.fields["twin"] = power_fall(n, 0.03, 1.0, 0.0) * made.train[-1] * rng.uniform(0.3, 0.8)
    return made


def _mixed_rise(rng: Rng, n: int) -> Draft:
    train, valid = _sound(rng, n)
    turn = rng.uniform(0.25, 0.55)
    t = np.arange(1, n + 1) / n
    return draft(train, valid + rng.uniform(0.3, 1.5) * np.clip(t - turn, 0, None) ** 1.5, Label.OVERFITTING)


def _mixed_gap(rng: Rng, n: int) -> Draft:
    train = logistic_fall(n, rng.uniform(0.2, 0.35), 0.06, 0.0)
    left = rng.uniform(0.25, 0.6)
    return draft(train, np.maximum(train, left + 0.1 * train), Label.OVERFITTING)


def _mixed_shift(rng: Rng, n: int) -> Draft:
    train, _ = _sound(rng, n)
    t = np.arange(1, n + 1) / n
    valid = 1 - rng.uniform(0, 0.3) * (1 - train) + rng.uniform(0, 1) * t
    return draft(train, valid, Label.MISMATCH)


def _mixed_blown(rng: Rng, n: int) -> Draft:
    train, valid = _sound(rng, n)
    if rng.random() < 0.5:
        train[-1] = np.nan
        return draft(train, valid, Label.DIVERGED)
    if rng.random() < 0.5:
        return draft([], [], Label.DIVERGED, diverged="diverged at step 3: loss inf")
    at = int(rng.uniform(0.1, 0.5) * n)
    train[at:], valid[at:] = rng.uniform(2.5, 9), rng.uniform(2.5, 9)
    return draft(train, valid, Label.DIVERGED)


def _mixed_layers(rng: Rng, n: int, change: Callable[[int, int], float], dead: float, *labels: Label) -> Draft:
    train, valid = _sound(rng, n)
    return draft(train, valid, *labels, layers=layers(rng, int(rng.integers(3, 12)), 0.9, change, dead))


def _mixed_vanish(rng: Rng, n: int) -> Draft:
    depth, lost = 7, 10 ** rng.uniform(-9, -4)
    recovers = rng.random() < 0.3

    def change(layer: int, row: int) -> float:
        return 1.0 if recovers and row > 0 else float(lost ** (1 - layer / (depth - 1)))

    train, valid = _sound(rng, n)
    labels = () if recovers else (Label.VANISHING,)
    return draft(train, valid, *labels, layers=layers(rng, depth, 0.5, change, 0.05))


def _mixed_ratio(rng: Rng, n: int, low: float, high: float, *labels: Label) -> Draft:
    train, valid = _sound(rng, n)
    size = 10 ** rng.uniform(low, high)
    return draft(train, valid, *labels, update_ratio=size / (1 + 2 * np.arange(n) / n) * rng.lognormal(0, 0.4, n))


MIXED: dict[str, Callable[[Rng, int], Draft]] = {
    "sound": lambda rng, n: draft(*_sound(rng, n)),
    "jumps": _mixed_jumps,
    "thrown back": _mixed_back,
    "worse than nothing": _mixed_worse,
    "straight": _mixed_straight,
    "frozen": _mixed_frozen,
    "one step": _mixed_step,
    "two steps": _mixed_two_steps,
    "flat": _mixed_flat,
    "cut short": _mixed_short,
    "underfits": _mixed_under,
    "underfits like its twin": _mixed_bias,
    "worse than its twin": _mixed_deep,
    "validation rises": _mixed_rise,
    "validation left behind": _mixed_gap,
    "shifted validation": _mixed_shift,
    "blown up": _mixed_blown,
    "sound layers": lambda rng, n: _mixed_layers(rng, n, lambda *_: 1.0, rng.uniform(0, 0.25)),
    "vanishing": _mixed_vanish,
    "exploding": lambda rng, n: _mixed_layers(
        rng, n, lambda *_: 10 ** rng.uniform(4.3, 8), rng.uniform(0, 0.2), Label.EXPLODING
    ),
    "dead": lambda rng, n: _mixed_layers(rng, n, lambda *_: 1.0, rng.uniform(0.5, 1), Label.DEAD),
    "sound ratio": lambda rng, n: _mixed_ratio(rng, n, -4, -2),
    "large ratio": lambda rng, n: _mixed_ratio(rng, n, -0.8, 0.5, Label.UPDATE_RATIO),
    "small ratio": lambda rng, n: _mixed_ratio(rng, n, -8, -5.2, Label.UPDATE_RATIO),
}


def gaussian(rng: Rng, n: int, sd: float) -> Array:
    """Return independent normal noise."""
    return rng.normal(0, sd, n)


def correlated(rng: Rng, n: int, sd: float) -> Array:
    """Return noise of Student's t with 4 degrees of freedom, each value correlated with the one before (.3)."""
    raw = rng.standard_t(4, n) * sd / np.sqrt(2)
    for i in range(1, n):
        raw[i] = 0.3 * raw[i - 1] + np.sqrt(1 - 0.3**2) * raw[i]
    return raw


def cases(family: str, repeats: int, seed: int = 0) -> list[Case]:
    """Return `repeats` cases of each kind of a family.

    Args:
        family: ``exponential`` or ``mixed``.
        repeats: of each kind.
        seed: of everything drawn.

    Returns:
        The cases, with noise of up to .01 (training) and .02 (validation) of the untrained loss.
    """
    rng = np.random.default_rng([seed, len(family)])
    made = []
    first = family == "exponential"
    for kind, make in (EXPONENTIAL if first else MIXED).items():
        for _ in range(repeats):
            n = int(rng.integers(10, 40) if first else rng.integers(8, 80))
            scale = 2.3 if first else float(rng.choice([np.log(2), 1.0, np.log(100), 12.0]))
            clean = make(rng, n)
            sd = rng.uniform(0.003, 0.02)
            if len(clean.train):
                judge_improving(clean, sd)
            shake, n = gaussian if first else correlated, len(clean.train)
            fields = dict(clean.fields)
            if "twin" in fields:
                fields["twin"] = scale * (fields["twin"] + shake(rng, n, 0.005))
            train = clean.train + shake(rng, n, rng.uniform(0.001, 0.01)) * np.minimum(clean.train, 1)
            valid = clean.valid + shake(rng, n, sd) * np.minimum(clean.valid + 0.1, 1)
            run = history({"train": scale * train, "valid": scale * valid, "untrained": scale, **fields})
            made.append(Case(kind, run, frozenset(clean.labels), frozenset(clean.open - clean.labels)))
    return made

"""A third family of labelled runs: curves that come out of simulated training, not out of formulas for their shapes.

Losses follow gradient descent on quadratic bowls with many curvatures, on products of weights that start near a saddle,
on least squares with as many samples as there are, and a step size past the edge of stability. A run holds the label of
the mechanism that made it; what its clean curve shows besides is judged by the sentence that defines the label, with
wide margins, within which a label is left open. Written before it was measured on, by somebody who had read the rules.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from hpsearch.reports.diagnosis.history import history
from hpsearch.reports.diagnosis.rules import Label
from tests.benchmarks.curve_families import Array, Case, Draft, Rng, draft, judge_improving

Make = Callable[[Rng, int], Draft]


def bowl(rng: Rng, n: int, decades: float, passes: float) -> Array:
    """Return the loss of gradient descent on a quadratic: sum c_i exp(-2 l_i t), its slowest part over in `passes`."""
    curvature = np.logspace(0, -decades, 40)
    share = curvature ** rng.uniform(0.3, 1.0)
    t = np.arange(1, n + 1) / n
    return np.asarray((share / share.sum()) @ np.exp(-2 * np.outer(curvature / curvature[-1], passes * t)))


def trained(rng: Rng, n: int) -> tuple[Array, Array]:
    """Return training and validation loss of a run that does what it should."""
    train = bowl(rng, n, rng.uniform(0.3, 1.5), rng.uniform(2.5, 6)) * (1 - (floor := rng.uniform(0, 0.07))) + floor
    return train, train + rng.uniform(0, 0.07) * (1 - train)


def _swings(rng: Rng, n: int) -> Draft:
    """Steps near the edge of stability: x <- (1 - lr l) x + noise changes its sign at every step, and grows."""
    train, valid = trained(rng, n)
    pull, steps, x = 1 - rng.uniform(1.7, 1.97), int(rng.integers(1, 4)), 0.0
    squares = np.empty((n, steps))
    for epoch in range(n):
        for step in range(steps):
            x = pull * x + rng.normal()
            squares[epoch, step] = x * x
    squares *= rng.uniform(0.12, 0.4) * (1 - pull**2)
    return draft(train + squares.mean(1), valid + squares[:, -1], Label.TOO_HIGH, open=(Label.OVERFITTING,))


def _collapses(rng: Rng, n: int) -> Draft:
    """A step kills units, and the loss stays where the rest can bring it."""
    train, valid = trained(rng, n)
    at, level = int(rng.uniform(0.35, 0.8) * n), rng.uniform(0.3, 0.95)
    recovered = level * (1 - 0.2 * (1 - np.exp(-np.arange(n - at) / 3)))
    train[at:], valid[at:] = np.maximum(recovered, train[at:]), np.maximum(recovered, valid[at:])
    return draft(train, valid, Label.TOO_HIGH, open=(Label.UNDERFITTING, Label.PLATEAU, Label.TOO_LOW))


def _catapult(rng: Rng, n: int) -> Draft:
    """The first steps throw the weights far out, from where training succeeds."""
    train, valid = trained(rng, n)
    away = rng.uniform(1.5, 8) * np.exp(-np.arange(n) / rng.uniform(0.3, 0.8))
    return draft(np.maximum(train, away), np.maximum(valid, 0.7 * away), Label.TOO_HIGH)


def _unstable(rng: Rng, n: int) -> Draft:
    """One direction is past the edge of stability and grows by a factor each epoch."""
    train, valid = trained(rng, n)
    grown = 10 ** rng.uniform(0.6, 6) * rng.uniform(1.5, 4) ** (np.arange(n) - n + 1.0)
    if rng.random() < 0.3:
        return draft(train[: n // 2], valid[: n // 2], Label.DIVERGED, diverged="step 312: loss inf")
    return draft(train + grown, valid + grown, Label.DIVERGED)


def _slow(rng: Rng, n: int) -> Draft:
    """So small steps that not even the steepest direction has come to its end."""
    fall = rng.uniform(0.06, 0.45)
    decades = rng.uniform(0.1, 0.8)
    low, high = 1e-4, 3.0
    state = rng.bit_generator.state
    for _ in range(40):
        rng.bit_generator.state = state
        middle = (low * high) ** 0.5
        low, high = (middle, high) if 1 - bowl(rng, n, decades, middle)[-1] < fall else (low, middle)
    rng.bit_generator.state = state
    train = bowl(rng, n, decades, low)
    ratio = _speed_left(train)
    made = draft(train, train + 0.01 * (1 - train))
    if ratio > 0.25:
        (made.labels if ratio > 0.5 and train[-1] > 0.5 else made.open).add(Label.TOO_LOW)
    return made


def _speed_left(train: Array) -> float:
    """Return the speed of the last third over that of the first."""
    third = max(2, len(train) // 3)
    return float((train[-third] - train[-1]) / (train[0] - train[third - 1]))


def escape(n: int, depth: int, when: float, pace: float) -> Array:
    """Return the loss (1 - w^d)^2 of gradient flow on a product of d weights that leaves its saddle at `when`."""
    steps, w = 4000, 0.003 if depth == 2 else 0.05
    path = np.empty(steps)
    speed = pace / steps
    for step in range(steps):
        path[step] = w
        w += speed * (1 - w**depth) * w ** (depth - 1)
    loss = (1 - path**depth) ** 2
    half = int(np.argmax(loss < 0.5))
    places = half * np.arange(1, n + 1) / n / when
    return np.asarray(np.interp(places, np.arange(steps), loss))


def _saddle(rng: Rng, n: int) -> Draft:
    depth = int(rng.integers(2, 4))
    train = escape(n, depth, rng.uniform(0.45, 0.75), 40.0 if depth == 2 else 200.0)
    return _standing(draft(train, train + 0.02 * (1 - train), open=(Label.TOO_LOW,)))


def _stairs(rng: Rng, n: int) -> Draft:
    first = rng.uniform(0.35, 0.6)
    steps = escape(n, 2, rng.uniform(0.08, 0.15), 40.0), escape(n, 2, rng.uniform(0.6, 0.8), 40.0)
    train = first * steps[0] + (1 - first) * steps[1]
    return _standing(draft(train, train + 0.02 * (1 - train), open=(Label.TOO_LOW,)))


def _standing(made: Draft) -> Draft:
    """Add "plateau" where the clean loss falls by less than 1 % of the untrained for a third of training, then on."""
    train, n = made.train, len(made.train)
    longest = 0
    for start in range(n):
        stays = train[start:] > train[start] - 0.01
        length = int(np.argmin(stays)) if not stays.all() else n - start
        if train[start] - train[-1] > 0.25:
            longest = max(longest, length)
    (made.labels if longest > n / 3 else made.open).add(Label.PLATEAU)
    return made


def _at_the_saddle(rng: Rng, n: int) -> Draft:
    level = np.full(n, 1 + rng.uniform(-0.01, 0.01))
    return draft(level, level, Label.PLATEAU, update_ratio=10 ** rng.uniform(-3.6, -2.2) * np.ones(n))


def _barely_moves(rng: Rng, n: int) -> Draft:
    level = 1 - rng.uniform(0, 0.003) * np.arange(1, n + 1) / n
    ratio = 10 ** rng.uniform(-9, -5.5) * rng.lognormal(0, 0.2, n)
    return draft(level, level, Label.TOO_LOW, Label.UPDATE_RATIO, open=(Label.PLATEAU,), update_ratio=ratio)


def _too_small(rng: Rng, n: int) -> Draft:
    """The model can only bring the loss down to a floor, on new samples as well."""
    floor = rng.uniform(0.25, 0.8)
    train = bowl(rng, n, rng.uniform(0.2, 1.0), rng.uniform(3, 8)) * (1 - floor) + floor
    return draft(train, train + rng.uniform(-0.02, 0.05) * (1 - train), Label.UNDERFITTING)


def _small_twin(rng: Rng, n: int) -> Draft:
    made = _too_small(rng, n)
    made.labels.add(Label.MODEL_BIAS)
    floor = min(0.97, made.train[-1] + rng.choice([0.0, rng.uniform(0, 0.25)]))
    made.fields["twin"] = bowl(rng, n, 0.5, 5.0) * (1 - floor) + floor
    return made


def _better_twin(rng: Rng, n: int) -> Draft:
    made = _too_small(rng, n) if rng.random() < 0.5 else _at_the_saddle(rng, n)
    made.labels.add(Label.OPTIMIZATION_FAILURE)
    floor = rng.uniform(0.05, 0.75) * float(made.train[-1])
    made.fields["twin"] = bowl(rng, n, 0.5, 5.0) * (made.train[-1] - floor) + floor
    return made


def least_squares(rng: Rng, n: int, samples: int, noise: float, turn: float) -> tuple[Array, Array]:
    """Return losses of gradient descent on linear regression in 50 dimensions, over that of no model.

    Args:
        rng: draws everything.
        n: epochs.
        samples: for training.
        noise: standard deviation of the targets' noise, of a signal of 1.
        turn: angle between the true weights of the training and of the validation samples.
    """
    size = 50
    scale = np.logspace(0, -1.2, size)
    weight, other = (each / np.linalg.norm(each * scale) for each in rng.normal(size=(2, size)))
    moved = np.cos(turn) * weight + np.sin(turn) * other
    x, x_valid = rng.normal(size=(samples, size)) * scale, rng.normal(size=(600, size)) * scale
    y, y_valid = x @ weight + noise * rng.normal(size=samples), x_valid @ moved + noise * rng.normal(size=600)
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    time = rng.uniform(4, 30) * s[0] ** 2 / s[min(len(s), size) // 2] ** 2
    t = time * np.arange(1, n + 1) / n
    fitted = (1 - np.exp(-np.outer(t, (s / s[0]) ** 2))) * (u.T @ y / s)
    found = fitted @ vt
    losses = [((found @ a.T - b) ** 2).mean(1) / (b**2).mean() for a, b in ((x, y), (x_valid, y_valid))]
    return losses[0], losses[1]


def _few_samples(rng: Rng, n: int) -> Draft:
    return _judged(*least_squares(rng, n, int(rng.integers(50, 150)), rng.uniform(0.4, 1.0), 0.0), shifted=False)


def _many_samples(rng: Rng, n: int) -> Draft:
    return _judged(*least_squares(rng, n, int(rng.integers(1000, 3000)), rng.uniform(0.0, 1.5), 0.0), shifted=False)


def _other_target(rng: Rng, n: int) -> Draft:
    turn = rng.uniform(0.42, 0.75) * np.pi
    return _judged(*least_squares(rng, n, int(rng.integers(1000, 3000)), rng.uniform(0.0, 0.3), turn), shifted=True)


def _judged(train: Array, valid: Array, shifted: bool) -> Draft:
    """Judge a regression's clean curves by the definitions of overfitting, mismatch, underfitting and a low rate."""
    made = draft(train, valid)
    rise, gap = float(valid[-1] - valid.min()), float(valid[-1] - train[-1])
    half = int(np.argmax(1 - train >= 0.5 * (1 - train[-1])))
    follows = (1 - valid[half]) / (1 - train[half])
    if shifted or follows < 0.65:
        clear = shifted and follows < 0.35 and gap > 0.25
        made.labels |= {Label.MISMATCH} if clear else set()
        made.open |= set() if clear else {Label.MISMATCH, Label.OVERFITTING}
    elif gap > 0.25 or rise > 0.06:
        made.labels.add(Label.OVERFITTING)
    elif gap > 0.08 or rise > 0.015:
        made.open.add(Label.OVERFITTING)
    quarter = max(2, round(len(train) / 4))
    flat = (train[-quarter - 1] - train[-1]) / (1 - train[-1])
    if train[-1] > 0.08 and gap < 0.25 and flat < 0.15:
        clear = 0.22 < train[-1] < 0.8 and gap < 0.08 and flat < 0.02
        (made.labels if clear else made.open).add(Label.UNDERFITTING)
    if train[-1] > 0.25 and _speed_left(train) > 0.15:
        made.open.add(Label.TOO_LOW)
    return made


def _layers(rng: Rng, n: int, per_layer: float) -> Draft:
    """Signals that change by a factor from layer to layer, on the way back."""
    train, valid = trained(rng, n)
    depth, rows, dead = int(rng.integers(2, 14)), [], float(rng.uniform(0, 1) if rng.random() < 0.5 else 0.1)
    clean = rng.uniform(0.5, 6) * per_layer ** (depth - 1.0 - np.arange(depth)) * rng.lognormal(0, 0.6, depth)
    weight = rng.lognormal(1, 0.7, depth)
    for epoch in range(int(rng.integers(3, 7))):
        gradient = clean / weight * rng.lognormal(0, 0.25, depth)
        rows.append({
            **{"epoch": 2**epoch, "step": 1, "loss": 1.0},
            "gradient": {f"layer{i}": float(gradient[i]) for i in range(depth)},
            "weight": {f"layer{i}": float(weight[i]) for i in range(depth)},
            "outputs": {f"relu{i}": {"mean": 0.2, "sd": 1.0, "dead": dead / (1 + i)} for i in range(depth - 1)},
        })
    made = draft(train, valid, layers=rows)
    over = clean / clean[-1]
    _by_margin(made, Label.VANISHING, 1e-3 / float(over.min()), 3)
    _by_margin(made, Label.EXPLODING, float(max(over.max(), clean.max())) / 1e3, 3)
    if depth > 1:
        _by_margin(made, Label.DEAD, dead / 0.4, 1.15)
    return made


def _by_margin(made: Draft, label: Label, size: float, margin: float) -> None:
    """Add a label where a size is above 1, leave it open within a margin."""
    if size > 1 / margin:
        (made.labels if size > margin else made.open).add(label)


def _updates(rng: Rng, n: int) -> Draft:
    train, valid = trained(rng, n)
    size = 10 ** rng.uniform(-7, 0)
    made = draft(train, valid, update_ratio=size * rng.lognormal(0, 0.3, n))
    _by_margin(made, Label.UPDATE_RATIO, max(size / 1e-3, 1e-3 / size) / 40, 2)
    return made


SIMULATED: dict[str, Make] = {
    "sound": lambda rng, n: draft(*trained(rng, n)),
    "swings": _swings,
    "collapses": _collapses,
    "catapult": _catapult,
    "unstable": _unstable,
    "slow": _slow,
    "saddle": _saddle,
    "stairs": _stairs,
    "at the saddle": _at_the_saddle,
    "barely moves": _barely_moves,
    "too small": _too_small,
    "too small like its twin": _small_twin,
    "worse than its twin": _better_twin,
    "few samples": _few_samples,
    "many samples": _many_samples,
    "another target": _other_target,
    "sound layers": lambda rng, n: _layers(rng, n, rng.uniform(0.7, 1.3)),
    "shrinking layers": lambda rng, n: _layers(rng, n, rng.uniform(0.05, 0.5)),
    "growing layers": lambda rng, n: _layers(rng, n, rng.uniform(2, 20)),
    "updates": _updates,
}


def simulated(repeats: int, seed: int) -> list[Case]:
    """Return `repeats` runs of each mechanism, of 8 to 100 epochs.

    Noise is a share of the loss: of training .2 to 1.2 % by epoch, of validation .3 to 2 % by epoch and a share common
    to all epochs, because they share their samples.
    """
    rng = np.random.default_rng([seed, 3])
    made = []
    for kind, make in SIMULATED.items():
        for _ in range(repeats):
            clean, scale = (
                make(rng, int(rng.integers(8, 101))),
                float(rng.choice([np.log(2), np.log(10), np.log(1000)])),
            )
            n, sd = len(clean.train), rng.uniform(0.003, 0.02)
            if n:
                judge_improving(clean, sd * float(clean.valid.min()))
            fields: dict[str, Any] = dict(clean.fields)
            if "twin" in fields:
                fields["twin"] = scale * fields["twin"] * (1 + rng.normal(0, 0.005, n))
            train = scale * clean.train * (1 + rng.normal(0, rng.uniform(0.002, 0.012), n))
            valid = scale * clean.valid * (1 + rng.normal(0, 0.01)) * (1 + rng.normal(0, sd, n))
            run = history({"train": train, "valid": valid, "untrained": scale, **fields})
            made.append(Case(kind, run, frozenset(clean.labels), frozenset(clean.open - clean.labels)))
    return made

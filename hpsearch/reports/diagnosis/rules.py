"""What is wrong with one training run, read off its curves: labels, each with its evidence and what to change.

Losses are compared with the untrained model's, so that the rules hold for any loss that is positive; changes are
compared with the curve's own noise, see `hpsearch.reports.diagnosis.history.noise`. Each threshold says where it comes
from: "rule of thumb" is the field's, "calibrated" was set on synthetic curves (``studies/diagnosis``) and then measured
on others.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np

from hpsearch.reports.diagnosis.history import Array, History, jumps, last_part, noise, slope, smoothed
from hpsearch.reports.diagnosis.layer_rules import (
    FAR,
    RATIO,
    signal_lost,
    typical_ratio,
    update_ratio,
)
from hpsearch.reports.kit.layer_rules import faults


class Label(StrEnum):
    """What a run can show."""

    DIVERGED = "diverged"
    TOO_HIGH = "learning rate too high"
    TOO_LOW = "learning rate too low"
    PLATEAU = "plateau"
    STILL_IMPROVING = "still improving"
    UNDERFITTING = "underfitting"
    MODEL_BIAS = "model bias"
    OPTIMIZATION_FAILURE = "optimization failure"
    OVERFITTING = "overfitting"
    MISMATCH = "train/valid mismatch"
    VANISHING = "vanishing gradients"
    EXPLODING = "exploding gradients"
    DEAD = "dead units"
    SATURATED = "saturated units"
    UPDATE_RATIO = "update ratio"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that a run shows.

    Attributes:
        label: its name.
        evidence: the numbers behind it.
        advice: what to change, with the key.
    """

    label: Label
    evidence: str
    advice: str


SHORTEST = 4
"""Epochs below which no curve is read: a trend, a bend and noise need as many values."""
AT_THE_END = 3
"""Epochs whose mean says where a loss ends, so that no single one does."""
ABOVE_UNTRAINED = 1.5
"""A training loss that ends above so many times the untrained one has diverged (calibrated)."""
WORSE_THAN_NOTHING = 1.15
"""An epoch whose mean training loss is so many times the untrained one was thrown there by its updates (calibrated)."""
JITTER = 0.0125
"""Jumps of the training loss, as a share of the untrained loss, that a loss that should fall has not (calibrated; real
runs that train well have .002 or less)."""
THROWN_BACK = 0.1
"""Share of the untrained loss by which a training loss ends above its minimum (calibrated)."""
STRAIGHT = 0.35
"""Slope at the end over slope at the start from which on a curve is a straight line: an exponential fall to a floor
has less than .1 after two time constants (calibrated)."""
FAR_TO_GO = 0.35
"""A loss above this share of the untrained one has far to go (calibrated)."""
HIGH = 0.15
"""A training loss that ends above this share of the untrained one is high: below it a classifier of ten classes has
about 90 % right (calibrated)."""
FELL = 0.1
"""Share of the untrained loss by which training has to lower it before it counts as having learned (calibrated)."""
FLAT = 0.02
"""Change, as a share of the untrained loss, that counts as none (calibrated)."""
STRETCH = 0.25
"""Share of training that a standstill has to last (calibrated)."""
LAST = 0.25
"""Share of training that is its end: a best epoch in the last quarter says train longer (rule of thumb)."""
IMPROVES = 0.05
"""Share of its whole fall that the validation loss falls by in the last quarter (calibrated)."""
STEADY = 5
"""Values in a row that each lie below the one before: by chance once in 5! = 120 curves without a trend."""
RISES = 0.03
"""Share of the untrained loss by which the validation loss ends above its minimum (calibrated)."""
GAP = 0.15
"""Validation loss minus training loss, as a share of the untrained loss, that is large (calibrated)."""
FOLLOWS = 0.5
"""Share of the training loss's first fall that the validation loss of the same kind of samples follows (calibrated)."""
SIGMAS = 3.0
"""Standard errors of the noise that a change has to exceed (rule of thumb)."""
ADVICE: Mapping[Label, str] = {
    Label.DIVERGED: "lower optimizer.lr by a factor of 3 to 10, or clip gradients (trainer.clip_norm=1)",
    Label.TOO_HIGH: "lower optimizer.lr by a factor of about 3, or let a schedule lower it (scheduler=cosine)",
    Label.TOO_LOW: "raise optimizer.lr by a factor of 3 to 10",
    Label.PLATEAU: "try another optimizer.lr or init, normalization (model.norm=batch) or a warm-up",
    Label.STILL_IMPROVING: "train longer: raise trainer.epochs",
    Label.UNDERFITTING: "use a larger model, less regularization, or train a shallower twin to see which of them it is",
    Label.MODEL_BIAS: "use a larger model: a shallower one does as badly, so it is not the optimization",
    Label.OPTIMIZATION_FAILURE: "use another optimizer, init or normalization: a shallower model gets a lower loss",
    Label.OVERFITTING: "regularize (optimizer.weight_decay, model.dropout, regularizer=early_stopping), or add data",
    Label.MISMATCH: "compare training and validation samples: they come from different distributions",
    Label.VANISHING: "use relu instead of saturating activations, normalization (model.norm=batch), or another init",
    Label.EXPLODING: "use a smaller init or normalization (model.norm=batch), and clip (trainer.clip_norm=1)",
    Label.DEAD: "lower optimizer.lr, or use leaky units (model.activation=leaky_relu) or another init",
    Label.SATURATED: "use relu, normalization (model.norm=batch) or a smaller init, or lower optimizer.lr",
    Label.UPDATE_RATIO: "change optimizer.lr by the factor that the ratio is off",
}


_kept = lru_cache(maxsize=2)
"""Keeps what was read off the last runs: several rules ask whether another one holds."""


def diagnose(run: History) -> tuple[Diagnosis, ...]:
    """Return what a run shows, in the order of `Label`.

    Args:
        run: its course.

    Returns:
        Nothing for a run that trains as it should. A run that diverged shows nothing else of its curves; one of fewer
        than `SHORTEST` epochs shows only what its layers say.
    """
    found = {Label.DIVERGED: diverged(run)}
    if not found[Label.DIVERGED] and run.epochs >= SHORTEST:
        found |= {label: rule(run) for label, rule in _CURVES.items()}
    found |= {Label(name): evidence for name, evidence in faults(run.layers, run.unit).items()}
    found[Label.UPDATE_RATIO] = update_ratio(run)
    return tuple(Diagnosis(label, found[label], ADVICE[label]) for label in Label if found.get(label))


def diverged(run: History) -> str:
    """Diverged: the run was ended for its loss, or the training loss was not finite or ended far above the untrained.

    Its end is its last `AT_THE_END` epochs, however long it was: what grows by a factor each epoch is there at once.

    Args:
        run: its course.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    if run.diverged:
        return run.diverged
    losses = np.concatenate([run.train, run.valid])
    if not np.isfinite(losses).all():
        return "a loss is not finite"
    if run.epochs and run.train[-AT_THE_END:].mean() > ABOVE_UNTRAINED * run.scale:
        return f"the training loss ends at {run.train[-1]:.3g}, above {run.scale:.3g} without training"
    return ""


@_kept
def too_high(run: History) -> str:
    """Learning rate too high: updates throw the training loss about, back up, or above the untrained model's.

    About: its jumps, see `hpsearch.reports.diagnosis.history.jumps`, are more than `JITTER` of the untrained loss. Back
    up: it ends `THROWN_BACK` above its minimum. Above: the mean of an epoch is more than
    `WORSE_THAN_NOTHING` times the untrained loss.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    u, jitter = run.scale, jumps(run.train)
    if run.train.max() > WORSE_THAN_NOTHING * u:
        epoch = run.epoch(int(run.train.argmax()))
        return f"the training loss is {run.train.max():.3g} in epoch {epoch}, {u:.3g} without training"
    if jitter > JITTER * u:
        return f"the training loss jumps up and down by {jitter:.2g} (sd), {jitter / u:.1%} of the untrained"
    curve = smoothed(run.train, run.x)
    back = curve[-1] - curve.min()
    if back > THROWN_BACK * u + SIGMAS * jitter:
        return f"the training loss ends {back:.2g} above its minimum of {curve.min():.3g}"
    return ""


@_kept
def too_low(run: History) -> str:
    """Learning rate too low: the loss is still high and falls, or would fall, as fast at the end as at the start.

    The slope of the last third is at least `STRAIGHT` of the first third's and the loss is above `FAR_TO_GO` of the
    untrained; or the loss stands still while an update changes less than 1 / `FAR` of `RATIO` of the weights.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    third = max(2, run.epochs // 3)
    curve = smoothed(run.train, run.x)
    at = run.x[: len(curve)]
    first, last = slope(curve[:third], at[:third]), slope(curve[-third:], at[-third:])
    fall = curve[0] - curve[-1]
    if _standstill(run) and typical_ratio(run) < RATIO / FAR and not signal_lost(run):
        return f"the loss stays at {curve[-1]:.3g}; an update changes {typical_ratio(run):.1g} of the weights"
    if curve[-1] < FAR_TO_GO * run.scale or plateau(run) or too_high(run):
        return ""
    if first < 0 and last / first >= STRAIGHT and fall > SIGMAS * noise(run.train, run.x) + FLAT * run.scale / 10:
        share = last / first
        return f"the training loss is {curve[-1]:.3g} and falls at {share:.0%} of the speed that it started with"
    return ""


@_kept
def plateau(run: History) -> str:
    """Plateau: for a quarter of training or more the training loss stands still, and leaves that level later.

    It counts too when it stands at the level of the untrained model to the end. It stands still where it
    stays within `FLAT` of the untrained loss, noise apart; it leaves when it falls by `FELL` of it.
    A loss that its updates throw about stands nowhere.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    if _standstill(run):
        return f"the training loss stays at {run.train[-1]:.3g}, {run.scale:.3g} without training"
    curve, x, u, sd = run.train, run.x, run.scale, noise(run.train, run.x)
    need = max(3, math.ceil(STRETCH * run.epochs))
    smooth = smoothed(curve, x)
    for start in range(run.epochs - need):
        part, later = curve[start : start + need], smooth[start + need :]
        trend = abs(_change(part, x[start : start + need])) <= FLAT * u + sd
        if trend and np.ptp(part) <= FLAT * u + 4 * sd and part.mean() - later.min() > FELL * u:
            return f"the training loss stood still near {part.mean():.3g} for {run.length(need)} epochs, then fell on"
    return ""


def still_improving(run: History) -> str:
    """Still improving: in the last quarter the validation loss falls by more than 5 % of all that it fell.

    The fall is that of a line through the quarter, and has to exceed a quarter of `FLAT` and the noise of a line; and
    the quarter has to lie below the one before, noise apart. A loss that fell in each of the last `STEADY` epochs needs
    no test against noise.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    x = run.x[: len(run.valid)]
    quarter = max(2, int((x > x[-1] - round(LAST * (x[-1] - x[0] + 1))).sum()))
    part, before, at = run.valid[-quarter - 1 :], run.valid[-2 * quarter : -quarter], x[-quarter - 1 :]
    fall, sd = -slope(part, at) * (at[-1] - at[0]), noise(run.valid, run.x)
    whole = max(run.scale - float(smoothed(run.valid, run.x)[-1]), FLAT * run.scale / 4)
    clear = fall > SIGMAS * sd * math.sqrt(12 / len(part))
    below = before.mean() - part[1:].mean() > SIGMAS * sd * math.sqrt(2 / quarter)
    steady = run.epochs > STEADY and bool((np.diff(run.valid[-STEADY:]) < 0).all())
    if fall > max(IMPROVES * whole, FLAT / 4 * run.scale) and ((clear and below) or steady):
        epochs = run.last - run.epoch(max(run.epochs - 1 - quarter, 0))
        return f"the validation loss falls by {fall:.2g} in the last {epochs} epochs, {fall / whole:.0%} of all"
    return ""


def underfitting(run: History) -> str:
    """Underfitting: the training loss has learned something and ends flat, but high, and the validation loss with it.

    Flat: the last quarter brings less than `IMPROVES` of the whole fall. High: above `HIGH` of the untrained loss.
    Of a loss that its updates throw about nothing is said.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    u, curve = run.scale, smoothed(run.train, run.x)
    part = last_part(run.train, LAST if run.epochs >= 8 else 0.5)
    fall, whole = -_change(part, run.x[: len(run.train)][-len(part) :]), u - curve[-1]
    high = curve[-1] > HIGH * u and whole > FELL * u
    alike = smoothed(run.valid, run.x)[-1] - curve[-1] < GAP * u
    if high and alike and fall < IMPROVES * whole + noise(run.train, run.x) and not too_high(run):
        return f"the training loss ends flat at {curve[-1]:.3g}, {curve[-1] / u:.0%} of the untrained"
    return ""


def model_bias(run: History) -> str:
    """Model bias: a run underfits, and a shallower network trained alike does not reach a lower training loss.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    if run.twin is None or not len(run.twin) or not underfitting(run) or optimization_failure(run):
        return ""
    return f"a shallower network ends at {smoothed(run.twin)[-1]:.3g}, this one at {smoothed(run.train, run.x)[-1]:.3g}"


def optimization_failure(run: History) -> str:
    """Optimization failure: the training loss ends high and a shallower network trained alike reaches a lower one.

    Lower by more than `FLAT` of the untrained loss and than the noise of both: a deeper network could copy it.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    if run.twin is None or not len(run.twin):
        return ""
    own, twin = smoothed(run.train, run.x)[-1], smoothed(run.twin)[-1]
    if own > HIGH * run.scale and own - twin > FLAT * run.scale + SIGMAS * (noise(run.train, run.x) + noise(run.twin)):
        return f"a shallower network ends at {twin:.3g}, this one at {own:.3g}"
    return ""


def overfitting(run: History) -> str:
    """Overfitting: the validation loss followed the training loss at first and then rose, or was left far behind.

    Rose: it ends more than `RISES` of the untrained loss and its noise above its minimum, while the training loss
    fell on. Far behind: by more than `GAP` of the untrained loss.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    if mismatch(run):
        return ""
    u, train, valid = run.scale, smoothed(run.train, run.x), smoothed(run.valid, run.x)
    low = int(valid.argmin())
    rise, gap = valid[-1] - valid[low], valid[-1] - train[-1]
    still_fits = train[-1] <= train[low] + SIGMAS * noise(run.train, run.x) and gap > 0
    if rise > RISES * u + SIGMAS / math.sqrt(2) * noise(run.valid, run.x) and still_fits:
        return f"the validation loss rises from {valid[low]:.3g} in epoch {run.epoch(low)} to {valid[-1]:.3g}"
    if gap > GAP * u + noise(run.valid, run.x):
        return f"the validation loss ends at {valid[-1]:.3g}, the training loss at {train[-1]:.3g}"
    return ""


def mismatch(run: History) -> str:
    """Train/valid mismatch: from the start the validation loss follows less than half of the training loss's fall.

    Read in the first epoch in which the training loss has made half of its fall, before anything is overfitted; and at
    the end the validation loss is still more than `GAP` of the untrained loss above it.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    u = run.scale
    fall = u - run.train
    if smoothed(run.valid, run.x)[-1] - smoothed(run.train, run.x)[-1] < GAP * u or fall[-1] < FELL * u:
        return ""
    half = int(np.argmax(fall >= 0.5 * fall[-1]))
    follows = (u - run.valid[half]) / fall[half]
    if follows < FOLLOWS and run.valid[half] - run.train[half] > GAP * u + SIGMAS * noise(run.valid, run.x):
        return (
            f"in epoch {run.epoch(half)} the training loss is down to {run.train[half]:.3g}, the validation loss at "
            f"{run.valid[half]:.3g}"
        )
    return ""


_Rule = Callable[[History], str]
_CURVES: Mapping[Label, _Rule] = {
    Label.TOO_HIGH: too_high,
    Label.TOO_LOW: too_low,
    Label.PLATEAU: lambda run: "" if too_low(run) or too_high(run) else plateau(run),
    Label.STILL_IMPROVING: still_improving,
    Label.UNDERFITTING: underfitting,
    Label.MODEL_BIAS: model_bias,
    Label.OPTIMIZATION_FAILURE: optimization_failure,
    Label.OVERFITTING: overfitting,
    Label.MISMATCH: mismatch,
}


@_kept
def _standstill(run: History) -> bool:
    """Whether the training loss ends where the untrained model's is, without having fallen for half of training."""
    curve, u = smoothed(run.train, run.x), run.scale
    part = last_part(curve, 0.5)
    unsure = SIGMAS * noise(run.train, run.x) * math.sqrt(12 / len(part))
    change = _change(part, run.x[: len(curve)][-len(part) :])
    return bool(curve[-1] > (1 - FELL) * u and abs(change) < FLAT * u / 4 + unsure)


def _change(part: Array, x: Array) -> float:
    """Return by how much a line through some values changes from where they begin to where the next would lie."""
    return slope(part, x) * float(x[-1] - x[0] + 1)

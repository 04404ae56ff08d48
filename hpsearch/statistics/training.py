"""Whether a training run has learnt anything, and whether its rate was too slow for it, right, or too high."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

Verdict = Literal["too slow", "trains", "fails"]
Key = TypeVar("Key")

LEARNT = 0.02
"""Share of what a constant prediction costs by which a loss must be lower: a network that is dead is a constant one."""
ERRORS = 3.0
"""Standard errors of a validation part by which a score must be beyond what a constant prediction has there."""
SIBLINGS = 0.1
"""Share of its first loss by which a sibling's loss fell, where nothing is known of constant predictions."""
HALF = 0.5
"""Share of the largest fall of the loss that a run must make to train."""
MOVED = 1.0
"""Sum of the updates over the size of the weights from which on a run has moved its weights."""
STOPPED = 0.01
"""Share of the loss by which a line through the last half of a curve falls at most where it has stopped."""
FELL = 0.005
"""Share of the first loss by which some rate must lower it, where nothing is known of constant predictions."""
FEWEST = 4
"""Epochs below which no curve is said to have stopped."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is known of how one run ended; nan stands for what is not known.

    Attributes:
        diverged: whether its loss ran away.
        losses: training loss by epoch, as it is minimized.
        epochs: of the losses, as many; empty: 1, 2, 3, ...
        first: training loss of the first update, else of the first epoch.
        valid: validation loss at the end.
        untrained: validation loss before training.
        accuracy: on the validation part at the end.
        untrained_accuracy: before training.
        constant: training loss of the best constant prediction.
        constant_valid: its validation loss.
        constant_accuracy: the largest share of a class in the validation part: no constant prediction gets more right.
        samples: of the validation part.
        path: sum over the updates of how far each moved the weights, over the size of the weights.
    """

    diverged: bool = False
    losses: tuple[float, ...] = ()
    epochs: tuple[float, ...] = ()
    first: float = math.nan
    valid: float = math.nan
    untrained: float = math.nan
    accuracy: float = math.nan
    untrained_accuracy: float = math.nan
    constant: float = math.nan
    constant_valid: float = math.nan
    constant_accuracy: float = math.nan
    samples: float = math.nan
    path: float = math.nan

    @property
    def last(self) -> float:
        """The last training loss; the validation loss where none is known."""
        return self.losses[-1] if self.losses else self.valid

    @property
    def ignorant(self) -> float:
        """What knowing nothing costs in training: a constant prediction, or the weights it began with where better.

        Pretrained weights may know something: they cost that share of it that they cost in validation. Where no
        constant prediction is known it is the first loss; of a single report nothing is known.
        """
        if math.isnan(self.constant):
            once = len(self.losses) == 1 and self.first == self.losses[0]
            return math.nan if once else self.first if self.losses else self.untrained
        known = self.untrained / self.constant_valid if self.constant_valid > 0 else math.nan
        return self.constant * min(1.0, known) if known > 0 else self.constant


def at_chance(run: Course) -> bool | None:
    """Return whether a run ended no better than a constant prediction, which knows nothing of the inputs.

    It has learnt something where one of these holds, of which a constant prediction can do none:

    - the training loss is below the best constant's by `LEARNT` of it, and did not rise by as much in the last epoch:
      a mean over an epoch in which a network died is that of both;
    - the validation loss is below that constant's there, by ``LEARNT + ERRORS^2 / m`` of it for m samples: other
      samples have another best constant;
    - the accuracy is above p, the larger one of the largest class's share and of that before training, by `ERRORS`
      times ``sqrt(p (1 - p) / m)``.

    Args:
        run: that came to its end.

    Returns:
        None where it diverged or nothing is known of a constant prediction.
    """
    if run.diverged:
        return None
    signs = [sign for sign in (_by_training(run), _by_validation(run), _by_accuracy(run)) if sign is not None]
    return not any(signs) if signs else None


def dead(runs: Sequence[Course]) -> tuple[bool, ...]:
    """Return which runs of one setting, over seeds, stayed at chance.

    Where nothing is known of constant predictions, as of a loop that reports no more than its losses, a run is dead
    whose loss fell by less than `LEARNT` of its first one while that of another seed fell by `SIBLINGS` or more.

    Args:
        runs: one per seed and fold.

    Returns:
        One truth per run.
    """
    falls = [1 - run.last / run.ignorant if run.ignorant > 0 and not run.diverged else math.nan for run in runs]
    lives = any(fall >= SIBLINGS for fall in falls)
    found = []
    for run, fall in zip(runs, falls, strict=True):
        known = at_chance(run)
        found.append(known if known is not None else lives and fall < LEARNT)
    return tuple(found)


def verdicts(
    runs: Mapping[Key, Course], rates: Mapping[Key, float], *, rising: bool = True
) -> dict[Key, Verdict | None]:
    """Say of each run whether its rate was too slow, trained it, or failed.

    With L its last training loss, L_0 what knowing nothing costs and L* the least mean over the runs of a rate, a run

    - *trains* where it is not at chance and ``L <= L_0 - HALF (L_0 - L*)``: it makes half of the fall that was shown to
      be possible. Half of the first loss need not be: targets are noisy, labels smoothed, samples mixed, weights
      pretrained;
    - *fails* where it diverged; where it is at chance at or above a rate that trains half of its runs or more, or its
      updates add up to the size of the weights (`MOVED`) and its loss has stopped; where it has learnt something but
      not enough, above the rate of L*: there a larger rate does not help;
    - was *too slow* otherwise.

    Where no rate lowers the loss by `LEARNT` of L_0 (`FELL` where no constant prediction is known), none trains.

    Args:
        runs: the runs along one hyperparameter, everything else equal; each diverged or came to its end.
        rates: its value for each.
        rising: whether training goes faster and then fails the larger it is, as with a learning rate; else a run at
            chance fails where any value trains, and one that learnt too little was too slow.

    Returns:
        One word per run; None where its loss is not known, or what knowing nothing costs.
    """
    levels = [run.ignorant for run in runs.values() if not run.diverged and math.isfinite(run.ignorant)]
    level = float(np.median(levels)) if levels else math.nan
    best, least = _best_rate(runs, rates)
    clear = FELL if all(math.isnan(run.constant) for run in runs.values()) else LEARNT
    enough = level - HALF * (level - least) if level - least > clear * abs(level) else -math.inf
    chance = dict(zip(runs, dead(list(runs.values())), strict=True))
    train = {key: not chance[key] and run.last <= enough for key, run in runs.items() if _known(run)}
    train = {} if math.isnan(level) else train | {key: False for key, run in runs.items() if run.diverged}
    lowest = min((rate for rate in set(rates.values()) if _half(train, rates, rate)), default=math.inf)
    if not rising:
        lowest, best = (lowest if math.isinf(lowest) else -math.inf), math.inf

    def word(key: Key, run: Course) -> Verdict | None:
        if run.diverged:
            return "fails"
        if key not in train:
            return None
        if train[key]:
            return "trains"
        if chance[key] or enough == -math.inf:
            return "fails" if rates[key] >= lowest or has_moved_and_stopped(run) else "too slow"
        return "fails" if rates[key] > best else "too slow"

    return {key: word(key, run) for key, run in runs.items()}


def has_moved_and_stopped(run: Course) -> bool:
    """Return whether a run's updates add up to the size of its weights (`MOVED`) and its loss falls no more."""
    return run.path >= MOVED and has_stopped(run.losses, run.epochs)


def has_stopped(losses: Sequence[float], epochs: Sequence[float] = ()) -> bool:
    """Return whether a curve no longer falls: a line through its last half falls by `STOPPED` of its level or less.

    Args:
        losses: the values of the curve.
        epochs: where they lie; empty: 1, 2, 3, ...
    """
    if len(losses) < FEWEST:
        return False
    kept = max(3, len(losses) // 2)
    part, x = (np.asarray(values[-kept:], dtype=np.float64) for values in (losses, epochs or range(len(losses))))
    fall = -float(np.polyfit(x - x[0], part, 1)[0]) * float(x[-1] - x[0])
    return fall <= STOPPED * abs(float(part.mean()))


def _by_training(run: Course) -> bool | None:
    if math.isnan(run.constant) or not run.losses:
        return None
    lower = LEARNT * abs(run.constant)
    rose = len(run.losses) > 1 and run.losses[-1] - run.losses[-2] > lower
    return run.losses[-1] < run.constant - lower and not rose


def _by_validation(run: Course) -> bool | None:
    if math.isnan(run.constant_valid) or math.isnan(run.valid):
        return None
    few = ERRORS**2 / run.samples if run.samples > 0 else 0.0
    return run.valid < run.constant_valid - (LEARNT + few) * abs(run.constant_valid)


def _by_accuracy(run: Course) -> bool | None:
    if math.isnan(run.constant_accuracy) or math.isnan(run.accuracy):
        return None
    share = max(run.constant_accuracy, run.untrained_accuracy if run.untrained_accuracy >= 0 else 0.0)
    error = math.sqrt(share * (1 - share) / run.samples) if run.samples > 0 else 0.0
    return run.accuracy > share + ERRORS * error + 1e-9


def _known(run: Course) -> bool:
    return not run.diverged and math.isfinite(run.last)


def _best_rate(runs: Mapping[Key, Course], rates: Mapping[Key, float]) -> tuple[float, float]:
    """Return the rate whose runs have the least mean loss at the end, the lowest of equal ones, and that loss.

    Rates at which a run diverged or is at chance count by those that are not.
    """
    ends: dict[float, list[float]] = {}
    for key, run in runs.items():
        if _known(run) and not at_chance(run):
            ends.setdefault(rates[key], []).append(run.last)
    means = {rate: float(np.mean(ends[rate])) for rate in sorted(ends)}
    best = min(means, key=lambda rate: means[rate], default=math.nan)
    return best, means.get(best, math.nan)


def _half(train: Mapping[Key, bool], rates: Mapping[Key, float], rate: float) -> bool:
    own = [trains for key, trains in train.items() if rates[key] == rate]
    return 2 * sum(own) >= len(own) > 0

"""After which updates a trial is evaluated, and what its reports call these places."""

import math
from fractions import Fraction

from hpsearch.base.types import whole_or_fraction


def evaluation_steps(
    steps: int, per_epoch: int, every: float | None, every_steps: int | None = None
) -> tuple[int, ...]:
    """Return the updates, from 1, after which a trial is evaluated; the last one always is.

    Args:
        steps: updates in all.
        per_epoch: updates in one pass over the training part.
        every: passes between evaluations; a fraction of one that no update ends with counts as over after the next.
        every_steps: updates between evaluations, in place of `every`.

    Example:
        >>> evaluation_steps(20, 10, 0.75), evaluation_steps(20, 10, 1), evaluation_steps(20, 10, None, 7)
        ((8, 15, 20), (10, 20), (7, 14, 20))
    """
    stride = Fraction(every_steps) if every_steps else Fraction(str(every)) * per_epoch
    if stride <= 1:
        return tuple(range(1, steps + 1))
    places = {math.ceil(place * stride) for place in range(1, math.floor(steps / stride) + 1)}
    return tuple(sorted(places | {steps})) if steps else ()


def end_steps(steps: int) -> tuple[int, ...]:
    """Return the updates at 95, 97.5 and 100 % of a training, rounded; fewer where they coincide.

    The mean of a metric over these evaluations is a trial's score (`hpsearch.base.types.Objective.reduce` ``end``): one
    evaluation jitters from update to update as much as seeds differ. The share of the training is the same however
    many updates or epochs it has, so that what is still gained over it (the drift) does not favour short trainings.

    Args:
        steps: updates in all.

    Example:
        >>> end_steps(200), end_steps(20), end_steps(3), end_steps(0)
        ((190, 195, 200), (19, 20), (3,), ())
    """
    return tuple(sorted({(share * steps + 20) // 40 for share in (38, 39, 40)} - {0}))


def epoch_at(step: int, steps: int, per_epoch: int, whole_only: bool) -> float:
    """Return how many passes over the training part a trial has made, a whole number (an int) where it is one.

    Args:
        step: updates so far.
        steps: updates in all.
        per_epoch: updates in one pass.
        whole_only: whether a trial reports whole passes only; its last one counts as one then, even if cut short.
    """
    return -(-step // per_epoch) if whole_only and step == steps else whole_or_fraction(step / per_epoch)

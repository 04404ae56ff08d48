"""Sentences' parts that several pages write alike."""

from collections.abc import Sequence

from hpsearch.base import words
from hpsearch.base.types import TrialTable
from hpsearch.statistics.intervals import Interval, mean_of, standard_deviation
from hpsearch.statistics.shares import clopper_pearson


def of_several_codes(versions: int) -> str:
    """Say that a study's trials were trained by several versions of the user's own code; empty for one."""
    if versions < 2:
        return ""
    return (
        f"COMPLETE trials were trained by {versions} versions of the code (`code` in trials.csv): a difference between "
        "points may be one between versions."
    )


def averaged_weights(table: TrialTable) -> str:
    """Say that scores are of averaged weights, of all trials or of some; empty where none are."""
    if "weights" not in table.trials:
        return ""
    said = table.trials["weights"].dropna()
    rules = said.unique().tolist()
    if not rules:
        return ""
    how = f" {rules[0].partition(' ')[2]}" if len(rules) == 1 else ", each as `weights` in trials.csv says"
    what = "Scores" if len(said) == len(table.trials) else f"In {len(said)} of {len(table.trials)} trials scores"
    return f"{what} and validation losses are of averaged weights{how}; training losses are of those that are trained."


def signed_interval(mean: float, interval: Interval) -> tuple[str, str, str]:
    """Write a difference and the ends of its interval with their signs, and the decimals that the interval deserves."""
    precision = words.interval_precision(interval.low, interval.high)
    size, low, high = (precision.write(value, "+") for value in (mean, interval.low, interval.high))
    return size, low, high


def seeds_that_train(
    trained: int, dead: int, diverged: int, scores: Sequence[float], noun: str = "seed", *, slow: bool = False
) -> str:
    """Write how many seeds train, their scores, what becomes of the others, and the share that trains.

    Args:
        trained: how many train.
        dead: how many stay at chance.
        diverged: how many diverge.
        scores: of those that train.
        noun: what they are.
        slow: whether some of those are above chance and yet too slow to be said to train.

    Returns:
        ``4 of 5 seeds train (0.845 ± 0.006), 1 stays at chance; the share that trains is 28 to 99 % (95 %
        Clopper-Pearson interval)``.
    """
    n = trained + dead + diverged
    given = f" ({words.score(mean_of(scores), standard_deviation(scores))})" if trained and len(scores) else ""
    lost = [
        f"{k} {verb}{'s' * (k == 1)}{rest}"
        for k, verb, rest in ((dead, "stay", " at chance"), (diverged, "diverge", ""))
        if k
    ]
    share = clopper_pearson(trained, n)
    verb = "do better than chance" if slow else "trains" if n == 1 else "train"
    return (
        f"{trained} of {words.count(n, noun)} {verb}{given}, {' and '.join(lost)}; the share that "
        f"{'does' if slow else 'trains'} is "
        f"{100 * share.low:.0f} to {100 * share.high:.0f} % (95 % Clopper-Pearson interval)"
    )

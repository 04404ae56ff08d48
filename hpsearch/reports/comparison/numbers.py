"""Two studies against each other: whose best point is better, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.base import words
from hpsearch.base.replicates import NO_SEEDS
from hpsearch.base.types import TrialTable
from hpsearch.reports.kit.points import Point, Results
from hpsearch.reports.kit.texts import signed_interval
from hpsearch.statistics.intervals import Interval, paired_interval, welch_interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """The best points of two studies against each other.

    Attributes:
        difference: mean score of the second one's minus that of the first one's; None when they are not comparable.
        interval: 95 % interval for it; None with fewer than two seeds on a side.
        paired: seeds and folds that both have, when these are all of them; 0 when they are not the same ones.
        refused: why there is no difference; empty when there is one.
    """

    difference: float | None
    interval: Interval | None
    paired: int
    refused: str

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high


def compare(first: Results, second: Results) -> Comparison:
    """Compare the best points of two studies.

    Where both were trained with the same seeds and folds, two or more, the interval is that of the paired differences,
    else Welch's for two independent samples.

    Args:
        first: result of one study.
        second: result of the other.

    Returns:
        The difference, second minus first.
    """
    refused = _refused(first, second)
    if refused or first.quoted is None or second.quoted is None:
        return Comparison(None, None, 0, refused)
    one, other = first.quoted, second.quoted
    paired = one.n if one.replicates == other.replicates else 0
    interval = (paired_interval if paired else welch_interval)(other.scores, one.scores)
    return Comparison((other.mean or 0.0) - (one.mean or 0.0), interval, paired, "")


def verdict(comparison: Comparison, first: Results, second: Results) -> str:
    """Return one sentence that says which study's best point is better, with the interval."""
    if comparison.difference is None or first.quoted is None or second.quoted is None:
        return f"The two studies cannot be compared: {comparison.refused}."
    higher = (comparison.difference > 0) == first.objective.maximize
    better, worse = (second, first) if higher else (first, second)
    means = f"{first.name} {_mean(first.quoted)}, {second.name} {_mean(second.quoted)}"
    metric, interval = first.objective.metric, comparison.interval
    if interval is None:
        alike = [study.name for study in (first, second) if study.quoted is not None and study.quoted.alike]
        where = f" ({NO_SEEDS} in {' and in '.join(alike)})" if alike else ""
        return f"Best {metric}: {means}; without two seeds on both sides{where} no interval can be given."
    how = f"paired over {words.count(comparison.paired, 'seed')}" if comparison.paired else "unpaired, Welch"
    size, low, high = shown(comparison)
    between = f"{size} (95 % interval {low} to {high}, {how})"
    if not comparison.told_apart:
        return f"The two may be equal, as far as these seeds show: best {metric} {means}, a difference of {between}."
    return f"{better.name} is better than {worse.name}: best {metric} {means}, a difference of {between}."


def shown(comparison: Comparison) -> tuple[str, str, str]:
    """Write a difference and the ends of its interval with as many decimals as the interval deserves.

    Args:
        comparison: with a difference.

    Returns:
        Three signed numbers, the last two empty where there is no interval.
    """
    difference, interval = comparison.difference or 0.0, comparison.interval
    if interval is None:
        return words.precision(difference).write(difference, "+"), "", ""
    return signed_interval(difference, interval)


def doubts(comparison: Comparison, tables: Sequence[TrialTable], one: Results, other: Results) -> list[str]:
    """Return what to know before believing a comparison, one sentence each.

    Args:
        comparison: of the two.
        tables: of both studies.
        one: result of the first.
        other: result of the second.

    Returns:
        The sentences; none where nothing is compared.
    """
    if comparison.difference is None:
        return []
    points = f"{words.count(len(one.eligible), 'point')} in {one.name}, {len(other.eligible)} in {other.name}"
    lines = [
        f"Each best point was picked by the same {one.objective.metric} that is quoted and looks better than it is, "
        f"the more so the more were tried: {points}."
    ]
    digests = [_digest(table) for table in tables]
    if all(digests) and digests[0] != digests[1]:
        lines.append("The two were trained on other data or another split: a difference may be that of the data.")
    codes = [codes_of(table) for table in tables]
    if all(codes) and codes[0] != codes[1]:
        lines.append("The two were trained by other code: a difference may be that of the code.")
    if one.objective.reduce != other.objective.reduce:
        lines.append("Their scores are not made alike: objective.reduce differs.")
    if not comparison.paired:
        lines.append("Their seeds are not the same, so that the difference cannot be taken seed by seed.")
    return lines


def codes_of(table: TrialTable) -> list[str]:
    """Return the digests of the code of a user's own that trained a study, none where hpsearch's loop did."""
    return sorted(table.trials["code"].dropna().unique()) if "code" in table.trials else []


def _refused(first: Results, second: Results) -> str:
    one, other = first.objective, second.objective
    if (one.metric, one.direction) != (other.metric, other.direction):
        asked = " and ".join(f"{s.name} {o.direction}s {o.metric}" for s, o in ((first, one), (second, other)))
        return f"their objectives differ ({asked})"
    without = [study.name for study in (first, second) if study.quoted is None]
    return f"no point of {' and of '.join(without)} is complete" if without else ""


def _mean(best: Point) -> str:
    return f"{words.score(best.mean, best.sd)} (n = {best.n})"


def _digest(table: TrialTable) -> str:
    known = table.trials["data.digest"].dropna().tolist() if "data.digest" in table.trials else []
    return str(known[0]) if known else ""

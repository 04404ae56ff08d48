"""Two studies against each other: whose best point is better, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpsearch.base import words
from hpsearch.base.replicates import NO_SEEDS
from hpsearch.base.types import TrialTable
from hpsearch.reports.comparison.names import codes_of
from hpsearch.reports.kit.evidence import StudyIntervals, by_seed
from hpsearch.reports.kit.points import Point, Results
from hpsearch.reports.kit.texts import signed_interval
from hpsearch.statistics.crossed import FEWEST_SEEDS
from hpsearch.statistics.intervals import Interval, folds_interval, mean_interval, welch_interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """The best points of two studies against each other.

    Attributes:
        difference: mean score of the second one's minus that of the first one's, over the seeds that both have where it
            is paired; None when they are not comparable.
        interval: 95 % interval for it; None with fewer than three seeds on a side, and where nothing scatters.
        paired: how many seeds both have, of two studies that are paired by them; else 0.
        shared: whether these are all seeds of both.
        refused: why there is no difference; empty when there is one.
    """

    difference: float | None
    interval: Interval | None
    paired: int
    refused: str
    shared: bool = True

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high


def compare(first: Results, second: Results) -> Comparison:
    """Compare the best points of two studies.

    Where both were trained with three seeds or more that are the same, the difference is paired over these; else the
    interval is Welch's for two independent samples. Over folds the means of seeds are compared; of fewer than three
    seeds the differences fold by fold, corrected for the samples that folds share.

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
    common = sorted(set(one.replicates) & set(other.replicates))
    if len(common) >= FEWEST_SEEDS:
        differences, shared = by_seed(common, _scores(other, common) - _scores(one, common))
        whole = len(common) == one.n == other.n
        interval = mean_interval(differences[0].tolist()) if not shared else _over_folds(differences[0], shared)
        seeds = len({seed for seed, _ in common})
        return Comparison(float(differences.mean()), _wide(interval), seeds, "", whole)
    welch = welch_interval(other.scores, one.scores) if min(one.n, other.n) >= FEWEST_SEEDS else None
    return Comparison((other.mean or 0.0) - (one.mean or 0.0), _wide(welch), 0, "")


def _scores(best: Point, replicates: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Return the scores ``[1, replicate]`` of these replicates."""
    known = dict(zip(best.replicates, best.scores, strict=True))
    return np.asarray([[known[each] for each in replicates]])


def _over_folds(differences: NDArray[np.float64], shared: float) -> Interval | None:
    return folds_interval(differences.tolist(), round(1 + 1 / shared))


def _wide(interval: Interval | None) -> Interval | None:
    return interval if interval is not None and interval.low < interval.high else None


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
        few = min(first.quoted.n, second.quoted.n) < FEWEST_SEEDS
        why = f"without three seeds on both sides{where}" if few else "where nothing scatters"
        return f"Best {metric}: {means}; {why} no interval can be given."
    which = "" if comparison.shared else " that both have"
    how = f"paired over {words.count(comparison.paired, 'seed')}{which}" if comparison.paired else "unpaired, Welch"
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
    elif comparison.interval is not None and comparison.paired:
        these = StudyIntervals(tables[0], one.objective).these("valid") or "on these samples"
        lines.append(f"The difference is over seeds, {these}: on others the two may compare otherwise.")
    codes = [codes_of(table) for table in tables]
    if all(codes) and codes[0] != codes[1]:
        lines.append("The two were trained by other code: a difference may be that of the code.")
    if one.objective.reduce != other.objective.reduce:
        lines.append("Their scores are not made alike: objective.reduce differs.")
    if not comparison.paired:
        lines.append("They share too few seeds, so that the difference cannot be taken seed by seed.")
    return lines


def _loss(study: Results) -> str:
    """Write what a study's loss is."""
    options = ", ".join(f"{key} {value}" for key, value in study.loss.items() if key != "_target_")
    return str(study.loss.get("_target_", "")).rpartition(".")[2] + (f" with {options}" if options else "")


def _refused(first: Results, second: Results) -> str:
    one, other = first.objective, second.objective
    if (one.metric, one.direction) != (other.metric, other.direction):
        asked = " and ".join(f"{s.name} {o.direction}s {o.metric}" for s, o in ((first, one), (second, other)))
        return f"their objectives differ ({asked})"
    if first.loss != second.loss:
        return f"{one.metric} is not the same measure in both ({_loss(first)} and {_loss(second)})"
    without = [study.name for study in (first, second) if study.quoted is None]
    return f"no point of {' and of '.join(without)} is complete" if without else ""


def _mean(best: Point) -> str:
    return f"{words.score(best.mean, best.sd)} (n = {best.n})"


def _digest(table: TrialTable) -> str:
    known = table.trials["data.digest"].dropna().tolist() if "data.digest" in table.trials else []
    return str(known[0]) if known else ""

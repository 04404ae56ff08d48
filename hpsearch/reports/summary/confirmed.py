"""What fresh seeds say of the best points of a search over one seed, in words and rows."""

from collections.abc import Sequence

from hpsearch.base import words
from hpsearch.base.replicates import NO_SEEDS
from hpsearch.reports.kit.cells import Cell
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import INACTIVE
from hpsearch.reports.kit.tables import Row, Table, evidence
from hpsearch.reports.summary.numbers import Summary
from hpsearch.reports.summary.tables import setting
from hpsearch.statistics.optimism import measured_optimism


def over_fresh(summary: Summary) -> str:
    """Return over what the quoted scores are: `` over 3 fresh seeds``; empty where there are none."""
    fresh = summary.fresh
    return f" over {words.count(len(fresh.seeds), 'fresh seed')}" if fresh and fresh.points else ""


def chosen_at(summary: Summary, best: Point) -> str:
    """Return the clause that says on what the choice was made, or that no point came through; empty without seeds."""
    fresh = summary.fresh
    if fresh is None or fresh.why == NO_SEEDS:
        return ""
    if not fresh.points:
        of = "the best point" if fresh.chosen == 1 else f"none of the {fresh.chosen} best points"
        verb = "did not come" if fresh.chosen == 1 else "came"
        return f"; {of} {verb} to its end with every one of {words.count(len(fresh.seeds), 'fresh seed')}"
    searched = next(point for point in summary.eligible if point.point == best.point)
    place = "as the best" if best.point == fresh.top.point else "as one of the best"
    which = f"{place} of {words.count(fresh.of, 'point')}, at {words.score(searched.mean)}"
    return f"; it was chosen by seed {fresh.seed}, {which}"


def lost_on_fresh(summary: Summary) -> str:
    """Name the points that did not come to their end with every fresh seed, and why not all were trained."""
    fresh = summary.fresh
    if fresh is None or fresh.why == NO_SEEDS:
        return ""
    parts = [
        f"{words.settings(point.params)} ({point.n} of {len(fresh.seeds)}{_diverged(point)})" for point in fresh.lost
    ]
    text = f"Not COMPLETE over the fresh seeds: {'; '.join(parts)}." if parts else ""
    left_out = f"Not all that were chosen were trained over the fresh seeds: {fresh.why}." if fresh.why else ""
    return " ".join(filter(None, (text, left_out)))


def _diverged(point: Point) -> str:
    return f", {point.diverged} diverged" if point.diverged else ""


def measured(summary: Summary) -> str:
    """Say by how much the best score of the search was too good; empty where no fresh seeds tell."""
    fresh = summary.fresh
    if fresh is None:
        return ""
    first = next((point for point in fresh.points if point.point == fresh.top.point), None)
    if first is None or first.mean is None or fresh.top.mean is None or first.n < 2:
        return ""
    gap = measured_optimism(fresh.top.mean, first.scores, summary.objective.maximize)
    written = words.precision(first.mean, first.sd)
    low, high = (written.write(end, "+") for end in (gap.low, gap.high))
    size = written.write(abs(gap.value))
    how = f"{size} too good (by " if gap.low > 0 else f"a difference of {size} (too good by "
    how = f"a difference of {size}, which may be chance (too good by " if gap.low <= 0 <= gap.high else how
    whose = "It" if fresh.points[0] is first else f"The best of seed {fresh.seed}, {words.settings(first.params)},"
    return (
        f"{whose} was chosen at {written.write(fresh.top.mean)} on seed {fresh.seed}, as the best of "
        f"{words.count(fresh.of, 'point')}, and has {written.write(first.mean)} over the fresh seeds: {how}"
        f"{low} to {high}, 95 % t interval over the fresh seeds)."
    )


def not_confirmed(summary: Summary, confirm: int) -> str:
    """Say why a search over one seed has no fresh seeds; empty where it should have none.

    Args:
        summary: the study's result.
        confirm: fresh seeds that it was asked for.

    Returns:
        A sentence.
    """
    if summary.fresh is not None or not confirm or summary.objective.others or len(summary.eligible) < 2:
        return ""
    why = summary.ended or "the search has not ended"
    return f"Its best points were not trained over fresh seeds (study.confirm = {confirm}): {why}."


def fresh_table(summary: Summary) -> Table | None:
    """Return one row per point that was trained over fresh seeds; None without any.

    Args:
        summary: the study's result.

    Returns:
        Its hyperparameters, mean, sd, interval and n over the fresh seeds, and its score on the seed of the search.
    """
    fresh = summary.fresh
    if fresh is None or not (fresh.points or fresh.lost):
        return None
    metric, searched = summary.objective.metric, {p.point: p for p in summary.points}
    names = [axis.name for axis in summary.axes]
    headings = ("point", *names, metric, "sd", "95 % interval", "n", f"on seed {fresh.seed}", "state")
    points: Sequence[Point] = (*fresh.points, *fresh.lost)
    rows = []
    for point in points:
        cells = [Cell(str(point.point), float(point.point))]
        cells += [setting(axis, point.params.get(axis.key, INACTIVE)) for axis in summary.axes]
        cells += [*evidence(point), Cell(str(point.n), float(point.n))]
        cells += [_score(searched[point.point].mean), Cell(point.state.value)]
        rows.append(Row(tuple(cells), point.state, point in fresh.points[:1]))
    return Table(headings, tuple(rows), len(rows))


def _score(value: float | None) -> Cell:
    return Cell(words.score(value), value)

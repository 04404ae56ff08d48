"""What a study found: its points, the best one, how sure that is, and which values train."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from hpsearch.base.keys import ARGS
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.base.widening import Widening
from hpsearch.reports.kit.ends import End, ends_by_point, score_note
from hpsearch.reports.kit.fresh import searched_part
from hpsearch.reports.kit.losses import losses_note
from hpsearch.reports.kit.points import Point, Results, rankable, ranked, results_of
from hpsearch.reports.kit.setup import code_versions
from hpsearch.reports.kit.space import Axis, floats
from hpsearch.reports.kit.texts import averaged_weights
from hpsearch.reports.kit.training import failed_points
from hpsearch.reports.summary.boundary import Frontier, frontier_of
from hpsearch.reports.summary.importance import RESAMPLES, Importance, importance
from hpsearch.reports.summary.pareto import Front, front_of
from hpsearch.reports.summary.pruning import Pruning, pruning_of
from hpsearch.reports.summary.ranges import Near, extensions_of, near_best, ranged
from hpsearch.reports.summary.rates import Rates, rates_of
from hpsearch.reports.summary.standing import Standing, allow_for_picking, stand
from hpsearch.statistics.optimism import expected_maximum

EDGE = 0.1  # a best value in the outer tenth of its range lies at an edge


@dataclass(frozen=True, slots=True)
class Summary(Results):
    """A study's result as numbers.

    Attributes:
        ties: other points with exactly the best mean.
        standing: which points may be as good as the best; None where their seeds cannot say.
        optimism: by how much the best mean would be too good if all points were equal and of the median spread; None
            with one replicate.
        rates: which values of `main` train, are too slow, fail; None for a category.
        at_edge: ``low`` or ``high`` by key, where the best value lies in the outer tenth of the tried range.
        extensions: how ranges were widened because the best value lay at their edge.
        near: the points close to the best; None with fewer than two to compare.
        frontier: where scattered points fail, of a study with several hyperparameters.
        pruning: what pruning saved; None when nothing was pruned.
        front: the Pareto front of a study with several objectives.
        wall_sec: from the first start to the last end.
        versions: of the user's own code, that trained its COMPLETE trials.
        losses: that its points have different losses, in a sentence; empty where they have one.
        weights: which weights its scores are of, in a sentence; empty where they are not averaged.
        confirm: fresh seeds that its best points should be trained over.
        scored: what the score of a trial is, in a sentence.
        ends: the metric at the ends of its trials, by point, where a score is the mean of several evaluations.
        lineage: which of its trials go on from the last state of others, in a sentence; empty where none does.
    """

    ties: tuple[Point, ...]
    standing: Standing | None
    optimism: float | None
    rates: Rates | None
    at_edge: Mapping[str, str]
    extensions: tuple[Widening, ...]
    near: Near | None
    frontier: Frontier | None
    pruning: Pruning | None
    front: Front | None
    wall_sec: float
    versions: int
    losses: str
    weights: str
    scored: str
    ends: Mapping[int, End]
    lineage: str
    confirm: int


def summarize(table: TrialTable) -> Summary:
    """Compute what a study found.

    Args:
        table: the study.

    Returns:
        Its points, the best one, which values train, and the numbers behind the caveats.
    """
    results = results_of(table)
    best, axes, points = results.best, results.axes, results.points
    eligible = rankable(points, results.replicates)
    others, inside = [p for p in eligible if p is not best], ranged(axes, table.study)
    top = next(iter(ranked(eligible, results.objective)), None)
    fresh, objective = results.fresh, results.objective
    pruned = sum(p.state is TrialState.PRUNED for p in points)
    if fresh is not None and fresh.points:
        standing = stand(fresh.points[0], fresh.points, objective)
    else:
        standing = stand(best, eligible, objective, pruned)
    allow_for_picking(results.quoted, standing, objective)
    return Summary(
        **{field.name: getattr(results, field.name) for field in fields(results)},
        ties=tuple(p for p in others if best is top and best and p.mean == best.mean),
        standing=standing,
        optimism=_optimism(eligible),
        rates=_rates(table, results),
        at_edge={} if best is None else open_edges(best, inside, points, standing),
        extensions=extensions_of(table.study),
        near=near_best(top, eligible, objective) if inside or not axes else None,
        frontier=frontier_of(axes, points, failed_points(table)) if len(axes) > 1 else None,
        pruning=pruning_of(searched_part(table), objective.metric),
        front=front_of(results),
        wall_sec=_wall(table),
        versions=code_versions(table),
        losses=losses_note(table, "point"),
        weights=averaged_weights(table),
        scored=score_note(table),
        ends=ends_by_point(table, results.objective),
        lineage=_lineage(table),
        confirm=_confirm(table),
    )


def edges_of(best: Point, axes: Sequence[Axis]) -> dict[str, str]:
    """Return the numeric hyperparameters whose best value lies in the outer tenth of the values tried.

    Args:
        best: the best point.
        axes: the searched hyperparameters; those with fewer than three values have no inside and are skipped.

    Returns:
        ``low`` or ``high`` by key; where the lowest value is 0 nothing lies below, but of a function's own argument.
    """
    places = {
        a.key: a.relative(best.params[a.key]) for a in axes if a.numeric and len(a.values) > 2 and a.key in best.params
    }
    sides = {k: "low" if place < 0.5 else "high" for k, place in places.items() if not EDGE <= place <= 1 - EDGE}
    ends = {a.key for a in axes if a.values[0] == 0 and not a.key.startswith(f"{ARGS}.")}
    return {k: side for k, side in sides.items() if side == "high" or k not in ends}


def open_edges(best: Point, axes: Sequence[Axis], points: Sequence[Point], standing: Standing | None) -> dict[str, str]:
    """Return the edges at which better values may lie: not those beyond which one was tried and is no rival.

    Args:
        best: the best point.
        axes: the searched hyperparameters.
        points: all points that were tried.
        standing: of the points beside the best.

    Returns:
        What `edges_of` says. Of a single hyperparameter no edge stays beyond which a point has ended that cannot be as
        good as the best, and none where a point away from the edge has exactly the best mean.
    """
    edges = edges_of(best, axes)
    if len(axes) != 1 or not edges:
        return edges
    (axis,), rivals = axes, standing.rivals if standing else ()
    sign = 1 if edges[axis.key] == "high" else -1
    other = [(sign * (axis.place_in(p.params) - axis.place_in(best.params)), p) for p in points if p is not best]
    beaten = any(beyond > 0 and p.state.finished and p not in rivals for beyond, p in other)
    tied = any(p.mean == best.mean and edges_of(p, axes) != edges for _, p in other)
    return {} if beaten or tied else edges


def _confirm(table: TrialTable) -> int:
    asked = dict(dict(table.study.get("config") or {}).get("study") or {})
    return int(asked.get("confirm", 0)) if asked.get("seeds", 1) == 1 and table.trials["fold"].nunique() < 2 else 0


def _lineage(table: TrialTable) -> str:
    """Say which trials go on from others; empty where none does."""
    if "continued" not in table.trials:
        return ""
    rows = table.trials[table.trials["continued"].notna()]
    pairs = [f"{row.point}/{row.seed} from {row.continued}" for row in rows.itertuples()]
    several = "Trials go" if len(pairs) > 1 else "Trial goes"
    return f"{several} on from the last state of another one, whose curve theirs begins with: {'; '.join(pairs)}."


def _wall(table: TrialTable) -> float:
    started, ended = (floats(table.trials[name]) for name in ("started", "ended"))
    known = np.isfinite(ended)
    return float(ended[known].max() - np.nanmin(started)) if known.any() else 0.0


def _optimism(eligible: Sequence[Point]) -> float | None:
    errors = [p.sd / math.sqrt(p.n) for p in eligible if p.sd is not None]
    return expected_maximum(len(eligible)) * float(np.median(errors)) if len(errors) > 1 else None


def _rates(table: TrialTable, results: Results) -> Rates | None:
    main, best = results.main, results.best
    if main is None or not main.numeric or (best is not None and main.key not in best.params):
        return None
    return rates_of(table, main, {p.point: p.params for p in results.points}, best.point if best else None)


@dataclass(frozen=True, slots=True)
class Findings:
    """A study's tables and what they support.

    Attributes:
        table: the study.
        summary: its result.
        importance: which hyperparameters matter; None with fewer than two.
    """

    table: TrialTable
    summary: Summary
    importance: Importance | None


def find(table: TrialTable, resamples: int = RESAMPLES) -> Findings:
    """Compute what a study's tables support, the intervals of importances from so many resamples."""
    summary = summarize(table)
    return Findings(table, summary, importance(summary, resamples))

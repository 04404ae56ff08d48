"""How much each searched hyperparameter matters, with an interval, and whether the two strongest act together."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hpsearch.base.types import Objective, TrialState
from hpsearch.base.words import count
from hpsearch.reports.kit.beside import FORESTS, begin
from hpsearch.reports.kit.curves import Array
from hpsearch.reports.kit.points import Point, Results
from hpsearch.reports.kit.space import INACTIVE, Axis
from hpsearch.reports.summary.association import Association, strongest_association
from hpsearch.reports.summary.fanova import Forest, grow_forest
from hpsearch.reports.summary.ped_anova import CELLS, Indices, best_of_all, cells_of, importance_along
from hpsearch.statistics.intervals import binary_scale, power_of_two
from hpsearch.statistics.ranks import ranks_of

RESAMPLES = 100
LEVEL = 0.95
FEWEST = 20  # complete points below which shares are chance
MOST = {"fANOVA": 1000, "PED-ANOVA": 500}  # points beyond which a random subset stands for all
SHOWN = 8  # hyperparameters side by side
_SEED = 20_000  # of resamples and trees: the same study gives the same numbers
_BEST_SHARE, _FEWEST_BEST = 0.1, 5  # PED-ANOVA: what counts as among the best
_FEW_VALUES = 10
_FEW = 8  # complete points below which a map of them shows nothing
_GRID = 40  # cells of a surface, along a numeric key


@dataclass(frozen=True, slots=True)
class Share:
    """The share of one hyperparameter, or of two together.

    Attributes:
        name: in words.
        keys: the dotted key, or both.
        share: of the whole, between 0 and 1.
        low: lower end of its interval.
        high: upper end.
    """

    name: str
    keys: tuple[str, ...]
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """What one method finds.

    Attributes:
        method: its name.
        shares: one per hyperparameter, the largest first; none when it is refused.
        points: how many points it read.
        of: how many there are; more than `points` where a random subset stands for all.
        refused: why there is no number, in words; empty when there is.
        left_out: why a hyperparameter has no share, by key.
    """

    method: str
    shares: tuple[Share, ...] = ()
    points: int = 0
    of: int = 0
    refused: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surface:
    """The mean score over two hyperparameters, all others averaged over their ranges.

    Attributes:
        keys: the hyperparameters along x and y.
        x: places along the first axis (`Axis.place`).
        y: places along the second.
        z: predicted mean score `[y, x]`.
    """

    keys: tuple[str, str]
    x: tuple[float, ...]
    y: tuple[float, ...]
    z: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Importance:
    """Which hyperparameters matter.

    Attributes:
        fanova: shares of the variance of the score.
        ped: shares of what sets the best points apart.
        interaction: share of the variance that the two strongest have only together, beyond what each has alone.
        surface: the predicted score over these two.
        fit: how much of the variance a forest predicts in points that it has not seen (R^2).
        resamples: how many bootstrap resamples of the points the intervals rest on.
        level: nominal coverage of the intervals.
        association: what goes with the score, where there are no shares of its variance; None where there are.
    """

    fanova: Ranking
    ped: Ranking
    interaction: Share | None = None
    surface: Surface | None = None
    fit: float | None = None
    resamples: int = RESAMPLES
    level: float = LEVEL
    association: Association | None = None


def importance(results: Results, resamples: int = RESAMPLES) -> Importance | None:
    """Return how much each searched hyperparameter matters.

    fANOVA (Hutter et al. 2014, https://proceedings.mlr.press/v32/hutter14.html): a forest of regression trees, each
    grown on a resample of the points, is fitted to the mean scores of COMPLETE points; with x uniform over the ranges
    tried, on the scale on which each is searched, the share of key j is ``Var[E[f | x_j]] / Var[f]``, and what two keys
    have only together is ``(Var[E[f | x_i, x_j]] - Var[E[f | x_i]] - Var[E[f | x_j]]) / Var[f]``.

    PED-ANOVA (Watanabe et al. 2023, https://arxiv.org/abs/2304.10255) asks what sets the best tenth (at least 5)
    apart from all points: the Pearson divergence of their densities along each key, as shares of their sum. It ranks
    only, so PRUNED and INFEASIBLE points count as not among the best; fANOVA leaves them out, because a score after
    fewer epochs, or a made-up one, would count as if it had been measured.

    Intervals are percentiles over bootstrap resamples of the points. Beyond 1,000 points (PED-ANOVA:
    500) that many, drawn at random, stand for all.

    Args:
        results: the study's result.
        resamples: how many resamples.

    Returns:
        The shares, or why there are none; None when fewer than two hyperparameters took two values.
    """
    return _importance(results.objective, results.axes, results.points, resamples)


def begin_importance(results: Results) -> Callable[[], Importance | None]:
    """Begin to compute the same beside this process, see `hpsearch.reports.kit.beside`; return what waits for it."""
    points = [replace(point, intervals=None) for point in results.points]  # they would take the whole study along
    return begin(FORESTS, _importance, results.objective, results.axes, points, RESAMPLES)


def _importance(
    objective: Objective, searched: Sequence[Axis], points: Sequence[Point], resamples: int
) -> Importance | None:
    axes = [axis for axis in searched if len(axis.values) > 1]
    if len(axes) < 2:
        return None
    done = [p for p in points if p.mean is not None]
    refused = _refusal(done)
    if refused:
        fanova, ped = (Ranking(method, refused=refused) for method in ("fANOVA", "PED-ANOVA"))
        return Importance(fanova, ped, association=strongest_association(done, axes))
    rng = np.random.default_rng(_SEED)
    fanova, pair, surface, fit = _fanova(_subset(done, "fANOVA", rng), len(done), axes, resamples, rng)
    ended = [p for p in points if p.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.INFEASIBLE)]
    ped = _ped(objective, _subset(ended, "PED-ANOVA", rng), len(ended), axes, resamples, rng)
    association = None if fanova.shares else strongest_association(done, axes)
    return Importance(fanova, ped, pair, surface, fit, resamples, association=association)


def _refusal(done: Sequence[Point]) -> str:
    if len(done) < FEWEST:
        return f"{count(len(done), 'COMPLETE point')}: with fewer than {FEWEST} the shares would be chance"
    if len({p.mean for p in done}) == 1:
        return "all COMPLETE points have the same score"
    return ""


def _subset(points: Sequence[Point], method: str, rng: np.random.Generator) -> list[Point]:
    if len(points) <= MOST[method]:
        return list(points)
    return [points[i] for i in sorted(rng.choice(len(points), MOST[method], replace=False))]


def _fanova(
    points: Sequence[Point], of: int, axes: Sequence[Axis], resamples: int, rng: np.random.Generator
) -> tuple[Ranking, Share | None, Surface | None, float | None]:
    used = [a for a in axes if all(a.key in p.params for p in points) and len({p.params[a.key] for p in points}) > 1]
    left_out = {a.key: _why_left_out(a, points) for a in axes if a not in used}
    if not used:
        none = Ranking("fANOVA", of=of, refused="no key has a value in every point", left_out=left_out)
        return none, None, None, None
    places = np.array([[a.place(p.params[a.key]) for a in used] for p in points])
    low, high = np.array([_ends(a, places[:, i]) for i, a in enumerate(used)]).T
    scores, centre, unit = _standard([p.mean for p in points if p.mean is not None])
    forest = grow_forest((places - low) / (high - low), scores, resamples, rng)
    if forest.fit <= 0:
        why = f"a forest predicts points it has not seen no better than their mean does (R² = {forest.fit:.2f})"
        return Ranking("fANOVA", (), len(points), of, why, left_out), None, None, forest.fit
    shares = [_interval(a.name, (a.key,), forest.main(i)) for i, a in enumerate(used)]
    ranking = Ranking("fANOVA", _ordered(shares), len(points), of, left_out=left_out)
    if len(used) < 2:
        return ranking, None, None, forest.fit
    a, b = np.argsort(-np.mean(forest.gains, axis=0), kind="stable")[:2]
    pair = _interval(f"{used[a].name} with {used[b].name}", (used[a].key, used[b].key), forest.interaction(a, b))
    surface = _surface(forest, used, (a, b), (low, high))
    return ranking, pair, replace(surface, z=_restored(surface.z, centre, unit)), forest.fit


def _standard(scores: Sequence[float]) -> tuple[Array, float, float]:
    """Return scores around zero and of size one, with centre and unit: trees see no differences below 1e-8."""
    unit = binary_scale(scores)
    y = np.array(scores) / unit
    centre = float(np.mean(y))
    size = power_of_two(float(np.max(np.abs(y - centre))))
    return (y - centre) / size, centre * unit, size * unit


def _restored(rows: Sequence[Sequence[float]], centre: float, unit: float) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(centre + value * unit for value in row) for row in rows)


def _why_left_out(axis: Axis, points: Sequence[Point]) -> str:
    if any(axis.key not in p.params for p in points):
        return "has a value only under a condition, and fANOVA needs one in every point"
    return "took one value in the COMPLETE points"


def _ends(axis: Axis, places: Array) -> tuple[float, float]:
    """Return the range that a tree's boxes divide; a category is one unit wide."""
    if not axis.numeric:
        return -0.5, len(axis.values) - 0.5
    return float(places.min()), float(places.max())


def _surface(forest: Forest, axes: Sequence[Axis], pair: tuple[int, int], ends: tuple[Array, Array]) -> Surface:
    low, high = ends
    smooth = all(axes[i].numeric for i in pair)
    at = [np.linspace(0, 1, _GRID) if smooth else _middles(axes[i]) for i in pair]
    z = forest.surface(*pair, *at)
    x, y = (tuple((low[i] + cells * (high[i] - low[i])).tolist()) for i, cells in zip(pair, at, strict=True))
    return Surface((axes[pair[0]].key, axes[pair[1]].key), x, y, tuple(map(tuple, z.tolist())))


def _middles(axis: Axis) -> Array:
    """Return the middles of the cells of a surface with a category: one for each of its values, or equal ones."""
    cells = _GRID if axis.numeric else len(axis.values)
    return (np.arange(cells) + 0.5) / cells


def _ped(
    objective: Objective,
    points: Sequence[Point],
    of: int,
    axes: Sequence[Axis],
    resamples: int,
    rng: np.random.Generator,
) -> Ranking:
    losses, quantile = _losses(objective, points), max(_BEST_SHARE, _FEWEST_BEST / len(points))
    cells = [_cells(axis, points) for axis in axes]
    whole = _ped_shares(cells, losses, quantile)
    resampled = [rng.integers(len(points), size=len(points)) for _ in range(resamples)]
    values = np.array([
        _ped_shares([(of_key[chosen], size, listed) for of_key, size, listed in cells], losses[chosen], quantile)
        for chosen in resampled
    ])
    shares = [_interval(a.name, (a.key,), values[:, i], whole[i]) for i, a in enumerate(axes)]
    return Ranking("PED-ANOVA", _ordered(shares), len(points), of)


def _losses(objective: Objective, points: Sequence[Point]) -> Array:
    """Return scores turned so that smaller is better; points without one are behind all others."""
    sign = -1.0 if objective.maximize else 1.0
    losses = [None if p.mean is None else sign * p.mean for p in points]
    worst = max(loss for loss in losses if loss is not None)
    return np.array([worst + 1 if loss is None else loss for loss in losses])


def _cells(axis: Axis, points: Sequence[Point]) -> tuple[Indices, int, bool]:
    """Return the cell of each point along an axis, how many there are, and whether they are values without an order.

    A density over the values makes no sense for categories, and for numbers of which there are few.
    """
    values = [p.params.get(axis.key, INACTIVE) for p in points]
    if not axis.numeric or len(axis.values) <= _FEW_VALUES:
        return np.array([-1 if v is INACTIVE else axis.values.index(v) for v in values]), len(axis.values), True
    scaled = [None if v is INACTIVE else math.log(v) if axis.scale == "log" else float(v) for v in values]
    low, high = (math.log(end) if axis.scale == "log" else float(end) for end in (axis.values[0], axis.values[-1]))
    return cells_of(scaled, low, high), CELLS, False


def _ped_shares(cells: Sequence[tuple[Indices, int, bool]], losses: Array, quantile: float) -> list[float]:
    """Return one share per key that add up to 1, or all 0."""
    best = best_of_all(losses, quantile)
    found = [importance_along(of_key, size, best, listed=listed) for of_key, size, listed in cells]
    total = sum(found)
    return [value / total if total > 0 else 0.0 for value in found]


def _interval(name: str, keys: tuple[str, ...], values: Array, share: float | None = None) -> Share:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Share(name, keys, float(np.mean(values)) if share is None else share, float(low), float(high))


def _ordered(shares: Sequence[Share]) -> tuple[Share, ...]:
    return tuple(sorted(shares, key=lambda share: -share.share))


def leading(results: Results, importance: Importance | None) -> tuple[Axis, ...]:
    """Return the hyperparameters in the order of their importance, those without one last.

    Args:
        results: the study's result.
        importance: what was found, if anything.

    Returns:
        The axes with at least two values; without importances, those that go most with the score first.
    """
    axes = [axis for axis in strongest(results) if len(axis.values) > 1]
    if importance is None:
        return tuple(axes)
    first = importance.surface.keys if importance.surface else ()
    ranked = [*first, *(s.keys[0] for r in (importance.fanova, importance.ped) for s in r.shares)]
    order = {key: i for i, key in reversed(list(enumerate(ranked)))}
    return tuple(sorted(axes, key=lambda axis: order.get(axis.key, len(ranked))))


def strongest(results: Results) -> tuple[Axis, ...]:
    """Return the axes to show: all, or the 8 whose values go with the score most (Spearman), in the space's order."""
    if len(results.axes) <= SHOWN:
        return results.axes
    ranked = sorted(results.axes, key=lambda axis: -_correlation(results.points, axis))
    return tuple(axis for axis in results.axes if axis in ranked[:SHOWN])


def _correlation(points: Sequence[Point], axis: Axis) -> float:
    pairs = [(axis.place_in(p.params), p.mean) for p in points if p.mean is not None and axis.key in p.params]
    if len(pairs) < 3 or len({x for x, _ in pairs}) < 2 or len({y for _, y in pairs}) < 2:
        return 0.0
    x, y = (ranks_of(values) for values in zip(*pairs, strict=True))
    return abs(float(np.corrcoef(x, y)[0, 1]))


def mappable(results: Results, importance: Importance | None) -> bool:
    """Whether a map of the points shows something: over several hyperparameters, and of points enough."""
    return len(leading(results, importance)) > 1 and sum(p.mean is not None for p in results.points) >= _FEW

"""How much each searched hyperparameter matters, with an interval, and whether the two strongest act together."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.types import TrialState
from hpsearch.base.words import count
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.summary.sweep import Summary

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from sklearn.tree import DecisionTreeRegressor

Array: TypeAlias = NDArray[np.float64]

RESAMPLES = 100
LEVEL = 0.95
FEWEST = 20  # complete points below which shares are chance
MOST = {"fANOVA": 1000, "PED-ANOVA": 500}  # points beyond which a random subset stands for all
_SEED = 20_000  # of resamples and trees: the same study gives the same numbers
_BEST_SHARE, _FEWEST_BEST = 0.1, 5  # PED-ANOVA: what counts as among the best
_FEW_VALUES = 10
_CELLS = 40  # of a surface, along a numeric key


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
    """

    fanova: Ranking
    ped: Ranking
    interaction: Share | None = None
    surface: Surface | None = None
    fit: float | None = None
    resamples: int = RESAMPLES
    level: float = LEVEL


@dataclass(frozen=True, slots=True)
class _Boxes:
    """A regression tree over a box-shaped space: its leaves `[L]` as boxes `[L, D]`, in shares of each axis.

    The tree is ``f(x) = sum_l value_l 1[x in box_l]``, so with x uniform its mean over all but some axes is again
    such a sum, with each value times the size of its box along the axes that are averaged out.
    """

    value: Array
    low: Array
    high: Array

    @property
    def sizes(self) -> Array:
        return self.high - self.low

    def mean(self) -> float:
        return float(self.value @ self.sizes.prod(axis=1))

    def variance(self) -> float:
        return float((self.value - self.mean()) ** 2 @ self.sizes.prod(axis=1))

    def main(self, axis: int) -> float:
        """Return ``Var[E[f | x_axis]]``."""
        edges, start, stop = _segments(self.low[:, axis], self.high[:, axis])
        part = self.value * self._rest([axis])
        steps = np.bincount(start, part, len(edges)) - np.bincount(stop, part, len(edges))
        return float((np.cumsum(steps)[:-1] - self.mean()) ** 2 @ np.diff(edges))

    def joint(self, a: int, b: int) -> float:
        """Return ``Var[E[f | x_a, x_b]]``."""
        edges_a, start_a, stop_a = _segments(self.low[:, a], self.high[:, a])
        edges_b, start_b, stop_b = _segments(self.low[:, b], self.high[:, b])
        part = self.value * self._rest([a, b])
        steps = np.zeros((len(edges_a), len(edges_b)))
        for rows, columns, sign in (
            (start_a, start_b, 1),
            (stop_a, start_b, -1),
            (start_a, stop_b, -1),
            (stop_a, stop_b, 1),
        ):
            np.add.at(steps, (rows, columns), sign * part)
        values = steps.cumsum(0).cumsum(1)[:-1, :-1] - self.mean()
        return float(np.diff(edges_a) @ values**2 @ np.diff(edges_b))

    def surface(self, a: int, b: int, x: Array, y: Array) -> Array:
        """Return ``E[f | x_a, x_b]`` on a grid `[y, x]`."""
        inside_a, inside_b = (
            (self.low[:, [axis]] <= at) & ((at < self.high[:, [axis]]) | (at == 1) & (self.high[:, [axis]] == 1))
            for axis, at in ((a, x), (b, y))
        )
        part = self.value * self._rest([a, b])
        return np.asarray((inside_b * part[:, None]).T @ inside_a.astype(float))

    def _rest(self, axes: Sequence[int]) -> Array:
        return np.asarray(np.delete(self.sizes, axes, axis=1).prod(axis=1))


def _segments(low: Array, high: Array) -> tuple[Array, NDArray[np.intp], NDArray[np.intp]]:
    """Return the distinct ends of intervals, ascending, and which of them each interval starts and stops at."""
    edges, where = np.unique(np.concatenate([low, high]), return_inverse=True)
    return edges, where[: len(low)], where[len(low) :]


def importance(summary: Summary, resamples: int = RESAMPLES) -> Importance | None:
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
        summary: the study's result.
        resamples: how many resamples.

    Returns:
        The shares, or why there are none; None when fewer than two hyperparameters took two values.
    """
    axes = [axis for axis in summary.axes if len(axis.values) > 1]
    if len(axes) < 2:
        return None
    done = [p for p in summary.points if p.mean is not None]
    refused = _refusal(done)
    if refused:
        return Importance(Ranking("fANOVA", refused=refused), Ranking("PED-ANOVA", refused=refused))
    rng = np.random.default_rng(_SEED)
    fanova, pair, surface, fit = _fanova(_subset(done, "fANOVA", rng), len(done), axes, resamples, rng)
    ended = [p for p in summary.points if p.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.INFEASIBLE)]
    ped = _ped(summary, _subset(ended, "PED-ANOVA", rng), len(ended), axes, resamples, rng)
    return Importance(fanova, ped, pair, surface, fit, resamples)


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
        return (
            Ranking("fANOVA", of=of, refused="no key has a value in every point", left_out=left_out),
            None,
            None,
            None,
        )
    places = np.array([[a.place(p.params[a.key]) for a in used] for p in points])
    low, high = np.array([_ends(a, places[:, i]) for i, a in enumerate(used)]).T
    x, y = (places - low) / (high - low), np.array([p.mean for p in points], dtype=float)
    grown = [_grow(x, y, rng) for _ in range(resamples)]
    fit = _fit(y, [seen for _, _, seen in grown])
    if fit <= 0:
        why = f"a forest predicts points it has not seen no better than their mean does (R² = {fit:.2f})"
        return Ranking("fANOVA", (), len(points), of, why, left_out), None, None, fit
    trees = [boxes for boxes, _, _ in grown if boxes.variance() > 0]
    shares = [_share(a, [t.main(i) / t.variance() for t in trees]) for i, a in enumerate(used)]
    ranking = Ranking("fANOVA", _ordered(shares), len(points), of, left_out=left_out)
    if len(used) < 2:
        return ranking, None, None, fit
    a, b = np.argsort(-np.mean([total for _, total, _ in grown], axis=0), kind="stable")[:2]
    together = [(t.joint(a, b) - t.main(a) - t.main(b)) / t.variance() for t in trees]
    pair = _interval(f"{used[a].name} with {used[b].name}", (used[a].key, used[b].key), np.array(together).clip(0))
    return ranking, pair, _surface([boxes for boxes, _, _ in grown], used, (a, b), (low, high)), fit


def _why_left_out(axis: Axis, points: Sequence[Point]) -> str:
    if any(axis.key not in p.params for p in points):
        return "has a value only under a condition, and fANOVA needs one in every point"
    return "took one value in the COMPLETE points"


def _ends(axis: Axis, places: Array) -> tuple[float, float]:
    """Return the range that a tree's boxes divide; a category is one unit wide."""
    if not axis.numeric:
        return -0.5, len(axis.values) - 0.5
    return float(places.min()), float(places.max())


def _grow(x: Array, y: Array, rng: np.random.Generator) -> tuple[_Boxes, Array, Array]:
    """Grow a tree on a resample.

    Returns:
        The tree, each axis's share of what its splits explain, and its predictions of the points outside the resample
        (NaN for those inside).
    """
    from sklearn.tree import DecisionTreeRegressor

    chosen = rng.integers(len(y), size=len(y))
    tree = DecisionTreeRegressor(random_state=int(rng.integers(2**31)))
    tree.fit(x[chosen], y[chosen])
    predicted = tree.predict(x)
    predicted[chosen] = math.nan
    return _boxes(tree, x.shape[1]), np.asarray(tree.feature_importances_), predicted


def _boxes(tree: "DecisionTreeRegressor", axes: int) -> _Boxes:
    nodes = tree.tree_
    low, high = np.zeros((nodes.node_count, axes)), np.ones((nodes.node_count, axes))
    left, right, feature, threshold = nodes.children_left, nodes.children_right, nodes.feature, nodes.threshold
    for node in np.flatnonzero(left >= 0):  # a parent stands before its children
        for child, ends in ((left[node], high), (right[node], low)):
            low[child], high[child] = low[node], high[node]
            ends[child, feature[node]] = threshold[node]
    leaves = left < 0
    return _Boxes(nodes.value[leaves, 0, 0].astype(float), low[leaves], high[leaves])


def _fit(y: Array, unseen: Sequence[Array]) -> float:
    """Return R^2 of the mean prediction by the trees that have not seen a point."""
    votes = np.array(unseen)
    known = np.isfinite(votes).any(axis=0)
    predicted = np.nanmean(votes[:, known], axis=0)
    return float(1 - np.mean((predicted - y[known]) ** 2) / np.var(y[known]))


def _surface(
    trees: Sequence[_Boxes], axes: Sequence[Axis], pair: tuple[int, int], ends: tuple[Array, Array]
) -> Surface:
    low, high = ends
    smooth = all(axes[i].numeric for i in pair)
    at = [np.linspace(0, 1, _CELLS) if smooth else _cells(axes[i]) for i in pair]
    z = np.mean([tree.surface(*pair, *at) for tree in trees], axis=0)
    x, y = (tuple((low[i] + cells * (high[i] - low[i])).tolist()) for i, cells in zip(pair, at, strict=True))
    return Surface((axes[pair[0]].key, axes[pair[1]].key), x, y, tuple(map(tuple, z.tolist())))


def _cells(axis: Axis) -> Array:
    """Return the middles of the cells of a surface with a category: one for each of its values, or equal ones."""
    cells = _CELLS if axis.numeric else len(axis.values)
    return (np.arange(cells) + 0.5) / cells


def _ped(
    summary: Summary, points: Sequence[Point], of: int, axes: Sequence[Axis], resamples: int, rng: np.random.Generator
) -> Ranking:
    evaluate = _ped_evaluator(_frozen(summary, points, axes), max(_BEST_SHARE, _FEWEST_BEST / len(points)))
    whole = evaluate(np.arange(len(points)))
    values = [evaluate(rng.integers(len(points), size=len(points))) for _ in range(resamples)]
    shares = [
        _interval(a.name, (a.key,), np.array([v.get(a.key, 0.0) for v in values]), whole.get(a.key, 0.0)) for a in axes
    ]
    return Ranking("PED-ANOVA", _ordered(shares), len(points), of)


def _frozen(summary: Summary, points: Sequence[Point], axes: Sequence[Axis]) -> "list[FrozenTrial]":
    """Return points as finished trials to be minimized, those without a score behind all others."""
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
    from optuna.trial import create_trial

    sign = -1.0 if summary.objective.maximize else 1.0
    losses = [None if p.mean is None else sign * p.mean for p in points]
    worst = max(loss for loss in losses if loss is not None)
    spaces: dict[str, BaseDistribution] = {
        a.key: CategoricalDistribution(a.values)
        if _listed(a)
        else FloatDistribution(float(a.values[0]), float(a.values[-1]), log=a.scale == "log")
        for a in axes
    }
    trials = []
    for p, loss in zip(points, losses, strict=True):
        params: dict[str, Any] = {
            a.key: p.params[a.key] if _listed(a) else float(p.params[a.key]) for a in axes if a.key in p.params
        }
        known = {key: spaces[key] for key in params}
        trials.append(create_trial(value=worst + 1 if loss is None else loss, params=params, distributions=known))
    return trials


def _listed(axis: Axis) -> bool:
    """Return whether a density over the values makes no sense: categories, and numbers of which there are few."""
    return not axis.numeric or len(axis.values) <= _FEW_VALUES


def _ped_evaluator(
    trials: "Sequence[FrozenTrial]", quantile: float
) -> Callable[[NDArray[np.integer[Any]]], dict[str, float]]:
    """Return a function from the indices of a resample to shares that add up to 1, or all 0."""
    import optuna

    class Resampled(optuna.Study):
        """A study whose trials are a resample of those it holds."""

        chosen: "list[FrozenTrial]"

        def get_trials(self, *_args: Any, **_kwargs: Any) -> "list[FrozenTrial]":
            return self.chosen

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.InMemoryStorage()
    name = "importance"
    storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], name)
    study = Resampled(name, storage)
    study.add_trials(trials)
    held = storage.get_all_trials(study._study_id, deepcopy=False)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)

    def evaluate(indices: NDArray[np.integer[Any]]) -> dict[str, float]:
        study.chosen = [held[i] for i in indices]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a resample may lack points under a condition
            values = evaluator.evaluate(study)
        total = sum(values.values())
        return {key: float(value / total) if total > 0 else 0.0 for key, value in values.items()}

    return evaluate


def _share(axis: Axis, shares: Sequence[float]) -> Share:
    return _interval(axis.name, (axis.key,), np.array(shares))


def _interval(name: str, keys: tuple[str, ...], values: Array, share: float | None = None) -> Share:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Share(name, keys, float(np.mean(values)) if share is None else share, float(low), float(high))


def _ordered(shares: Sequence[Share]) -> tuple[Share, ...]:
    return tuple(sorted(shares, key=lambda share: -share.share))

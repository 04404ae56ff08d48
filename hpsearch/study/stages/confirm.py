"""Confirmation: the best points over fresh seeds, then the test set, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from hpsearch.base.errors import check_int
from hpsearch.base.grammar import value_text
from hpsearch.base.replicates import NO_SEEDS
from hpsearch.base.types import TrialTable
from hpsearch.base.words import Precision, precision, settings, told_apart
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import FigureWithAid, axis_style, draw, escape
from hpsearch.reports.kit.evidence import Known, StudyIntervals
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import floats
from hpsearch.reports.kit.tested import test_scores
from hpsearch.reports.summary.standing import allow_for_picking, as_good, stand
from hpsearch.search.plan import FRESH
from hpsearch.statistics.optimism import measured_optimism
from hpsearch.study.stages.base import Context, Finding, Verdict, need
from hpsearch.study.stages.common import complete_points, counts, some_train


@dataclass(frozen=True, slots=True)
class Confirm:
    """The candidates of the fine search are trained again over seeds that nothing was chosen by.

    The one with the best validation mean wins; only its test scores are looked at. Hands on ``winner``.

    Args:
        seeds: fresh seeds per candidate.
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str] = "Confirm over fresh seeds"
    question: ClassVar[str] = "How good are the best points on seeds that nothing was chosen by?"
    gives: ClassVar[tuple[str, ...]] = ("winner",)
    needs: ClassVar[Mapping[str, str]] = {"candidates": "fine", "searched_score": "fine", "fine_space": "coarse"}

    seeds: int = 5
    on_fail: str = "stop"

    def __post_init__(self) -> None:
        check_int("stages.confirm.seeds", self.seeds, 2)

    def run(self, context: Context) -> Finding:
        """Train the candidates again, and test the winner."""
        candidates = need(context, "candidates", self.needs["candidates"])
        seed = int(context.config()["seed"]) + FRESH
        words = [
            *("sampler=manual", f"sampler.points={value_text(candidates)}", "pruner=none", "scheduler=constant"),
            *(f"study.seeds={self.seeds}", f"seed={seed}", "trainer.test=true", "budget.points=null"),
        ]
        table = context.search("confirm", words, need(context, "fine_space", self.needs["fine_space"]))
        points = complete_points(table)
        numbers: dict[str, str | int | float] = {**counts(table)}
        if not points:
            action = "choose a smaller learning rate, or look at the errors in the trials"
            sentence = f"none of {len(candidates)} candidates trained to the end with every seed{some_train(table)}"
            return Finding(Verdict.FAIL, sentence, numbers, "not repeatable", action)
        winner = points[0]
        metric = context.objective.metric
        known = test_scores(table, context.objective)
        places = [each for each in winner.replicates if (winner.point, *each) in known]
        tested = [known[winner.point, *each] for each in places]
        of_test = StudyIntervals(table, context.objective).known(winner.point, places, tested, "test")
        assert winner.mean is not None
        numbers |= {"valid_mean": winner.mean, "seeds": self.seeds}
        written = precision(winner.mean, winner.sd)
        told = f"{NO_SEEDS}: n = 1, so no interval can be given" if winner.alike else f"n = {winner.n}: no interval"
        standing = stand(winner, points, context.objective)
        allow_for_picking(winner, standing, context.objective)
        if (fresh := winner.interval) is not None:
            numbers |= {"valid_low": fresh.low, "valid_high": fresh.high}
            told = winner.known.write(f"{written.write(fresh.low)} to {written.write(fresh.high)}")
        sentence = (
            f"{settings(winner.params)}: {metric} {written.write(winner.mean)} over {self.seeds} fresh seeds ({told})"
            f"{as_good(standing, winner, (), len(points)) if len(points) > 1 else ''}"
        )
        for more, told in (self._promised(context, table, points, written), _tested(tested, of_test, written)):
            numbers |= more
            sentence += told
        sentence += some_train(table)
        series = {
            "params": [dict(p.params) for p in points],
            "scores": [list(p.scores) for p in points],
            "test": tested,
        }
        handed = {"winner": dict(winner.params)}
        if winner.alike:
            action = "draw from the trial's seed, or save the time by stages.confirm.seeds=2"
            return Finding(Verdict.WARN, sentence, numbers, NO_SEEDS, action, handed=handed, series=series)
        return Finding(Verdict.PASS, sentence, numbers, handed=handed, series=series)

    def _promised(
        self, context: Context, table: TrialTable, points: Sequence[Point], written: Precision
    ) -> tuple[dict[str, float], str]:
        """Return by how much the best of the fine search scored too well there.

        Nothing where it failed on fresh seeds, or where these change nothing.
        """
        candidates = need(context, "candidates", self.needs["candidates"])
        promised = next((point for point in points if dict(point.params) == candidates[0]), None)
        scores = [] if promised is None else _by_seed(table, promised, "score")
        if promised is None or len(scores) < 2:
            return {}, ""
        searched = float(need(context, "searched_score", self.needs["searched_score"]))
        looks = int(context.handed.get("looks", 0)) + len(candidates)
        gap = measured_optimism(searched, scores, context.objective.maximize)
        numbers = {"optimism": gap.value, "optimism_low": gap.low, "optimism_high": gap.high, "looks": looks}
        value, low, high = (written.write(each, "+") for each in (gap.value, gap.low, gap.high))
        return numbers, (
            f"; the best of the fine search{'' if promised is points[0] else f', {settings(promised.params)},'} had "
            f"{written.write(searched)}, which differs by {value} from its mean on fresh seeds ({low} to {high}), "
            f"after {looks} looks at the validation set"
        )

    @staticmethod
    def figure(finding: Finding, metric: str) -> FigureWithAid | None:
        """Draw the score of every candidate, seed by seed."""
        series = finding.series
        if not series.get("scores"):
            return None
        params, scores = series["params"], series["scores"]
        names = [f"{place}. {settings(point)}" for place, point in enumerate(told_apart(params), 1)]
        traces: list[dict[str, Any]] = []
        for place, (name, each) in enumerate(zip(names, scores, strict=True)):
            colour = theme.BLUE if place == 0 else theme.MUTED
            seeds = {"x": each, "y": [escape(name)] * len(each), "marker": {"color": colour, "size": 8, "opacity": 0.6}}
            mean = {"x": [sum(each) / len(each)], "y": [escape(name)]}
            bar = {"symbol": "line-ns-open", "size": 22, "color": colour, "line": {"width": 3}}
            shared = {"type": "scatter", "mode": "markers", "showlegend": False}
            traces.append({**shared, "name": "seeds", **seeds})
            traces.append({**shared, "name": "mean", **mean, "marker": bar})
        layout = {
            "xaxis": axis_style(metric),
            "yaxis": axis_style("", autorange="reversed"),
            "height": 130 + 60 * len(names),
            "margin": {"l": 220, "r": 20, "t": 20, "b": 54},
        }
        aid = "One mark per fresh seed, a bar at the mean; the blue candidate is the winner."
        return aid, draw(traces, layout, f"{metric} of {len(names)} candidates over fresh seeds.", 640)


def _tested(scores: Sequence[float], known: Known, written: Precision) -> tuple[dict[str, float], str]:
    """Return what the winner's scores on the test set say, with their interval where there is one."""
    if not scores:
        return {}, ""
    mean, interval = sum(scores) / len(scores), known.interval
    sentence = f"; on the test set, looked at once, {written.write(mean)}"
    if interval is None:
        return {"test_mean": mean}, sentence
    ends = f"{written.write(interval.low)} to {written.write(interval.high)}"
    return {
        "test_mean": mean,
        "test_low": interval.low,
        "test_high": interval.high,
    }, f"{sentence} ({known.write(ends)})"


def _by_seed(table: TrialTable, point: Point, column: str) -> list[float]:
    """Return a point's mean of a column for every seed that counts: the folds of one seed share their data."""
    trials = table.trials[table.trials["point"] == point.point]
    trials = trials[[place in point.replicates for place in zip(trials["seed"], trials["fold"], strict=True)]]
    means: list[float] = trials.assign(**{column: floats(trials[column])}).groupby("seed")[column].mean().tolist()
    return means

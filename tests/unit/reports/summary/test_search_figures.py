import json
import math
from dataclasses import replace

import numpy as np
import pytest
from plotly.graph_objects import Figure

from hpsearch.reports.kit import theme
from hpsearch.reports.kit.marks import MOST_POINTS, drawn, ranks
from hpsearch.reports.kit.page import panel
from hpsearch.reports.summary.figures import figures
from hpsearch.reports.summary.figures.contour import contour_figure
from hpsearch.reports.summary.figures.diverged import diverged_figure
from hpsearch.reports.summary.figures.importance import importance_figure
from hpsearch.reports.summary.figures.pareto import pareto_figure
from hpsearch.reports.summary.figures.pruning import pruning_figure
from hpsearch.reports.summary.figures.ranges import ranges_figure
from hpsearch.reports.summary.figures.ranks import rank_figure
from hpsearch.reports.summary.figures.slices import slices_figure
from hpsearch.reports.summary.importance import leading
from hpsearch.reports.summary.numbers import Findings, find, summarize
from tests.support import studies, synthetic


@pytest.fixture(scope="module")
def found():
    return find(synthetic.searched(90), studies.RESAMPLES)


def trace(figure, name):
    return next(t for t in figure.data if t.name == name)


def test_a_search_has_every_figure_and_a_sweep_only_those_it_had(found):
    names = [name for name, *_ in figures(found)]
    assert names == [
        *("pareto", "score", "importance", "contour", "ranks", "slices", "diverged", "ranges", "pruning"),
        *("curves", "history", "parallel", "timeline"),
    ]
    assert [name for name, *_ in studies.drawn("sweep")] == ["score", "curves", "history", "parallel", "timeline"]


def test_importance_bars_are_the_shares_with_their_intervals(found):
    figure, fanova = importance_figure(found.importance), found.importance.fanova
    bars = trace(figure, "fANOVA, share of the variance")
    expected = [*fanova.shares, found.importance.interaction]
    assert list(bars.x) == pytest.approx([s.share for s in expected], abs=1e-4)
    assert list(bars.error_x.array) == pytest.approx([s.high - s.share for s in expected], abs=1e-4)
    assert list(bars.error_x.arrayminus) == pytest.approx([s.share - s.low for s in expected], abs=1e-4)
    assert "interaction" in figure.layout.yaxis.ticktext[int(bars.y[-1])]


def test_the_contour_is_the_surface_with_the_measured_points(found):
    surface = found.importance.surface
    figure = contour_figure(found.summary, surface)
    area, marks = figure.data[0], trace(figure, "complete")
    assert np.array(area.z) == pytest.approx(np.array(surface.z), rel=1e-3)
    done = [p for p in found.summary.points if p.mean is not None and set(surface.keys) <= set(p.params)]
    assert list(marks.marker.color) == [p.mean for p in done]


def test_better_is_further_from_the_background_whatever_the_direction(found):
    for direction, best in (("maximize", 1.0), ("minimize", 0.0)):
        objective = replace(found.summary.objective, direction=direction)
        scale = contour_figure(replace(found.summary, objective=objective), found.importance.surface).data[0].colorscale
        assert dict(map(reversed, scale))[theme.score_colour(1)] == best


def test_ranks_run_from_worst_to_best():
    summary = summarize(synthetic.mixed(40))
    shares = {p.point: share for p, share in zip(summary.points, ranks(summary, summary.points), strict=True)}
    assert shares[summary.best.point] == 1.0
    assert min(share for share in shares.values() if not math.isnan(share)) == 0.0
    assert all(math.isnan(shares[p.point]) == (p.mean is None) for p in summary.points)


def test_the_rank_figure_offers_pairs_of_the_leading_keys(found):
    figure = rank_figure(found.summary, found.importance)
    (pairs,) = figure.layout.updatemenus
    first = [axis.name for axis in leading(found.summary, found.importance)[:2]]
    assert len(pairs.buttons) == 6
    assert pairs.buttons[0].label == " – ".join(first)
    assert set(found.importance.surface.keys) == {a.key for a in leading(found.summary, found.importance)[:2]}


def test_slices_hold_every_point_on_each_key(found):
    axes = leading(found.summary, found.importance)
    figure = slices_figure(found.summary, axes)
    for i, axis in enumerate(axes):
        shown = [t for t in figure.data if t.xaxis == f"x{i + 1 if i else ''}" and t.name != "best"]
        assert sum(len(t.x) for t in shown) == sum(axis.key in p.params for p in found.summary.points)
    assert sum(bool(t.showlegend) for t in figure.data) == len({t.name for t in figure.data})
    assert all(0 <= end <= 1 for i in range(len(axes)) for end in figure.layout[f"yaxis{i + 1 if i else ''}"].domain)


def test_the_diverged_map_shades_what_lies_beyond_the_edge(found):
    figure = diverged_figure(found.summary, found.importance)
    edge = found.summary.frontier
    region, _, line = figure.layout.shapes
    assert edge.axis.key == "optimizer.lr"
    assert 0.7 < edge.edge < 1.3
    assert line.x0 == line.x1 == region.x0 == edge.edge
    assert list(trace(figure, "diverged").x) == [p.params["optimizer.lr"] for p in found.summary.points if p.diverged]
    assert len(trace(figure, "out of memory").x) == 2


def test_the_pruning_areas_are_the_epochs(found):
    figure, pruning = pruning_figure(found.summary.pruning), found.summary.pruning
    trained, without = (list(t.y) for t in figure.data)
    assert sum(trained[1:]) == pruning.trained
    assert sum(without[1:]) == pruning.trained + pruning.saved
    assert list(figure.data[0].x) == [e + 0.5 for e in range(len(pruning.alive) + 1)]


def test_ranges_show_the_best_and_where_a_range_ended(found):
    axes = [a for a in found.summary.axes if a.numeric and len(a.values) > 2]
    figure, best = ranges_figure(found.summary, axes), found.summary.best
    assert list(trace(figure, "best").x) == pytest.approx([a.relative(best.params[a.key]) for a in axes], abs=1e-4)
    near = [p for p in found.summary.points if p.point in found.summary.near.points]
    assert len(trace(figure, "near the best").x) == len(near) * len(axes)
    lr = next(a for a in axes if a.key == "optimizer.lr")
    assert figure.layout.shapes[-1].x0 == pytest.approx(lr.relative(0.3))


def test_the_front_is_a_step_line_of_the_best_points(found):
    front = found.summary.front
    figure = pareto_figure(found.summary, front)
    line, others = trace(figure, "Pareto front"), trace(figure, "dominated")
    assert sorted(zip(line.y, line.x, strict=True)) == sorted(front.values[p] for p in front.front)
    assert len(others.x) + len(line.x) == len(front.values)
    assert line.line.shape == "hv"  # fewer parameters are better
    assert list(line.y) == sorted(line.y)


def test_three_objectives_are_shown_two_at_a_time():
    table = synthetic.searched()
    objectives = [*table.study["objectives"], {"metric": "duration_sec", "direction": "minimize"}]
    summary = summarize(replace(table, study={**table.study, "objectives": objectives}))
    figure = pareto_figure(summary, summary.front)
    (against,) = figure.layout.updatemenus
    assert [button.label for button in against.buttons] == ["parameters", "duration_sec"]
    assert [t.mode for t in figure.data] == ["markers"] * 4  # a front of three is no line
    assert [bool(t.visible) for t in figure.data] == [True, True, False, False]


def test_very_many_points_are_thinned_and_the_page_says_so():
    table = synthetic.mixed(MOST_POINTS + 500, epochs=1)
    summary = summarize(table)
    kept = drawn(summary, summary.points)
    assert len(kept) == MOST_POINTS
    best = sorted((p for p in summary.points if p.mean is not None), key=lambda p: -p.mean)[: MOST_POINTS // 3]
    assert {p.point for p in best} <= {p.point for p in kept}
    aids = {name: aid for name, _, aid, _ in figures(Findings(table, summary, None))}
    for name, count in (("score", "1,500"), ("ranks", "800"), ("slices", "600"), ("history", "1,500")):
        assert f"Shown: {count} of 2,000 points" in aids[name]
    assert "Shown: 1,000 of" in aids["parallel"]


def test_every_panel_of_a_search_can_be_drawn_by_plotly(found):
    for parts in figures(found):
        shown = panel(*parts)
        assert Figure(json.loads(shown.data)).layout.meta["alt"] == shown.alt
        assert shown.aid

"""What is drawn are the numbers given: of every figure as a picture, and of the main ones as plotly has them."""

from dataclasses import replace

import numpy as np
import pytest

from hpsearch.reports.ablation.figures import ablation_figures
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.comparison.figures import best_figure, overlay_figure
from hpsearch.reports.kit.canvas import draw
from hpsearch.reports.kit.points import results_of
from hpsearch.reports.kit.space import combined
from hpsearch.reports.summary.figures.history import history_figure
from hpsearch.reports.summary.figures.score import score_figure
from hpsearch.reports.summary.numbers import summarize
from tests.support import studies, synthetic
from tests.support.pictures import bars, cells, picture_of, segments, series
from tests.support.scores import scored

SCORES = [[0.5, 0.9, 0.7], [0.61, 0.6, 0.65], [0.2, 0.3, 0.1]]


def trace(figure, name):
    return next(t for t in figure.data if t.name == name)


def numbers(values):
    """Coordinates as numbers, NaN for a gap; None where they are names."""
    known = [np.nan if value is None else value for value in values]
    return None if any(isinstance(value, str) for value in known) else np.array(known, dtype=float)


def ends(error, at):
    """The two ends of each error bar that is drawn at `at`."""
    if error.array is None or error.visible is False or not any(error.array):
        return []
    above = np.array(error.array, dtype=float)
    below = above if error.arrayminus is None else np.array(error.arrayminus, dtype=float)
    return list(zip(at - below, at + above, strict=True))


def assert_same_numbers(figure):
    picture = picture_of(figure)
    drawn, errors = series(picture), segments(picture)
    for each in figure.data:
        if each.visible not in (None, True):
            continue
        if each.type == "heatmap":
            z = np.array([numbers(row) for row in each.z])
            assert any(np.allclose(z.ravel(), mesh.ravel(), equal_nan=True) for mesh in cells(picture))
        elif each.type == "bar":
            left = np.zeros(len(each.x)) if each.base is None else np.array(each.base, dtype=float)
            right = left + np.array(each.x, dtype=float)
            shown = bars(picture)
            assert all(np.isclose(shown, pair).all(axis=1).any() for pair in zip(left, right, strict=True))
            expected = ends(each.error_x, right)
            assert all(np.isclose(errors[:, [0, 2]], pair).all(axis=1).any() for pair in expected), each.name
        elif each.type == "scatter" and {"lines", "markers"} & set((each.mode or "lines").split("+")):
            x, y = numbers(each.x), numbers(each.y)
            if x is None or y is None:
                continue
            points = np.column_stack([x, y])
            assert any(p.shape == points.shape and np.allclose(p, points, equal_nan=True) for p in drawn), each.name
            for low, high in ends(each.error_x, x):
                assert np.isclose(errors[:, [0, 2]], (low, high)).all(axis=1).any(), each.name
            for low, high in ends(each.error_y, y):
                if not np.isnan(low):
                    assert np.isclose(errors[:, [1, 3]], (low, high)).all(axis=1).any(), each.name


def test_a_picture_of_every_figure_shows_its_numbers(study):
    for _, _, _, figure in studies.drawn(study):
        assert_same_numbers(figure)


def test_a_picture_of_every_figure_of_an_ablation_shows_its_numbers():
    arms = synthetic.ablation()
    drawn = list(ablation_figures(ablation_of(arms, synthetic.searched_arms(arms))))
    assert len(drawn) > 3
    for _, _, _, figure in drawn:
        assert_same_numbers(figure)


@pytest.mark.parametrize("axis", ["x", "y"])
def test_an_asymmetric_interval_stays_asymmetric(axis):
    error = {"type": "data", "symmetric": False, "array": [0.1, 0.4], "arrayminus": [0.3, 0.2]}
    marks = {"type": "scatter", "mode": "markers", "x": [1, 2], "y": [3, 4], f"error_{axis}": error}
    drawn = segments(picture_of(draw([marks], {}, "two marks")))
    expected = {"x": [(0.7, 3, 1.1, 3), (1.8, 4, 2.4, 4)], "y": [(1, 2.7, 1, 3.1), (2, 3.8, 2, 4.4)]}
    assert drawn == pytest.approx(np.array(expected[axis]))


def test_bars_end_where_their_values_and_intervals_do():
    error = {"type": "data", "symmetric": False, "array": [0.1, 0.2], "arrayminus": [0.3, 0.05]}
    bar = {"type": "bar", "orientation": "h", "x": [0.5, 0.25], "y": [0, 1], "error_x": error}
    picture = picture_of(draw([bar], {}, "two bars"))
    assert bars(picture) == pytest.approx(np.array([(0, 0.5), (0, 0.25)]))
    assert segments(picture)[:, [0, 2]] == pytest.approx(np.array([(0.2, 0.6), (0.2, 0.45)]))


def test_the_score_is_the_mean_of_the_seeds_in_the_order_of_the_rates():
    figure = score_figure(summarize(scored(SCORES)))
    mean, low, high = trace(figure, "mean over seeds"), figure.data[0], trace(figure, "± 1 sd")
    assert list(mean.x) == pytest.approx([0.01, 0.02, 0.04])
    assert list(mean.y) == pytest.approx([np.mean(of_point) for of_point in SCORES])
    sd = [np.std(of_point, ddof=1) for of_point in SCORES]
    assert np.subtract(mean.y, low.y) == pytest.approx(sd)
    assert np.subtract(high.y, mean.y) == pytest.approx(sd)
    assert sorted(trace(figure, "each seed").y) == pytest.approx(
        sorted(score for of_point in SCORES for score in of_point)
    )
    assert_same_numbers(figure)


def test_the_course_shows_means_with_their_spread():
    figure = history_figure(summarize(scored(SCORES)))
    complete = trace(figure, "complete")
    assert list(complete.y) == pytest.approx([np.mean(of_point) for of_point in SCORES])
    assert list(complete.error_y.array) == pytest.approx([np.std(of_point, ddof=1) for of_point in SCORES])
    assert_same_numbers(figure)


def test_two_studies_show_the_mean_and_the_interval_of_their_best_points():
    named = (("one", SCORES), ("other", SCORES[1:]))
    sides = [replace(results_of(scored(scores)), name=name) for name, scores in named]
    figure = best_figure(sides)
    assert list(figure.layout.yaxis.ticktext) == ["one", "other"]
    seeds, mean = figure.data[0], figure.data[1]
    best = sides[0].best
    assert list(seeds.x) == list(best.scores)
    assert list(mean.x) == [best.mean]
    assert list(mean.error_x.array) == pytest.approx([best.interval.high - best.mean])
    assert_same_numbers(figure)
    overlay = overlay_figure(sides, combined(sides[0].main, sides[1].main))
    assert [t.name for t in overlay.data] == ["one", "other"]
    assert [list(t.y) for t in overlay.data] == [[p.mean for p in side.points] for side in sides]
    assert_same_numbers(overlay)

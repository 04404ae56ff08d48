import json
from types import SimpleNamespace

import pytest

from hpsearch.base.media import FIGURE, FIT, FIT_CURVE, FIT_TRAIN, FIT_VALID, Medium
from hpsearch.base.types import TrialId
from hpsearch.reports.summary.figures.fit import figure


def medium(height):
    points = {FIT_TRAIN: [0.0, 1.0], FIT_VALID: [0.5, 0.5], FIT_CURVE: [height, height]}
    return json.dumps({"data": [{"name": name, "x": [0, 1], "y": y} for name, y in points.items()]}).encode()


def findings(scores, maximize=False, media=None):
    points = [
        SimpleNamespace(point=place, mean=score, sd=None, params={"model.degree": place}, replicates=((0, 0),))
        for place, score in enumerate(scores)
    ]
    held = {TrialId(place, 0, 0): {Medium(FIT, 3, FIGURE): medium(float(place))} for place in range(len(scores))}
    summary = SimpleNamespace(eligible=points, objective=SimpleNamespace(maximize=maximize))
    return SimpleNamespace(summary=summary, table=SimpleNamespace(media=held if media is None else media))


def test_points_are_drawn_once_and_a_curve_for_each_setting_the_best_first():
    name, _, aid, drawn = figure(findings([0.3, 0.1, 0.2]))
    assert name == "fit" and "drawn" not in aid
    assert [trace.mode for trace in drawn.data] == ["markers"] * 2 + ["lines"] * 3
    assert [trace.y for trace in drawn.data[:2]] == [(0.0, 1.0), (0.5, 0.5)]
    assert [trace.y[0] for trace in drawn.data[2:]] == [1.0, 2.0, 0.0]
    assert drawn.data[2].name.endswith(": 0.100") and "1" in drawn.data[2].name
    assert tuple(drawn.layout.yaxis.range) == pytest.approx((-0.15, 1.15))
    best = figure(findings([0.3, 0.1, 0.2], maximize=True))[3].data[2]
    assert best.y[0] == 0.0


def test_of_many_settings_the_best_and_the_worst_are_among_those_drawn():
    _, _, aid, drawn = figure(findings([place / 10 for place in range(20)]))
    heights = [trace.y[0] for trace in drawn.data[2:]]
    assert len(heights) == 6 and heights[0] == 0.0 and heights[-1] == 19.0 and "6 of 20 are drawn" in aid


@pytest.mark.parametrize("content", [b"no json", b"[]", b'{"data": []}', medium(0.0).replace(b"0.5", b"NaN")])
def test_what_is_no_fit_is_passed_over(content):
    assert figure(findings([0.1], media={TrialId(0, 0, 0): {Medium(FIT, 3, FIGURE): content}})) is None
    assert figure(findings([0.1], media={})) is None

"""Values and names that stand beside each other differ, in every table, figure and sentence."""

import numpy as np
import pytest

from hpsearch.reports.kit.canvas import parameter_ticks, written_ticks
from hpsearch.reports.kit.curves import extremes
from hpsearch.reports.kit.marks import drawn
from hpsearch.reports.kit.points import results_of
from hpsearch.reports.kit.space import searched
from hpsearch.reports.kit.still import still
from hpsearch.reports.summary.figures import figures
from hpsearch.reports.summary.numbers import find
from hpsearch.reports.summary.sentences import answer, parts
from hpsearch.reports.summary.tables import point_table, trial_table
from tests.support import odd

TOLD = {
    "bound": ["0.9", "0.99", "0.9995", "0.99995", "1"],
    "digits": ["0.123456789012", "0.123456789013", "0.12345678902", "0.5"],
    "alike": ["none", '"1"', "1", '"none"', "a\\nb", "a b", "a\\tb", '""', "é", "0.5", '"0.5"'],
}


@pytest.mark.parametrize("name", TOLD)
def test_values_are_told_apart_in_ticks_tables_and_the_answer(name):
    found = find(odd.STUDIES[name](), 4)
    (axis,) = found.summary.axes
    texts = [axis.write(value) for value in axis.values]
    assert sorted(texts) == sorted(TOLD[name])
    assert sorted(text for _, text in parameter_ticks(axis)) == sorted(TOLD[name])
    points = [row.cells[1].text for row in point_table(found.summary).rows]
    assert sorted(points) == sorted(TOLD[name])
    assert {row.cells[2].text for row in trial_table(found.table, found.summary).rows} == set(TOLD[name])
    best = axis.write(found.summary.best.params[axis.key])
    said = answer(found.summary, found.importance)
    assert f"{axis.name} of {best} has" in said or f"{axis.name} = {best} has" in said


def named(figure):
    """Ticks of every axis and names of the legend of a figure, a list each."""
    layout = figure.parts["layout"]
    axes = [style["ticktext"] for key, style in layout.items() if key[1:5] == "axis" and style.get("ticktext")]
    shown = [t for t in figure.parts["data"] if t.get("showlegend", True) and t.get("name") and t.get("visible", True)]
    return [*axes, [trace["name"] for trace in shown]]


@pytest.mark.parametrize("name", ["categories", "alike", "both"])
def test_no_two_labels_of_an_axis_or_legend_are_equal(name):
    for title, _, _, figure in figures(find(odd.STUDIES[name](), 4)):
        for names in named(figure):
            assert len(set(names)) == len(names), (title, names)


def test_categories_without_a_colour_of_their_own_are_one_line_of_the_legend():
    (curves,) = [figure for name, _, _, figure in figures(find(odd.STUDIES["categories"](), 4)) if name == "curves"]
    names = named(curves)[-1]
    assert len(names) == 8 and names[-1] == "23 others"
    assert names[0].endswith("depth_0…") and "<svg" in still(curves)


def test_ticks_of_a_narrow_range_differ():
    assert [text for _, text in written_ticks([0.99951, 0.99952, 0.99953])] == ["0.99951", "0.99952", "0.99953"]
    assert [text for _, text in written_ticks([0.001, 0.01, 0.1, 1.0])] == ["0.001", "0.01", "0.1", "1"]


def test_the_worst_of_very_many_points_is_drawn_too():
    results = results_of(odd.STUDIES["sampled"]())
    scores = {p.point: p.mean for p in results.points}
    shown = {p.point for p in drawn(results, results.points, most=12)}
    assert {max(scores, key=scores.get), min(scores, key=scores.get)} <= shown and len(shown) <= 14


def test_a_point_knows_the_digits_of_its_study():
    table = odd.STUDIES["digits"]()
    assert {str(dict(p.params.digits)) for p in results_of(table).points} == {
        str({axis.key: axis.digits for axis in searched(table)})
    }
    assert extremes(np.zeros(3), 1).tolist() == [0, 2]


def test_a_terminal_is_told_the_best_point_with_its_digits():
    summary = find(odd.STUDIES["digits"](), 4).summary
    assert (
        parts(summary).setting
        == f"optimizer.momentum={summary.axes[0].write(summary.best.params['optimizer.momentum'])}"
    )
    assert (
        len(parts(summary).setting) > len("optimizer.momentum=0.123")
        or summary.best.params["optimizer.momentum"] == 0.5
    )

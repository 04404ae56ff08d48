"""The page of two studies."""

import json
import re
from dataclasses import replace

import pytest

from hpsearch.reports.comparison.names import names_of
from hpsearch.reports.comparison.page import Added, comparison_sections, render_comparison, write_comparison
from hpsearch.reports.kit.canvas import axis_style, draw
from hpsearch.reports.kit.cells import Cell
from hpsearch.reports.kit.tables import as_table
from tests.support import odd, studies, synthetic
from tests.support.html import Page
from tests.support.studies import STUDIES


def figures(text):
    found = re.findall(r'<script type="application/json" id="(\w+)-data">(.*?)</script>', text, re.DOTALL)
    return {name: json.loads(data) for name, data in found}


ANSWERS = ("one is best", "two is best")


def test_it_draws_both_and_tells_what_differs():
    text = render_comparison((synthetic.sweep(), synthetic.slower()), ANSWERS)
    drawn = figures(text)
    assert list(drawn) == ["best", "overlay", "curves"]
    names = {trace["name"] for trace in drawn["overlay"]["data"]}
    assert names == {"lr_sweep", "slower"}
    page = Page(text)
    assert page.stack == []
    said = " ".join(" ".join(page.text).split())
    assert "optimizer.momentum 0.9 0" in said
    assert "launcher" not in said  # where a study ran is no difference
    assert "python -m hpsearch report lr_sweep slower" in said


def test_the_same_set_up_has_no_differences():
    text = render_comparison((synthetic.sweep(), replace(synthetic.sweep(), name="again")), ANSWERS)
    assert "Nothing: the configurations and the spaces are the same" in text


def test_other_code_is_among_what_differs():
    one, other = (replace(sweep, trials=sweep.trials.assign(code="a1")) for sweep in (synthetic.sweep(),) * 2)
    other = replace(other, name="again", trials=other.trials.assign(code="b2"))
    said = " ".join(" ".join(Page(render_comparison((one, other), ANSWERS)).text).split())
    assert "code a1 b2" in said


@pytest.mark.parametrize("other", STUDIES)
def test_any_two_studies_give_a_well_formed_page(other):
    for pair in ((studies.table("sweep"), studies.table(other)), (studies.table(other), studies.table("sweep"))):
        page = Page(render_comparison(pair, ANSWERS))
        assert page.stack == []
        assert page.all("b") == []


def test_it_is_one_file(tmp_path):
    path = write_comparison((synthetic.sweep(), synthetic.slower()), ANSWERS, tmp_path / "a_vs_b")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_what_is_added_stands_in_the_answer_among_the_figures_and_in_a_table():
    figure = draw([{"type": "scatter", "x": [1], "y": [2]}], {"xaxis": axis_style("x")}, "one mark")
    added = Added("All <b>arms</b> differ.", as_table(("arm",), [(Cell("relu"),)]), (("arms", "Arms", "", figure),))
    text = render_comparison((synthetic.sweep(), synthetic.slower()), ANSWERS, added)
    page = Page(text)
    assert page.stack == [] and page.all("b") == []
    said = " ".join(" ".join(page.text).split())
    assert list(figures(text)) == ["best", "arms", "curves"]
    assert "All <b>arms</b> differ." in said
    assert "relu" in said


def test_studies_under_default_names_are_called_by_what_differs():
    one, other = odd.default_names()
    assert names_of((one, other)) == ("trainer.epochs 30", "trainer.epochs 25")
    drawn = figures(render_comparison((one, other), ANSWERS))
    assert drawn["best"]["layout"]["yaxis"]["ticktext"] == ["trainer.epochs 30", "trainer.epochs 25"]
    for name in ("overlay", "curves"):
        shown = {trace["name"] for trace in drawn[name]["data"] if trace.get("showlegend", True) and "name" in trace}
        assert {"trainer.epochs 30", "trainer.epochs 25"} <= shown
    page = " ".join(Page(render_comparison((one, other), ANSWERS)).text)
    assert f"{one.name} (trainer.epochs 30) and {other.name} (trainer.epochs 25) side by side" in " ".join(page.split())


def test_names_that_tell_studies_apart_are_kept_and_others_are_cut_where_they_are_alike():
    one, other = synthetic.sweep(), synthetic.slower()
    assert names_of((one, other)) == ("lr_sweep", "slower")
    assert names_of((one, replace(other, name="lr_sweep"))) == ("optimizer.momentum 0.9", "optimizer.momentum 0")
    assert names_of((one, one)) == ("lr_sweep (1)", "lr_sweep (2)")
    long = [replace(one, name=f"{'a' * 60}{digit}{'b' * 60}") for digit in "23"]
    first, second = names_of(long)
    assert first != second and "2" in first and "3" in second and max(map(len, (first, second))) <= 34


def test_close_values_differ_in_the_table_of_differences():
    one = synthetic.sweep()
    optimizer = {**one.study["config"]["optimizer"], "momentum": 0.9000000001}
    other = replace(one, study={**one.study, "config": {**one.study["config"], "optimizer": optimizer}})
    (row,) = comparison_sections((one, other))[-1].table.rows
    assert [cell.text for cell in row.cells] == ["optimizer.momentum", "0.9", "0.9000000001"]

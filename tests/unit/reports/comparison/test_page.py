"""The page of two studies."""

import json
import re
from dataclasses import replace

import pytest

from hpsearch.reports.comparison.page import render_comparison, write_comparison
from hpsearch.reports.summary.findings import find
from tests.support import synthetic
from tests.support.html import Page
from tests.support.studies import STUDIES


def figures(text):
    found = re.findall(r'<script type="application/json" id="(\w+)-data">(.*?)</script>', text, re.DOTALL)
    return {name: json.loads(data) for name, data in found}


def test_it_draws_both_and_tells_what_differs():
    text = render_comparison(find(synthetic.sweep()), find(synthetic.slower()))
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
    text = render_comparison(find(synthetic.sweep()), find(replace(synthetic.sweep(), name="again")))
    assert "Nothing: the configurations and the spaces are the same" in text


@pytest.mark.parametrize("other", STUDIES)
def test_any_two_studies_give_a_well_formed_page(other):
    for pair in ((synthetic.sweep(), STUDIES[other]()), (STUDIES[other](), synthetic.sweep())):
        page = Page(render_comparison(*map(find, pair)))
        assert page.stack == []
        assert page.all("b") == []


def test_it_is_one_file(tmp_path):
    path = write_comparison(find(synthetic.sweep()), find(synthetic.slower()), tmp_path / "a_vs_b")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_two_ablations_stand_side_by_side_arm_by_arm():
    first = synthetic.ablation()
    trials = first.trials.assign(score=first.trials["score"] + 0.01 * (first.trials["point"] == 4))
    second = replace(first, name="again", trials=trials)
    text = render_comparison(find(first), find(second))
    page = Page(text)
    assert page.stack == [] and page.all("b") == page.all("i") == []
    said = " ".join(" ".join(page.text).split())
    assert list(figures(text)) == ["best", "differences", "curves"]
    assert "Of 6 arms that both have, in again against batch_activation.arms: " in said
    assert figures(text)["differences"]["data"][0]["x"][0] == 0

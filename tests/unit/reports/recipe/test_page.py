"""The page of a recipe: every stage, its figure, and whatever a user wrote as text."""

import json
import re

import pytest

from hpsearch.reports.recipe.page import write_notebook
from hpsearch.study.run_stages import stage_views
from tests.support import synthetic


def notebook(study, replay, folder):
    return write_notebook(study, stage_views(study), replay, folder)


def test_every_stage_stands_on_the_page_with_its_figure(tmp_path):
    text = notebook(synthetic.recipe(), "python -m hpsearch optimizer.lr=0.1", tmp_path / "recipe").read_text()
    assert all(f'id="stage-{name}"' in text for name in synthetic.recipe()["stages"])
    drawn = dict(re.findall(r'<script type="application/json" id="(\w+)-data">(.*?)</script>', text, re.DOTALL))
    assert set(drawn) == set(synthetic.STAGES)
    rates = json.loads(drawn["lr_find"])["data"]
    assert [trace["y"] for trace in rates] == [[2.0, 1.0, None], [2.1, 1.1, None], [2.05, 1.05]]
    assert json.loads(drawn["coarse"])["data"][0]["x"] == [0.1, 0.3]
    assert json.loads(drawn["confirm"])["data"][1]["x"] == [pytest.approx(0.905)]
    assert "Train longer or shorter" in text  # a stage that has not run is listed


def test_what_a_user_wrote_is_text(tmp_path):
    page = notebook(synthetic.recipe(), None, tmp_path / "recipe")
    assert "<script>alert(1)" not in page.read_text()
    assert "Is <b>it</b>" not in page.read_text()
    markdown = (page.parent / "README.md").read_text()
    assert "<script>" not in markdown and "odd" in markdown and "&#124;" in markdown


def test_name_question_and_answer_are_text_in_the_readme_too(tmp_path):
    said = {"name": "a_b_c", "question": "Is <b>it</b> *so*?", "state": {"answer": "<i>_yes_</i>"}}
    page = notebook(synthetic.recipe() | said, None, tmp_path / "recipe")
    markdown = (page.parent / "README.md").read_text()
    assert markdown.startswith(
        "# a\\_b\\_c\n\nIs &lt;b&gt;it&lt;/b&gt; \\*so\\*?\n\n**&lt;i&gt;\\_yes\\_&lt;/i&gt;**\n"
    )


def test_page_and_readme_say_why_a_recipe_ended(tmp_path):
    state = {"state": "COMPLETE", "why": "the stage lr_find failed: nothing trains", "time": 1_700_000_000.0}
    page = notebook(synthetic.recipe() | {"state": state}, None, tmp_path / "recipe")
    assert "2023-11-14 22:13 UTC: the stage lr_find failed: nothing trains</span>" in page.read_text()
    written = (page.parent / "README.md").read_text().replace("\\", "")
    assert "It ended because the stage lr_find failed: nothing trains." in written

"""The page of a recipe: every stage, its figure, and whatever a user wrote as text."""

import json
import re

import pytest

from hpsearch.recipe.base import Finding, Verdict
from hpsearch.recipe.run import to_dict
from hpsearch.report.notebook import write_notebook

PARAMS = [{"optimizer.lr": 0.1, "model.act": "relu"}, {"optimizer.lr": 0.3, "model.act": "tanh"}]
SPACE = {"optimizer.lr": "tag(log, interval(0.01, 1.0))"}
CURVE = {
    "weight_decay": None, "rates": [0.01, 0.1, 1.0], "losses": [[2.0, 1.0, None], [2.1, 1.1, None]],
    "fit_rates": [0.01, 0.1], "fit": [2.05, 1.05], "lr": 0.05,
}  # fmt: skip
SERIES = {
    "overfit_small": {"losses": {"0.05": [2.3, 1.0, None]}},
    "lr_find": {"curves": [CURVE]},
    "coarse": {"params": PARAMS, "scores": [0.9, 0.8], "space": SPACE},
    "fine": {"params": PARAMS[:1], "scores": [0.95], "space": SPACE},
    "curves": {
        "params": PARAMS,
        "train": [[1.0, 0.5], [1.0]],
        "valid": [[1.1, 0.7], [1.2]],
        "labels": [[], ["plateau"]],
    },
    "confirm": {"params": PARAMS, "scores": [[0.9, 0.91], [0.8, 0.82]], "test": [0.9, 0.9]},
}


@pytest.fixture
def study():
    stages = {
        name: {"name": name, **to_dict(Finding(Verdict.PASS, f"sentence of {name}", {"x": 1.5}, series=series))}
        for name, series in SERIES.items()
    }
    stages["data_check"] = to_dict(
        Finding(
            Verdict.WARN, "labels <script>alert(1)</script> | odd", cause="imbalance", action="set data.class_weights"
        )
    )
    return {
        "name": "recipe", "question": "Is <b>it</b> sound?", "command": "python -m hpsearch +study=recipe",
        "config": {"seed": 0}, "objective": {"metric": "valid/acc"}, "recipe": [*stages, "train_longer"],
        "stages": stages, "state": {"answer": "it is", "why": "", "time": 1_700_000_000.0},
    }  # fmt: skip


def test_every_stage_stands_on_the_page_with_its_figure(study, tmp_path):
    text = write_notebook(study, "python -m hpsearch optimizer.lr=0.1", tmp_path / "recipe").read_text()
    assert all(f'id="stage-{name}"' in text for name in study["stages"])
    drawn = dict(re.findall(r'<script type="application/json" id="(\w+)-data">(.*?)</script>', text, re.DOTALL))
    assert set(drawn) == set(SERIES)
    rates = json.loads(drawn["lr_find"])["data"]
    assert [trace["y"] for trace in rates] == [[2.0, 1.0, None], [2.1, 1.1, None], [2.05, 1.05]]
    assert json.loads(drawn["coarse"])["data"][0]["x"] == [0.1, 0.3]
    assert json.loads(drawn["confirm"])["data"][1]["x"] == [pytest.approx(0.905)]
    assert "Train longer or shorter" in text  # a stage that has not run is listed


def test_what_a_user_wrote_is_text(study, tmp_path):
    page = write_notebook(study, None, tmp_path / "recipe")
    assert "<script>alert(1)" not in page.read_text()
    assert "Is <b>it</b>" not in page.read_text()
    markdown = (page.parent / "README.md").read_text()
    assert "<script>" not in markdown and "odd" in markdown and "\\|" in markdown

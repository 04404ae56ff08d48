"""Views of a study in the MLflow UI."""

import json

import pytest

from hpsearch.base.types import Objective
from hpsearch.tracking import store
from hpsearch.tracking.views import CURVES, TABLE, TAG, prepare_view, view_path
from tests.support.fake_study import new_store


@pytest.fixture
def prepared(tmp_path):
    client = store.connect(new_store(tmp_path), tmp_path)
    experiment = client.create_experiment("study")
    prepare_view(client, experiment, "p4rent", ["optimizer.lr", "model"], Objective("valid/loss", "minimize"))
    tags = client.get_experiment(experiment).tags
    return json.loads(tags[TAG + TABLE]), json.loads(tags[TAG + CURVES])


def test_the_table_shows_objective_and_hyperparameters_best_first(prepared):
    table, _ = prepared
    assert table["orderByKey"] == "metrics.`valid/loss`"
    assert table["orderByAsc"] is True
    assert table["searchFilter"] == "tags.`mlflow.parentRunId` = 'p4rent'"
    wanted = ["metrics.`valid/loss`", "params.`optimizer.lr`", "params.`model`", "tags.`state`"]
    assert table["selectedColumns"][:4] == wanted
    assert table["columnOrder"][1:5] == wanted


def test_the_curves_are_those_of_the_objective(prepared):
    table, curves = prepared
    assert "compareRunCharts" not in table
    assert [chart["type"] for chart in curves["compareRunCharts"]] == ["LINE", "LINE", "PARALLEL"]
    assert curves["compareRunCharts"][0]["metricKey"] == "valid/loss"
    assert curves["compareRunCharts"][2]["selectedParams"] == ["optimizer.lr", "model"]


def test_a_view_has_a_link():
    assert view_path("7") == "#/experiments/7/runs?workflowType=machine_learning&viewStateShareKey=trials"
    assert view_path("7", curves=True).endswith("viewStateShareKey=curves&compareRunsMode=CHART")


def test_an_ablation_is_grouped_by_its_factors(tmp_path):
    client = store.connect(new_store(tmp_path), tmp_path)
    experiment = client.create_experiment("study")
    factors = ["data.batch_size", "optimizer.momentum"]
    prepare_view(client, experiment, "p4rent", [*factors, "optimizer.lr"], Objective("valid/acc"), factors)
    tags = client.get_experiment(experiment).tags
    for key in (TABLE, CURVES):
        keys = [{"mode": "param", "groupByData": factor} for factor in factors]
        assert json.loads(tags[TAG + key])["groupBy"] == {"aggregateFunction": "average", "groupByKeys": keys}


def test_other_studies_are_not_grouped(prepared):
    assert [view["groupBy"] for view in prepared] == [None, None]

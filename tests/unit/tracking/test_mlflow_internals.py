"""Views of a study in the MLflow UI, and that MLflow still has what they and the store rest on."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import mlflow
import pytest
from mlflow.store.db.utils import _get_latest_schema_revision
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from hpsearch.base.types import Objective
from hpsearch.tracking import mlflow_internals, runs, store
from hpsearch.tracking.mlflow_internals import CURVES, TABLE, TAG, view_path, view_tags


@pytest.fixture
def prepared():
    tags = view_tags("p4rent", ["optimizer.lr", "model"], Objective("valid/loss", "minimize"))
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


def test_an_ablation_is_grouped_by_its_factors():
    factors = ["data.batch_size", "optimizer.momentum"]
    tags = view_tags("p4rent", [*factors, "optimizer.lr"], Objective("valid/acc"), factors)
    for key in (TABLE, CURVES):
        keys = [{"mode": "param", "groupByData": factor} for factor in factors]
        assert json.loads(tags[TAG + key])["groupBy"] == {"aggregateFunction": "average", "groupByKeys": keys}


def test_other_studies_are_not_grouped(prepared):
    assert [view["groupBy"] for view in prepared] == [None, None]


def test_mlflow_is_the_version_that_this_was_written_for():
    assert mlflow_internals.installed_version() == mlflow.__version__
    assert mlflow.__version__.rsplit(".", 1)[0] == mlflow_internals.WRITTEN_FOR, (
        "look at the views of a study in the UI of this version, then raise WRITTEN_FOR"
    )


def test_the_schema_is_the_one_that_mlflow_asks_for():
    assert mlflow_internals.schema_head() == _get_latest_schema_revision()


def test_a_store_that_was_built_is_let_go(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    mlflow_internals.build_schema(uri, tmp_path.as_uri())
    assert store._schema(tmp_path / "mlflow.db") == mlflow_internals.schema_head()
    assert uri not in SqlAlchemyStore._engine_map
    SqlAlchemyStore(uri, tmp_path.as_uri())
    assert uri in SqlAlchemyStore._engine_map, "MLflow keeps its engines elsewhere now"


def words_of(view):
    """Yield every key of a view, and the texts that are names of the UI's own."""
    if isinstance(view, Mapping):
        for key, value in view.items():
            yield key
            yield from words_of(value)
    elif isinstance(view, list):
        for value in view:
            yield from words_of(value)
    elif isinstance(view, str) and re.fullmatch(r"[A-Z_]{4,}|runDateAndNestInfo|param|average", view):
        yield view


def test_the_ui_still_reads_every_word_of_a_view(prepared):
    folder = Path(mlflow.__file__).parent / "server" / "js" / "build" / "static" / "js"
    bundle = "".join(path.read_text(encoding="utf-8", errors="replace") for path in folder.glob("*.js"))
    link = re.findall(r"[A-Za-z]{5,}", view_path("", curves=True))
    ours = {"attributes.`Run Name`", "metrics.`valid/loss`", "params.`optimizer.lr`", "params.`model`", "p4rent"}
    words = {word for view in prepared for word in words_of(view)} - ours | {*link, TAG, "custom_model_development"}
    assert len(words) > 40
    missing = {word for word in {*words, runs.COLOUR, mlflow_internals.KIND} - {CURVES} if word not in bundle}
    assert not missing

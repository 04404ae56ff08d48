"""What a trial logs from anywhere below it: in workers, in the record, in MLflow and in the report."""

import numpy as np
import pytest

import hpsearch
from hpsearch import run_search
from hpsearch.tracking import query, store
from hpsearch.tracking.mlflow import sync
from tests.support.html import Page


def below(lr, epoch):
    hpsearch.log("weights", np.full((8, 8), lr), epoch=epoch)


def reporting(lr):
    for epoch in range(1, 4):
        below(lr, epoch)
        hpsearch.report({"valid/acc": 1 - abs(lr - 0.3) - 1 / epoch}, epoch=epoch)
    hpsearch.log("said", f"lr is {lr}")
    return 1 - abs(lr - 0.3)


def yielding(lr):
    for epoch in range(1, 4):
        hpsearch.log("weights", np.full((8, 8), lr))
        yield {"valid/acc": 1 - abs(lr - 0.3) - 1 / epoch}
    hpsearch.log("said", f"lr is {lr}")


@pytest.mark.parametrize("function", [reporting, pytest.param(yielding, marks=pytest.mark.long)])
def test_it_is_in_the_record_in_mlflow_and_in_the_report(function, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = run_search(
        function, space={"lr": [0.1, 0.2, 0.4]}, sampler="grid", pruner="none", overrides=["launcher.workers=2"]
    )
    sync(tmp_path / "studies" / outcome.name)  # what a slow machine has left
    table = query.table_from_events(tmp_path / "studies" / outcome.name)
    assert len(table.media) == 3
    for media in table.media.values():
        assert [(medium.name, medium.epoch) for medium in media] == [
            ("said", 4), ("weights", 1), ("weights", 2), ("weights", 3),
        ]  # fmt: skip
    client = store.connect(store.store_uri(None), store.artifact_root(None, store.store_uri(None)))
    for run in table.trials["run_id"]:
        pictures = [each.path for each in client.list_artifacts(run, "images")]
        assert sum(path.endswith(".png") for path in pictures) == 3
        assert [each.path for each in client.list_artifacts(run, "media/said")] == ["media/said/4.txt"]
    page = Page((tmp_path / "studies" / outcome.name / "report.html").read_text(encoding="utf-8"))
    assert len(page.all("img")) == 3
    text = " ".join(page.text)
    assert [f"lr is {lr}" in text for lr in (0.1, 0.2, 0.4)] == [True] * 3


def test_what_is_no_medium_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def wrong(lr):
        hpsearch.log("x", 3)
        yield {"valid/acc": lr}

    outcome = run_search(wrong, space={"lr": [0.1]}, sampler="grid", tracker="none", overrides=["launcher=inline"])
    reason = query.table_from_events(tmp_path / "studies" / outcome.name).trials["reason"][0]
    assert "hpsearch.log: 'x' is int: must be a picture" in reason

"""What trials log beside numbers, in the record and in MLflow."""

import re

import numpy as np
import pytest
from mlflow import MlflowClient
from PIL import Image

from hpsearch.base.media import Medium
from hpsearch.base.types import Report, Started, TrialId, TrialState
from hpsearch.tracking import mlflow_internals, query, store
from hpsearch.tracking.events import TrialRecord
from hpsearch.tracking.record import Record
from hpsearch.tracking.writers import open_writer
from hpsearch.trial.media import save
from tests.support import fake_study as fake
from tests.support.fake_study import Place

PICTURE = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.fixture
def place(tmp_path):
    """A study whose point 1 logged pictures of two epochs, and a text; sent."""
    place = Place(tmp_path)
    record = Record(place.folder)
    fake.open_study(record)
    for point in range(2):
        made = fake.spec(place.folder, point)
        fake.start(record, made)
        fake.report(record, made, 1)
        fake.report(record, made, 2)
        folder = place.folder / "trials" / made.id.stem
        media = [save(folder, *each) for each in (("grid", PICTURE, 1), ("grid", PICTURE + 1, 2), ("said", "hi", 2))]
        fake.finish(record, made, artifacts=[medium.path for medium in media] if point else [])
    record.close()
    place.send()
    return place


def test_the_folder_and_mlflow_hold_the_same_media(place):
    from_events = query.table_from_events(place.folder).media
    from_mlflow = query.table_from_mlflow(place.uri, place.folder.name).media
    for media in (from_events, from_mlflow):
        assert list(media) == [TrialId(1, 0)]
        assert list(media[TrialId(1, 0)]) == [
            Medium("grid", 1, "png"),
            Medium("grid", 2, "png"),
            Medium("said", 2, "txt"),
        ]
        with pytest.raises(KeyError):
            media[TrialId(0, 0)]
    for medium, content in from_events[TrialId(1, 0)].items():
        assert content and from_mlflow[TrialId(1, 0)][medium] == content
    (place.folder / "trials/1-0-0/media/said/2.txt").unlink()
    assert from_events[TrialId(1, 0)][Medium("said", 2, "txt")] == b""


def test_pictures_are_in_mlflow_by_step_once_however_often_they_are_sent(place):
    client = store.connect(place.uri, place.artifacts)
    run = place.runs()["1-0-0"]
    before = [each.path for each in client.list_artifacts(run.info.run_id, "images")]
    pictures = [path for path in before if path.endswith(".png")]
    assert [re.search(r"images/(\w+)\+step\+(\d)\+", path).groups() for path in pictures] == [
        ("grid", "1"),
        ("grid", "2"),
    ]
    assert len(before) == 4
    assert run.data.tags["mlflow.loggedImages"] == "True"
    for path in (place.folder / "tracking").glob("*.jsonl"):
        path.unlink()  # what was sent is forgotten
    place.send()
    assert [each.path for each in client.list_artifacts(run.info.run_id, "images")] == before


def test_the_ui_finds_pictures_where_mlflows_own_client_puts_them(place):
    client: MlflowClient = store.connect(place.uri, place.artifacts)
    run = client.create_run("0").info.run_id
    client.log_image(run, PICTURE, key="grid", step=2, timestamp=1234)
    report = Report(2, 20, {}, (), 1.234)
    record = TrialRecord(**{**_bare(), "reports": (report,)})
    ours = mlflow_internals.media_path(record, Medium("grid", 2, "png"))
    unique = r"[0-9a-f]{8}-[0-9a-f-]{27}"
    theirs = sorted(each.path for each in client.list_artifacts(run, "images"))
    names = [re.sub(unique, "ID", path) for path in theirs]
    assert names == [re.sub(unique, "ID", ours).replace(".png", "+compressed.webp"), re.sub(unique, "ID", ours)]
    assert client.get_run(run).data.tags["mlflow.loggedImages"] == "True"


def _bare():
    words = dict.fromkeys(("key", "folder", "reason", "traceback"), "")
    none = dict.fromkeys(("score", "queued", "started", "ended"))
    empty = {"params": {}, "overrides": (), "config": {}, "reports": (), "facts": {}, "artifacts": ()}
    known = {"id": TrialId(0, 0), "state": TrialState.COMPLETE, "attempts": 1, "ran_sec": 0.0}
    return {**words, **none, **empty, **known}


def test_what_is_no_picture_is_left_out(tmp_path):
    uri = fake.new_store(tmp_path)
    client, writer = store.connect(uri, tmp_path), open_writer(uri, tmp_path)
    writer.enter(fake.home("study"))
    (tmp_path / "x.png").write_text("<svg onload='alert(1)'/>")
    Image.fromarray(PICTURE).save(tmp_path / "y.png")
    with writer.together():
        run = writer.create("run", None, {})
        for file in ("x.png", "gone.png"):
            mlflow_internals.log_picture(writer, run, tmp_path / file, "images/x.png")
    assert client.list_artifacts(run) == []
    with writer.together():
        mlflow_internals.log_picture(writer, run, tmp_path / "y.png", "images/y.png")
    assert [each.path for each in client.list_artifacts(run, "images")] == ["images/y+compressed.webp", "images/y.png"]
    writer.close()


def test_a_trial_that_ended_keeps_what_it_logged_however_it_ended(tmp_path):
    from tests.support.driver import Setup

    def fails(spec):
        yield Started(None, {}, 0.0)
        save(tmp_path / spec.id.stem, "said", "hi", 1)
        yield Report(1, 1, {"valid/acc": 0.5})
        yield fake_result(spec)

    def fake_result(spec):
        from hpsearch.base.types import TrialResult

        return TrialResult(
            (TrialState.FAILED, TrialState.COMPLETE, TrialState.INFEASIBLE)[spec.id.point], "why", retry=False
        )

    setup = Setup(tmp_path, seeds=(0,))
    setup.run(fails)
    assert [record.artifacts for record in setup.records()] == [("media/said/1.txt",)] * 3

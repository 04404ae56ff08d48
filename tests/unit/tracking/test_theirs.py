"""What a person writes in the UI stays; what is ours goes on being brought up to date."""

import pytest

from hpsearch.tracking import sender, theirs
from hpsearch.tracking.client_writer import ClientWriter
from hpsearch.tracking.embedded_writer import EmbeddedWriter
from hpsearch.tracking.record import Record
from hpsearch.tracking.runs import COLOUR
from hpsearch.tracking.store import sqlite_path
from tests.support import fake_study as fake

NOTE = "mlflow.note.content"
WRITERS = {"ours": lambda uri, place: EmbeddedWriter(sqlite_path(uri), place), "client": ClientWriter}


@pytest.fixture(params=WRITERS)
def place(tmp_path, monkeypatch, request):
    monkeypatch.setattr(sender, "open_writer", WRITERS[request.param])
    place = fake.Place(tmp_path)
    record = Record(place.folder)
    fake.open_study(record)
    fake.train(record, fake.spec(place.folder, 0))
    fake.start(record, fake.spec(place.folder, 1))
    record.study("best", fake.TIME + 20, point=0, params={"optimizer.lr": 0.3}, mean=0.9, sd=0.0, n=1)
    record.close()
    place.send()
    return place


def go_on(place):
    """Let the running trial and the study end, and forget what was sent: everything is sent again."""
    record = Record(place.folder)
    fake.open_study(record, fake.TIME + 500, question="Which rates?")
    fake.report(record, fake.spec(place.folder, 1), 0)
    fake.finish(record, fake.spec(place.folder, 1), reason="it is done")
    for point in range(2, 6):
        fake.train(record, fake.spec(place.folder, point))
    record.study("best", fake.TIME + 620, point=1, params={"optimizer.lr": 0.6}, mean=0.95, sd=0.0, n=1)
    record.study("state", fake.TIME + 700, state="COMPLETE", answer="It is 0.6.")
    record.close()
    for notes in (place.folder / "tracking").glob("*.jsonl"):
        notes.unlink()
    place.send()


def experiment(place):
    return place.client.get_experiment(place.send()._writer.experiment)


def test_what_a_person_wrote_stays(place):
    runs, client = place.runs(), place.client
    study, ended, running = (runs[name].info.run_id for name in ("study", "0-0-0", "1-0-0"))
    client.set_tag(study, NOTE, "mine")
    client.set_tag(ended, NOTE, "also mine")
    client.set_tag(study, "best.point", "I say 7")
    client.set_tag(running, "reason", "written before it has one")
    client.set_tag(running, "to do", "look at it")
    client.set_tag(ended, COLOUR, "#000000")
    client.update_run(ended, name="the good one")
    client.update_run(study, name="my study")
    client.set_experiment_tag(place.experiment, NOTE, "ours, of spring")
    client.set_experiment_tag(place.experiment, "mlflow.experimentKind", "mine")
    number = place.experiment
    client.rename_experiment(number, "spring")
    for _ in range(2):
        go_on(place)
    study, ended, running = (client.get_run(run) for run in (study, ended, running))
    assert (study.data.tags[NOTE], ended.data.tags[NOTE]) == ("mine", "also mine")
    assert (study.info.run_name, ended.info.run_name) == ("my study", "the good one")
    assert ended.data.tags["mlflow.runName"] == "the good one" and ended.data.tags[COLOUR] == "#000000"
    assert study.data.tags["best.point"] == "I say 7"
    assert running.data.tags["reason"] == "written before it has one" and running.data.tags["to do"] == "look at it"
    kept = client.get_experiment(number)
    assert (kept.name, kept.tags[NOTE], kept.tags["mlflow.experimentKind"]) == ("spring", "ours, of spring", "mine")
    assert study.data.tags["best.optimizer.lr"] == "0.6" and study.data.tags["state"] == "COMPLETE"
    assert study.data.tags["question"] == "Which rates?" and running.data.tags["state"] == "COMPLETE"


def test_what_nobody_changed_is_brought_up_to_date(place):
    number = place.experiment
    go_on(place)
    found, kept = place.runs(), place.client.get_experiment(number)
    assert "It is 0.6" in found["study"].data.tags[NOTE] and "It is 0.6" in kept.tags[NOTE]
    assert found["study"].data.tags["best.point"] == "1" and found["1-0-0"].data.tags["reason"] == "it is done"
    assert len({run.data.tags[COLOUR] for name, run in found.items() if name != "study"}) == 6
    assert found["0-0-0"].data.tags[COLOUR] == "#440154"


def test_the_description_of_an_experiment_that_a_person_made_stays(tmp_path):
    place = fake.Place(tmp_path)
    number = place.client.create_experiment("lr_sweep", tags={NOTE: "my plans"})
    fake.write_study(place.folder, points=1).close()
    place.send()
    kept = place.client.get_experiment(number)
    assert len(place.runs()) > 1 and kept.tags[NOTE] == "my plans"


def test_what_an_older_version_wrote_is_ours(place):
    client, number = place.client, place.experiment
    kept = client.get_experiment(number).tags
    for key in [key for key in kept if key.startswith(theirs.WRITTEN)]:
        client.delete_experiment_tag(number, key)
    for run in place.runs().values():
        for key in [key for key in run.data.tags if key.startswith(theirs.WRITTEN)]:
            client.delete_tag(run.info.run_id, key)
    go_on(place)
    found = place.runs()
    assert found["1-0-0"].data.tags["state"] == "COMPLETE" and "It is 0.6" in found["study"].data.tags[NOTE]
    assert "It is 0.6" in client.get_experiment(number).tags[NOTE]


@pytest.mark.parametrize("damage", ["[", "[1]", '"text"', ""])
def test_damaged_digests_are_none(damage):
    there = {"state": "RUNNING", f"{theirs.WRITTEN}.0": damage}
    assert theirs.untouched(there, {"state": "COMPLETE"})["state"] == "COMPLETE"

"""Several drivers on one study in a PostgreSQL that asks for passwords."""

import os
import signal
import time
from collections import Counter

import pytest

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.study.api import load_trials, run_study
from hpsearch.study.existing import list_studies, sync
from hpsearch.study.status import Onlooker
from hpsearch.tracking.events import read_trials
from tests.support.postgres import PASSWORD, search_words, wait_for
from tests.support.shared_study import SharedStudy, check_whole


def pages(drivers):
    return [each for each in drivers if (each.folder / "studies" / "shared" / "report.html").exists()]


class Gate:
    """Lets the points go whose number is smaller than what it says."""

    def __init__(self, folder):
        self.file = folder / "gate.txt"
        self.open(0)

    def open(self, points):
        self.file.with_suffix(".new").write_text(str(points))
        self.file.with_suffix(".new").replace(self.file)


def held(study):
    """How many drivers hold a trial."""
    return len(study.rows("select distinct lease from hpsearch.claims"))


def test_a_driver_that_is_killed_gives_its_trials_back_and_another_one_leads(postgres, database, drivers, tmp_path):
    study, gate = SharedStudy(postgres, database), Gate(tmp_path)
    words = search_words(database, "+args.nap=0.01", f"+args.gate={gate.file}", points=12)
    team = [drivers(words) for _ in range(2)]
    wait_for(lambda: study.leader and held(study) == 2, said=lambda: [each.said for each in team])
    gate.open(4)
    wait_for(lambda: study.ended() == 4, said=lambda: [each.said for each in team])
    (leader,) = [each for each in team if each.process.pid == study.leader]
    (other,) = [each for each in team if each is not leader]
    leader.kill()
    postgres.stop()
    postgres.start()
    gate.open(12)
    assert other.end() == 0, other.said
    check_whole(study, 12)
    assert study.rows("select term, ended from hpsearch.studies") == [(2, True)]
    assert pages(team) == [other]
    assert "the database is back after" in other.said
    assert PASSWORD not in other.said + leader.said
    again = drivers(words)
    assert again.end() == 0, again.said
    assert "12 complete" in again.said
    check_whole(study, 12)


def test_a_driver_that_follows_trains_hands_back_and_says_who_reported(
    postgres, database, drivers, tmp_path, monkeypatch
):
    study, gate = SharedStudy(postgres, database), Gate(tmp_path)
    words = search_words(
        database, f"+args.gate={gate.file}", function="waiting", points=6, pruner="auto", sampler="tpe"
    )
    first = drivers(words)
    wait_for(lambda: study.leader is not None, said=lambda: first.said)
    second, third = drivers(words), drivers(words)
    wait_for(lambda: held(study) == 3, said=lambda: first.said + second.said + third.said)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    synced = sync("shared", overrides=["storage=postgres", f'storage.url="{database}"', "tracker=none"])
    assert list(synced) == ["shared"]
    (seen,) = Onlooker("shared").look(time.time())
    assert (seen.state, seen.driver.pid, seen.driver.is_here) == ("RUNNING", first.process.pid, False)
    assert [each.state for each in list_studies()] == ["RUNNING"]
    third.process.send_signal(signal.SIGINT)
    wait_for(lambda: "interrupted" in third.said)
    gate.open(6)
    assert third.end() == 130, third.said
    assert "the other drivers go on" in third.said
    assert [each.end() for each in (first, second)] == [0, 0], first.said + second.said
    check_whole(study, 6)
    assert f"reported by process {first.process.pid} on" in second.said
    assert pages([first, second, third]) == [first]
    records = [read_trials(each.folder / "studies" / "shared") for each in (first, second)]
    assert records[0] == records[1]
    lines = [line for trial in study.events().values() for line in trial]
    went_on = {line["metrics"]["from"] for line in lines if line["event"] == "report"}
    assert len(went_on) > 1, "no trial went on from the checkpoint that it wrote"
    assert len({line["metrics"]["pid"] for line in lines if line["event"] == "report"}) > 1
    sync("shared", overrides=["tracker=none"])
    assert Onlooker("shared").look(time.time())[0].state == "COMPLETE"
    assert read_trials(tmp_path / "elsewhere/studies/shared") == records[0]


@pytest.mark.long
@pytest.mark.parametrize("who", ["leads", "follows"])
def test_one_that_was_frozen_for_longer_than_its_lease_writes_nothing_more(postgres, database, drivers, tmp_path, who):
    study, gate = SharedStudy(postgres, database), Gate(tmp_path)
    words = search_words(database, f"+args.gate={gate.file}", "storage.lease_sec=2", points=8)
    team = [drivers(words) for _ in range(2)]
    wait_for(lambda: study.leader and held(study) == 2, said=lambda: [each.said for each in team])
    (leader,) = [each for each in team if each.process.pid == study.leader]
    (other,) = [each for each in team if each is not leader]
    frozen, lives = (leader, other) if who == "leads" else (other, leader)
    os.kill(frozen.process.pid, signal.SIGSTOP)
    try:
        wait_for(lambda: study.rows("select count(*) from hpsearch.leases") == [(1,)], said=lambda: lives.said)
        gate.open(8)  # a worker of the frozen driver trains on, which nobody counts
        wait_for(lambda: study.ended() >= 4, said=lambda: lives.said)
    finally:
        os.kill(frozen.process.pid, signal.SIGCONT)
    assert frozen.end() == 2, frozen.said
    said = "another driver leads study 'shared'" if who == "leads" else "this driver was not heard of for 2 s"
    assert said in frozen.said
    assert lives.end() == 0, lives.said
    check_whole(study, 8)
    assert study.term == (2 if who == "leads" else 1)


@pytest.mark.long
def test_one_that_leads_and_is_interrupted_is_followed_by_another(postgres, database, drivers, tmp_path):
    study, gate = SharedStudy(postgres, database), Gate(tmp_path)
    words = search_words(database, f"+args.gate={gate.file}", function="waiting", points=6)
    team = [drivers(words) for _ in range(2)]
    wait_for(lambda: study.leader and held(study) == 2, said=lambda: [each.said for each in team])
    (leader,) = [each for each in team if each.process.pid == study.leader]
    (other,) = [each for each in team if each is not leader]
    leader.process.send_signal(signal.SIGINT)
    wait_for(lambda: "interrupted" in leader.said, said=lambda: leader.said)
    gate.open(6)
    assert leader.end() == 130, leader.said
    assert other.end() == 0, other.said
    check_whole(study, 6)
    assert study.term == 2
    assert pages(team) == [other]


@pytest.mark.long
def test_mlflow_in_the_same_server_has_every_trial_once_whoever_led(postgres, database, drivers, tmp_path):
    study, gate = SharedStudy(postgres, database), Gate(tmp_path)
    uri = postgres.create("mlflow").replace("postgresql:", "postgresql+psycopg:")
    words = search_words(database, "+args.nap=0.01", f"+args.gate={gate.file}", points=6)
    words = [*(word for word in words if word != "tracker=none"), f'tracker.uri="{uri}"']
    team = [drivers(words) for _ in range(2)]
    wait_for(lambda: study.leader and held(study) == 2, said=lambda: [each.said for each in team])
    gate.open(2)
    wait_for(lambda: _runs(postgres) >= 3, said=lambda: [each.said for each in team])  # the study's and two trials'
    next(each for each in team if each.process.pid == study.leader).kill()
    gate.open(6)
    (other,) = [each for each in team if each.process.returncode is None]
    assert other.end() == 0, other.said
    assert _runs(postgres) == 7
    scores = "select count(*) from metrics m join runs using (run_uuid) where m.key = 'valid/loss'"
    assert postgres.rows("mlflow", scores) == [(6,)]


def _runs(server):
    try:
        return server.rows("mlflow", "select count(*) from runs")[0][0]
    except Exception:  # MLflow has not made its tables yet
        return 0


def test_what_cannot_work_with_it_is_refused_before_anything_is_created(database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = search_words(database)
    for more, said in {
        "launcher=inline": "launcher=inline trains in the driver",
        "launcher.lockstep=true": "cannot work in rounds",
    }.items():
        with pytest.raises(ConfigError, match=said):
            run_study([*[word for word in words if "workers" not in word], more])
    with pytest.raises(StorageError, match=r"study.grow = shared: no study 'shared'"):
        run_study([*words, "study.grow=shared"])
    assert not (tmp_path / "studies").exists()


def test_a_driver_with_another_configuration_is_refused(postgres, database, drivers, tmp_path, monkeypatch):
    study = SharedStudy(postgres, database)
    first = drivers(search_words(database, "+args.nap=0.05", points=2))
    assert first.end() == 0, first.said
    other = drivers(search_words(database, "+args.nap=0.05", "seed=7", points=2))
    assert other.end() == 2, other.said
    assert "was started with another configuration (config.seed: 0 -> 7)" in other.said
    check_whole(study, 2)
    monkeypatch.chdir(first.folder)
    assert Counter(load_trials("shared")["state"]) == {"COMPLETE": 2}
    alone = [word for word in search_words(database, "+args.nap=0.05", points=3) if not word.startswith("storage")]
    with pytest.raises(StorageError, match="is kept in PostgreSQL"):
        run_study(alone)


@pytest.mark.long
def test_a_study_that_has_ended_goes_on_in_another_space_with_drivers_that_have_no_folder_of_it(
    postgres, database, drivers
):
    study = SharedStudy(postgres, database)
    first = drivers(search_words(database, points=3))
    assert first.end() == 0, first.said
    words = [word for word in search_words(database, "+args.nap=0.3", points=8) if not word.startswith("space.")]
    words = [*(word for word in words if "nap" not in word), "study.grow=shared", "space.args.x=interval(-3, 3)"]
    team = [drivers(words) for _ in range(2)]
    assert [each.end() for each in team] == [0, 0], [each.said for each in team]
    check_whole(study, 8)
    assert "goes on in another space, with 3 points so far" in team[0].said + team[1].said
    assert len(pages(team)) == 1

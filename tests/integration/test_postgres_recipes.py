"""Several drivers on one recipe, or ablation, in a PostgreSQL of a test's own."""

import signal

import pytest

from hpsearch.study.api import load_trials
from hpsearch.tracking.events import read_study
from tests.integration.test_recipe import TINY
from tests.support.postgres import ablation_words, wait_for
from tests.support.shared_study import SharedStudy


def drivers_with_arms(study):
    """How many drivers hold a trial of an arm."""
    try:
        return len(study.rows("select distinct lease from hpsearch.claims where study = 'shared.arms'"))
    except Exception:  # the tables are not there yet
        return 0


def parted(team, study):
    """The driver that leads, and the other one."""
    (leader,) = [each for each in team if each.process.pid == study.leader]
    (other,) = [each for each in team if each is not leader]
    return leader, other


def reported(team):
    return [each for each in team if (each.folder / "studies/shared/report.html").exists()]


@pytest.mark.parametrize("ends", ["killed", pytest.param("interrupted", marks=pytest.mark.long)])
def test_an_ablation_whose_leader_ends_among_its_arms_goes_on_there_with_another_one(
    postgres, database, drivers, tmp_path, monkeypatch, ends
):
    study, gate = SharedStudy(postgres, database), tmp_path / "gate"
    team = [drivers(ablation_words(database, f"+args.gate={gate}")) for _ in range(2)]
    wait_for(lambda: drivers_with_arms(study) == 2, said=lambda: [each.said for each in team])
    leader, other = parted(team, study)
    if ends == "killed":
        leader.kill()
    else:
        leader.process.send_signal(signal.SIGINT)
        wait_for(lambda: "interrupted" in leader.said, said=lambda: leader.said)
    gate.touch()
    assert other.end() == 0, other.said
    assert ends == "killed" or leader.end() == 130, leader.said
    assert study.rows("select term, ended from hpsearch.studies where name = 'shared'") == [(2, True)]
    assert study.rows("select count(*) from hpsearch.claims") == [(0,)]
    assert reported(team) == [other]
    assert "stage 1 of 2" not in other.said
    monkeypatch.chdir(other.folder)
    arms = load_trials("shared")
    assert sorted(zip(arms["args.kind"], arms["args.x"], arms["seed"], strict=True)) == [
        (kind, kind, seed) for kind in (0, 1) for seed in (0, 1)
    ]
    assert len(load_trials("shared.tune")) == 6


@pytest.mark.long
def test_a_recipe_is_searched_by_all_drivers_and_whoever_follows_knows_what_it_found(
    postgres, database, drivers, monkeypatch
):
    shared = ("storage=postgres", f'storage.url="{database}"', "storage.lease_sec=5", "launcher.workers=1")
    words = ["+study=recipe", "study.name=shared", "tracker=none", *shared]
    words += [word for word in TINY if word != "launcher=inline"]
    team = [drivers(words) for _ in range(2)]
    assert [each.end() for each in team] == [0, 0], [each.said for each in team]
    (led,) = reported(team)
    (other,) = [each for each in team if each is not led]
    records = [read_study(each.folder / "studies/shared") for each in (led, other)]
    assert records[0]["stages"] == records[1]["stages"]
    assert list(records[0]["stages"]) == records[0]["recipe"]
    assert f"reported by process {led.process.pid} on" in other.said
    for each in (led, other):
        monkeypatch.chdir(each.folder)
        assert [len(load_trials(f"shared.{stage}")) for stage in ("coarse", "fine", "confirm")] == [3, 3, 4]

"""Event files as they are read."""

import pytest

from hpsearch.tracking.events import last_state, read_study, read_trial, read_trials, replay_command, trial_files
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "lr_sweep"


def _path(folder, made):
    return folder / "events" / f"{made.id.stem}.jsonl"


def test_trials_come_in_order_of_their_numbers(folder):
    record = Record(folder)
    for point in (10, 2, 1):
        record.spec(fake.spec(folder, point, 1), fake.TIME)
    record.flush()
    assert [known.id.point for known in read_trials(folder)] == [1, 2, 10]
    assert [path.stem for path in trial_files(folder)] == ["1-1-0", "2-1-0", "10-1-0"]


@pytest.mark.parametrize(
    "stem", [f"{point}-{seed}-0" for point, seed in ((0, 1), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0))]
)
def test_the_last_state_is_that_of_the_whole_file(folder, stem):
    fake.write_study(folder)
    path = folder / "events" / f"{stem}.jsonl"
    assert last_state(path) is read_trial(path).state


def test_a_study_keeps_its_identity_and_its_first_time(folder):
    record = Record(folder)
    fake.open_study(record)
    record.study("state", fake.TIME + 5, state="PAUSED")
    record.close()
    first = read_study(folder)
    assert first["state"]["state"] == "PAUSED"
    again = Record(folder)
    again.study("open", fake.TIME + 99, command="python -m hpsearch +study=lr_sweep launcher.workers=4")
    again.close()
    study = read_study(folder)
    assert study["uid"] == first["uid"]
    assert study["created"] == fake.TIME
    assert study["question"] == first["question"]
    assert study["command"].endswith("workers=4")
    assert "state" not in study, "a study that is open again has not ended"


def test_two_studies_have_two_identities(tmp_path):
    for name in ("a", "b"):
        Record(tmp_path / name).close()
    assert read_study(tmp_path / "a")["uid"] != read_study(tmp_path / "b")["uid"]


def test_the_replay_command_is_one_shell_line(folder):
    record = Record(folder)
    made = fake.spec(folder, 0, **{"data.root": "/my data/$HOME"})
    record.spec(made, fake.TIME)
    assert replay_command(record.trial(made.id)) == (
        "python -m hpsearch +study=lr_sweep optimizer.lr=0.1 'data.root=/my data/$HOME' seed=0"
    )

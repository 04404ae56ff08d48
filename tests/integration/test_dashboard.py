"""`hpsearch ui --dashboard`: Optuna's dashboard of a study that runs; it writes nothing."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import optuna
import pytest

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.search.dashboard import ReadJournal, dashboard, reading_storage
from hpsearch.search.storage import JournalStore
from tests.faults.test_launcher import wait_until

STUDY = {"lr": optuna.distributions.FloatDistribution(0.0, 1.0)}


@pytest.fixture
def driver(tmp_path):
    """Return the store of a driver that writes, and its Optuna study."""
    store = JournalStore().open(tmp_path)
    study = optuna.create_study(study_name="s", storage=store.storage, direction="maximize")
    store.flush()
    yield store, study
    store.close()


def test_what_the_driver_has_written_is_read_and_what_it_writes_next(driver, tmp_path):
    store, study = driver
    reading = optuna.load_study(study_name="s", storage=reading_storage(tmp_path))
    assert reading.trials == []
    for number in range(3):
        trial = study.ask(STUDY)
        trial.report(0.5, 1)
        study.tell(trial, number)
        store.write()
        assert len(reading.trials) == number + 1
    assert [(t.number, t.value, t.params) for t in reading.trials] == [
        (t.number, t.value, t.params) for t in study.trials
    ]


def test_a_line_that_is_not_whole_yet_waits_for_its_end(driver, tmp_path):
    store, study = driver
    study.ask(STUDY)
    store.write()
    whole = (tmp_path / "optuna.journal").read_bytes()
    copy = tmp_path / "copy"
    copy.write_bytes(whole[:-10])
    journal = ReadJournal(copy)
    before = len(list(journal.read_logs(0)))
    copy.write_bytes(whole)
    assert len(list(journal.read_logs(0))) == before + 1


def test_nothing_that_would_write_does(driver, tmp_path):
    before = (tmp_path / "optuna.journal").read_bytes()
    reading = optuna.load_study(study_name="s", storage=reading_storage(tmp_path))
    for write in (reading.ask, lambda: reading.set_user_attr("a", 1), lambda: reading.enqueue_trial({"lr": 1})):
        with pytest.raises(StorageError, match="its driver alone writes"):
            write()
    assert (tmp_path / "optuna.journal").read_bytes() == before


def test_a_study_without_a_journal_and_a_missing_extra_are_a_line(tmp_path, monkeypatch):
    with pytest.raises(StorageError, match=r"it has no optuna\.journal to show"):
        reading_storage(tmp_path)
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'hpsearch\[dashboard\]'$"):
        dashboard(optuna.storages.InMemoryStorage(), 0)


def ask(address, method="GET", host=None):
    request = urllib.request.Request(address, method=method, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.slow
def test_it_is_served_to_this_machine_alone_and_reads_only(driver, tmp_path, monkeypatch):
    pytest.importorskip("optuna_dashboard")
    store, study = driver
    study.tell(study.ask(STUDY), 0.25)
    store.flush()
    before = (tmp_path / "optuna.journal").read_bytes()
    folder = tmp_path / "studies" / "mine"
    folder.mkdir(parents=True)
    (folder / "events").mkdir()
    (folder / "optuna.journal").write_bytes(before)
    command = [sys.executable, "-m", "hpsearch", "ui", "--dashboard", "--port", "8137"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    served = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        line = served.stdout.readline()
        page = line.split("only: ")[1].strip()
        address = page.removesuffix("/dashboard/studies/0")
        assert address.startswith("http://127.0.0.1:") and "mine" in line
        summaries = json.loads(ask(f"{address}/api/studies")[1])["study_summaries"]
        assert [each["study_name"] for each in summaries] == ["s"]
        (trial,) = json.loads(ask(f"{address}/api/studies/0")[1])["trials"]
        assert trial["values"] == [0.25]
        assert ask(page)[0] == 200 and page != address
        assert ask(f"{address}/api/studies/0", "DELETE")[0] == 405
        assert ask(f"{address}/api/studies", "POST")[0] == 405
        assert ask(f"{address}/api/studies", host="evil.example:80")[0] == 403
    finally:
        served.send_signal(signal.SIGINT)
        served.communicate(timeout=60)
    assert served.returncode == 0
    assert (folder / "optuna.journal").read_bytes() == before
    wait_until(lambda: not Path(f"/proc/{served.pid}").exists())

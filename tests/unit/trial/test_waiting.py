"""What a user's code does when it is to wait: it is kept, ended with its checkpoint, or goes on; never lost."""

import os
import subprocess
import sys

import pytest
import torch

import hpsearch
from hpsearch.base import current, platform, programs
from hpsearch.base.types import Decision, TrialState
from hpsearch.trial.generator import run_code
from hpsearch.trial.own import OwnFunction, OwnGenerator
from hpsearch.trial.surroundings import Surroundings
from hpsearch.trial.waiting import RESERVE, Memory, Waiting, why_full
from tests.support.jobs import at, drive, make_own_spec

METRIC = "valid/acc"
GIB = 2**30


@pytest.fixture(autouse=True)
def worker(monkeypatch):
    monkeypatch.setattr(current.process, "is_worker", True)
    monkeypatch.setattr(current.process, "paused", 8)


def trains(asks=True, every=1):
    """Draws a number an epoch, and saves the numbers so far."""
    torch.rand(3)  # as an initialization does
    numbers, path = [], hpsearch.folder() / "checkpoint.pt"
    if asks and (saved := hpsearch.checkpoint()):
        numbers = torch.load(saved)
    while len(numbers) < 6:
        numbers.append(torch.rand(()).item())
        if len(numbers) % every == 0:
            torch.save(numbers, path)
        yield {METRIC: sum(numbers)}


def as_function(asks=True, every=1):
    for measured in trains(asks, every):
        hpsearch.report(measured)


def begun(kind, folder, **options):
    folder.mkdir(exist_ok=True)
    if kind == "generator":
        return OwnGenerator(lambda: trains(**options), METRIC, {}, folder, Surroundings(0))
    return OwnFunction(lambda: as_function(**options), METRIC, {}, folder, Surroundings(0))


def curve(messages):
    return [(each.epoch, each.metrics[METRIC]) for each in messages[1:]]


def whole(folder):
    return curve(drive(run_code(begun("function", folder), make_own_spec(), Waiting()))[0])


@pytest.mark.parametrize("kind", ["function", "generator"])
def test_with_its_checkpoint_it_is_ended_and_called_again(kind, tmp_path):
    waiting, spec, code = Waiting(), make_own_spec("here"), begun(kind, tmp_path / "a")
    before, result = drive(run_code(code, spec, waiting), at(2, Decision.PAUSE))
    assert (result.state, result.reason) == (TrialState.PAUSED, "paused after epoch 2")
    assert waiting.take("here", 2) is None, "it is not kept"
    after, result = drive(run_code(begun(kind, tmp_path / "a"), spec, waiting))
    assert after[0].epoch == 2 and result.state is TrialState.COMPLETE
    assert curve(after) == whole(tmp_path / "b"), "with the generators that it had, the reports so far once more"
    assert after[1:3] == before[1:], "times included"


@pytest.mark.parametrize("kind", ["function", "generator"])
def test_without_a_checkpoint_of_this_epoch_it_is_kept(kind, tmp_path):
    waiting, spec, code = Waiting(), make_own_spec("here"), begun(kind, tmp_path / "a", every=2)
    before, result = drive(run_code(code, spec, waiting), at(3, Decision.PAUSE))
    assert result.state is TrialState.PAUSED
    after, _ = drive(run_code(waiting.take("here", 2), spec, waiting))
    assert after[0].epoch == 3 and curve(before) + curve(after) == whole(tmp_path / "b")


@pytest.mark.parametrize("kind", ["function", "generator"])
def test_where_nothing_further_may_wait_it_goes_on_from_an_older_checkpoint(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(current.process, "paused", 0)
    waiting, spec = Waiting(), make_own_spec("here")
    before, result = drive(run_code(begun(kind, tmp_path / "a", every=2), spec, waiting), at(3, Decision.PAUSE))
    assert result.state is TrialState.PAUSED and waiting.take("here", 2) is None
    after, _ = drive(run_code(begun(kind, tmp_path / "a", every=2), spec, waiting))
    assert after[0].epoch == 2 and len(curve(before)) == 3 and curve(after) == whole(tmp_path / "b")


@pytest.mark.parametrize("kind", ["function", "generator"])
@pytest.mark.parametrize("options", [{"asks": False}, {"every": 100}])
def test_where_nothing_further_may_wait_and_it_has_none_it_goes_on(kind, options, tmp_path, monkeypatch):
    monkeypatch.setattr(current.process, "paused", 0)
    code = begun(kind, tmp_path / "a", **options)
    messages, result = drive(run_code(code, make_own_spec(), Waiting()), at(2, Decision.PAUSE))
    assert result.state is TrialState.COMPLETE and curve(messages) == whole(tmp_path / "b")
    assert [each.declined for each in messages[1:]] == ["", "", "launcher.paused = 0: so many wait", "", "", ""]


def test_in_this_process_a_function_goes_on_and_a_generator_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(current.process, "is_worker", False)
    code = begun("function", tmp_path / "a", every=100)
    messages, result = drive(run_code(code, make_own_spec(), Waiting()), at(2, Decision.PAUSE))
    assert result.state is TrialState.COMPLETE
    assert messages[3].declined == "a function that runs in this process waits only with a checkpoint"
    code = begun("generator", tmp_path / "b", every=100)
    assert drive(run_code(code, make_own_spec(), Waiting()), at(2, Decision.PAUSE))[1].state is TrialState.PAUSED


@pytest.mark.parametrize("kind", ["function", "generator"])
@pytest.mark.parametrize("decision", [Decision.STOP, Decision.LEAVE])
def test_a_stop_and_the_end_of_everything_are_not_declined(kind, decision, tmp_path, monkeypatch):
    monkeypatch.setattr(current.process, "paused", 0)
    code = begun(kind, tmp_path / "a", every=100)
    messages, result = drive(run_code(code, make_own_spec(), Waiting()), at(2, decision))
    assert messages[-1].epoch == 2 and result.state is not TrialState.COMPLETE


def renamed(values, path):
    torch.save(values, path.with_name("checkpoint.pt.tmp"))
    path.with_name("checkpoint.pt.tmp").replace(path)


def one_each(values, path):
    torch.save(values, path.with_name(f"checkpoint-{len(values)}.pt"))


def a_folder_each(values, path):
    folder = path.with_name(f"checkpoint-{len(values)}")
    folder.mkdir(exist_ok=True)
    torch.save(values, folder / "state.ckpt")


KILLED = {
    "renamed": (renamed, 2),
    "one each": (one_each, 2),
    "folders": (a_folder_each, 2),
    "in place": (torch.save, None),
}


@pytest.mark.parametrize("name", KILLED)
def test_one_killed_between_its_checkpoint_and_the_report_goes_on_from_the_checkpoint_before(name, tmp_path):
    save, noted = KILLED[name]
    kills = [2]

    def function():
        numbers = []
        if saved := hpsearch.checkpoint():
            numbers = torch.load(saved / "state.ckpt" if saved.is_dir() else saved)
        for epoch in range(len(numbers) + 1, 7):
            numbers.append(torch.rand(()).item())
            save(numbers, hpsearch.folder() / "checkpoint.pt")
            if kills and epoch > kills[0]:
                kills.clear()
                raise KeyboardInterrupt
            hpsearch.report({METRIC: sum(numbers)}, epoch=epoch)

    def code(folder):
        folder.mkdir(exist_ok=True)
        return OwnFunction(function, METRIC, {}, folder, Surroundings(0))

    with pytest.raises(KeyboardInterrupt):
        drive(run_code(code(tmp_path / "a"), make_own_spec(), Waiting()))
    after, _ = drive(run_code(code(tmp_path / "a"), make_own_spec(), Waiting()))
    assert after[0].epoch == noted
    assert curve(after) == curve(drive(run_code(code(tmp_path / "b"), make_own_spec(), Waiting()))[0])
    assert not list(tmp_path.glob("*/resume-*")), "no second names are left"


@pytest.mark.parametrize("every", [1, 2])
def test_a_checkpoint_that_it_writes_in_place_as_it_is_paused_is_gone_on_from(every, tmp_path):
    def function():
        numbers, path = [], hpsearch.folder() / "checkpoint.pt"
        if saved := hpsearch.checkpoint():
            numbers = torch.load(saved)
        try:
            while len(numbers) < 6:
                numbers.append(torch.rand(()).item())
                if len(numbers) % every == 0:
                    torch.save(numbers, path)
                hpsearch.report({METRIC: sum(numbers)})
        finally:
            torch.save(numbers, path)

    def code(folder):
        folder.mkdir(exist_ok=True)
        return OwnFunction(function, METRIC, {}, folder, Surroundings(0))

    drive(run_code(code(tmp_path / "a"), make_own_spec(), Waiting()), at(3, Decision.LEAVE))
    after, _ = drive(run_code(code(tmp_path / "a"), make_own_spec(), Waiting()))
    assert after[0].epoch == 3
    assert curve(after) == curve(drive(run_code(code(tmp_path / "b"), make_own_spec(), Waiting()))[0])


def test_reports_of_epochs_before_its_checkpoint_are_dropped(tmp_path):
    def function():
        hpsearch.checkpoint()
        for epoch in range(1, 5):
            (hpsearch.folder() / "checkpoint-state").write_text(str(epoch))
            hpsearch.report({METRIC: epoch / 10}, epoch=epoch)

    def code():
        return OwnFunction(function, METRIC, {}, tmp_path, Surroundings(0))

    before, _ = drive(run_code(code(), make_own_spec(), Waiting()), at(2, Decision.PAUSE))
    after, _ = drive(run_code(code(), make_own_spec(), Waiting()))
    assert after[0].epoch == 2 and after[1:3] == before[1:] and [each.epoch for each in after[3:]] == [3, 4]


NAMES = {
    "none": ([], None),
    "other files": (["model.pt", "my_checkpoint.pt"], None),
    "the newest": (["checkpoint-2", "checkpoint-10", "checkpoint-3"], "checkpoint-3"),
    "of Lightning": (["last.ckpt"], "last.ckpt"),
    "unfinished": (["checkpoint.pt", "checkpoint.pt.tmp"], "checkpoint.pt"),
    "a folder": (["checkpoint-1.pt", "checkpoint-500/"], "checkpoint-500"),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_newest_checkpoint_is_found_by_its_name(name, tmp_path):
    files, newest = NAMES[name]
    code = OwnFunction(lambda: None, METRIC, {}, tmp_path, Surroundings(0))
    for place, each in enumerate(files):
        path = tmp_path / each
        path.mkdir() if each.endswith("/") else path.touch()
        os.utime(path, (place, place))
    assert code.checkpoint() == (newest and tmp_path / newest)


def test_what_waits_of_an_earlier_study_in_the_same_folder_is_ended_not_gone_on_with(tmp_path):
    waiting, code = Waiting(), begun("generator", tmp_path / "a", every=100)
    drive(run_code(code, make_own_spec("here"), waiting), at(2, Decision.PAUSE))
    assert waiting.take("here", 1) is None and waiting.take("here", 2) is None
    assert code.advance() is None


ROOM = {
    "a number": ((2, 1, 0, Memory(0, 0, GIB)), True),
    "as many as it says": ((2, 2, 0, Memory(0, GIB, GIB)), False),
    "none": ((0, 0, 0, Memory(0, GIB, GIB)), False),
    "small": (("auto", 500, GIB, Memory(2 * GIB, 8 * GIB, 16 * GIB)), True),
    "the next one leaves too little": (("auto", 1, GIB, Memory(9 * GIB, 5 * GIB, 16 * GIB)), False),
    "the next one leaves enough": (("auto", 3, GIB, Memory(9 * GIB, 5 * GIB, 16 * GIB)), True),
    "smaller than before": (("auto", 3, GIB, Memory(GIB // 2, 5 * GIB, 16 * GIB)), True),
    "the reserve": (("auto", 0, GIB, Memory(GIB, int(RESERVE * 16 * GIB) - 1, 16 * GIB)), False),
}


@pytest.mark.parametrize("case", ROOM)
def test_as_many_wait_as_the_memory_allows(case):
    arguments, may = ROOM[case]
    assert (why_full(*arguments) == "") == may


def test_the_reason_names_what_was_measured():
    reason = why_full("auto", 1, GIB, Memory(9 * GIB, 5 * GIB, 16 * GIB))
    assert reason == "1 wait, each takes 4096 MiB, and 5120 MiB are free"


def test_memory_is_that_of_this_process_and_its_children():
    program = "import sys; held = bytearray(b'x' * 60 * 2**20); print('held', flush=True); sys.stdin.read()"
    before = programs.memory_of_own_tree()
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert programs.memory_of_own_tree() > before + 50 * 2**20
    free, total = platform.memory()
    assert 0 < free < total

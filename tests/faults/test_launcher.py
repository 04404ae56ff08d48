"""Worker processes that are killed, crash, cannot start, or lose their driver."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from hpsearch.base.errors import ConfigError, HpsearchError, MachineError
from hpsearch.base.files import LOG
from hpsearch.base.types import Decision, TrialId, TrialSpec, TrialState
from hpsearch.launch.base import Died, Ended, Reported
from hpsearch.launch.processes import ProcessLauncher
from tests.support import trial_functions

pytestmark = pytest.mark.fault


def spec(point: int = 0, folder: str = "", **config) -> TrialSpec:
    return TrialSpec("study", TrialId(point, 0), {"epochs": 3} | config, {}, (), f"key{point}", folder)


def events_until(launcher, kind, limit_sec: float = 60.0) -> list:
    events, deadline = [], time.monotonic() + limit_sec
    while not any(isinstance(event, kind) for event in events):
        assert time.monotonic() < deadline, events
        events += launcher.poll(1.0)
    return events


def wait_until(condition, limit_sec: float = 30.0) -> None:
    deadline = time.monotonic() + limit_sec
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def launcher(tmp_path):
    launcher = ProcessLauncher(workers=1, log_folder=tmp_path / "logs")
    launcher.start(trial_functions.by_name)
    yield launcher
    launcher.stop(now=True)


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        ("print_and_be_killed", "was killed by SIGKILL (as the kernel does when memory runs out)"),
        ("crash", "was killed by SIGSEGV"),
        ("leave_by_os_exit", "ended with exit code 7"),
    ],
)
def test_death_of_a_worker_is_told_after_its_messages_and_the_slot_works_again(launcher, fault, detail):
    launcher.submit(0, (spec(1, at={2: fault}), spec(2)))
    events = events_until(launcher, Died)
    assert [event.message.epoch for event in events[:-1] if isinstance(event, Reported)] == [None, None, 1, 1]
    died = events[-1]
    assert (died.slot, died.trials) == (0, (TrialId(1, 0), TrialId(2, 0)))
    assert detail in died.detail.splitlines()[0]
    launcher.submit(0, (spec(1),))
    events_until(launcher, Ended)


@pytest.mark.parametrize("slot", [0, 1])
def test_what_is_told_to_every_process_is_left_to_the_driver(tmp_path, slot):
    """As Slurm does before a job's time is over, and whoever ends a container or a unit of systemd."""
    launcher = ProcessLauncher(workers=2, log_folder=tmp_path)
    launcher.start(trial_functions.by_name)
    try:
        launcher.submit(slot, (spec(1, epochs=40, epoch_sec=0.02),))
        events = events_until(launcher, Reported)
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
            os.kill(events[0].message.facts["pid"], number)
        events += events_until(launcher, Ended)
        assert events[-1].result.state is TrialState.COMPLETE
        for function in (trial_functions.end_of_a_child, trial_functions.end_of_a_program):
            assert launcher.call(function) == -signal.SIGTERM
    finally:
        launcher.stop(now=True)


@pytest.mark.parametrize("waits", [False, True])
def test_what_one_trial_broke_fails_no_other_for_good(launcher, waits):
    def trained(point, fault=None):
        launcher.submit(0, (spec(point, at={1: fault} if fault else {}),))
        events = events_until(launcher, Ended)
        return events[-1].result.state, events[0].message.facts["pid"]

    _, first = trained(0, "raise_value_error")
    assert trained(0, "take_a_library_away") == (TrialState.COMPLETE, first), "it has trained no other trial"
    if waits:
        launcher.submit(0, (spec(5, function="wait_in_memory"),))
        events_until(launcher, Ended)
    assert trained(1, "use_that_library") == (TrialState.FAILED, first)
    state, second = trained(1, "use_that_library")
    assert (state, second != first) == (TrialState.COMPLETE, True)
    _, third = trained(2)
    assert third == (first if waits else second), "what waits in a worker waits there"


def test_what_follows_a_trial_that_lowered_a_hard_limit_has_the_limits_of_a_new_worker(launcher):
    def trained(point, **config):
        launcher.submit(0, (spec(point, **config),))
        return events_until(launcher, Ended)[0].message.facts["pid"]

    first, limited = trained(0), trained(1, at={1: "lower_a_hard_limit"})
    second, third = trained(2), trained(3)
    assert first == limited != second == third


@pytest.mark.parametrize("fault", ["sleep_long", "hold_the_interpreter"])
def test_a_hung_trial_is_killed_with_its_worker(launcher, fault):
    launcher.submit(0, (spec(1, at={1: fault}),))
    (started,) = events_until(launcher, Reported)
    launcher.kill(TrialId(1, 0))
    assert events_until(launcher, Died) == [
        Died(0, (TrialId(1, 0),), f"worker process {started.message.facts['pid']} was killed", TrialId(1, 0))
    ]
    wait_until(lambda: not alive(started.message.facts["pid"]))
    launcher.submit(0, (spec(2),))
    assert events_until(launcher, Ended)[-1].result.state is TrialState.COMPLETE


def test_a_trial_that_has_just_ended_is_not_killed(launcher):
    launcher.submit(0, (spec(1),))
    wait_until(lambda: launcher._inbox.qsize() == 6)  # ready, started, three reports, the end
    launcher.kill(TrialId(1, 0))
    events = events_until(launcher, Ended)
    assert not any(isinstance(event, Died) for event in events)


def test_detail_of_a_death_shows_the_end_of_its_own_log(launcher):
    launcher.submit(0, (spec(at={1: "print_and_be_killed"}),))
    first = events_until(launcher, Died)[-1].detail
    assert "something about the input\nand to stderr" in first
    launcher.submit(0, (spec(at={1: "leave_by_os_exit"}),))
    assert "something about the input" not in events_until(launcher, Died)[-1].detail


def test_native_crash_leaves_a_stack_in_the_log(launcher):
    launcher.submit(0, (spec(at={1: "crash"}),))
    detail = events_until(launcher, Died)[-1].detail
    assert "in crash" in detail


def test_death_of_a_worker_ends_what_it_started(launcher, tmp_path):
    launcher.submit(0, (spec(folder=str(tmp_path), at={1: "fork_a_sleeper", 2: "leave_by_os_exit"}),))
    events_until(launcher, Died)
    sleeper = int((tmp_path / "sleeper-0").read_text())
    wait_until(lambda: not alive(sleeper))


@pytest.mark.parametrize("is_killed", [True, False])
def test_what_a_trial_detached_ends_with_its_worker(launcher, tmp_path, is_killed):
    trial = spec(folder=str(tmp_path), at={1: "detach_a_sleeper"} | ({2: "sleep_long"} if is_killed else {}))
    launcher.submit(0, (trial,))
    events_until(launcher, Reported if is_killed else Ended)
    wait_until((tmp_path / "sleeper").exists)
    sleeper = int((tmp_path / "sleeper").read_text())
    assert alive(sleeper)
    if is_killed:
        launcher.kill(trial.id)
    else:
        launcher.stop()
    wait_until(lambda: not alive(sleeper))


@pytest.mark.parametrize("fault", ["close_its_streams", "replace_its_streams"])
def test_a_trial_may_do_what_it_likes_with_its_streams(launcher, tmp_path, fault):
    for point, at in enumerate([{1: fault}, {1: fault}, {1: "print_its_point"}]):
        launcher.submit(0, (spec(point, folder=str(tmp_path / str(point)), at=at),))
        assert events_until(launcher, Ended)[-1].result.state is TrialState.COMPLETE
    assert (tmp_path / "2" / LOG).read_text() == "point 2\n"


def test_what_is_no_message_of_a_worker_ends_it(launcher):
    launcher.submit(0, (spec(at={1: "write_into_every_pipe"}),))
    assert "was killed: something wrote into the pipe for its messages" in events_until(launcher, Died)[-1].detail
    launcher.submit(0, (spec(1),))
    assert events_until(launcher, Ended)[-1].result.state is TrialState.COMPLETE


def test_death_of_an_idle_worker_takes_no_trial_along(launcher):
    pid = launcher.call(os.getpid)
    os.kill(pid, signal.SIGKILL)
    assert events_until(launcher, Died)[-1].trials == ()
    assert launcher.call(os.getpid) != pid


def test_death_during_a_call_is_an_error(launcher):
    with pytest.raises(MachineError, match="exit code 5"):
        launcher.call(trial_functions.die, 5)
    assert launcher.call(trial_functions.add, 1, 2) == 3


def test_a_call_that_takes_longer_than_it_may_is_killed_and_the_next_one_is_answered(launcher):
    pid = launcher.call(os.getpid)
    with pytest.raises(TimeoutError):
        launcher.call(time.sleep, 3600, within_sec=0.5)
    wait_until(lambda: not alive(pid))
    assert launcher.call(trial_functions.add, 1, 2, within_sec=600) == 3


def test_prints_of_user_code_go_to_the_log_of_the_trial(launcher, tmp_path):
    launcher.submit(0, (spec(folder=str(tmp_path / "one"), at={1: "print_much"}),))
    events = events_until(launcher, Ended)
    assert events[-1].result.state is TrialState.COMPLETE
    log = (tmp_path / "one" / LOG).read_bytes()
    assert log.count(b"not a frame\n") == 10_000
    assert b"a child prints too\n" in log
    assert not (tmp_path / "logs" / "worker-0.log").exists()


@pytest.mark.parametrize("fault", ["raise_value_error", "raise_config_error"])
def test_the_log_of_a_trial_that_failed_ends_with_its_traceback(launcher, tmp_path, fault):
    for point, at in ((1, {2: fault}), (2, {})):
        launcher.submit(0, (spec(point, folder=str(tmp_path / str(point)), at=at),))
        result = events_until(launcher, Ended)[-1].result
        assert not result.traceback or (tmp_path / str(point) / LOG).read_text().endswith(result.traceback)
    assert not (tmp_path / "2" / LOG).exists()


def test_message_that_cannot_be_pickled_fails_the_trial(launcher):
    launcher.submit(0, (spec(function="yields_a_lambda"),))
    result = events_until(launcher, Ended)[-1].result
    assert result.state is TrialState.FAILED
    assert "pickle" in result.traceback.lower()
    assert launcher.free() == (0,)


def test_message_that_the_driver_cannot_unpickle_fails_the_trial_and_replaces_the_worker(launcher):
    launcher.submit(0, (spec(function="yields_what_the_driver_cannot_read"),))
    result = events_until(launcher, Ended)[-1].result
    assert (result.state, result.reason) == (TrialState.FAILED, "a message of the worker cannot be unpickled")
    assert "another process" in result.traceback
    launcher.submit(0, (spec(1),))
    assert events_until(launcher, Ended)[-1].result.state is TrialState.COMPLETE


def test_spec_that_cannot_be_pickled_fails_the_trial(launcher):
    launcher.submit(0, (spec(function=lambda: 0),))
    assert events_until(launcher, Ended)[-1].result.state is TrialState.FAILED
    assert launcher.free() == (0,)


def test_spec_that_the_worker_cannot_unpickle_fails_the_trial(launcher):
    launcher.submit(0, (spec(odd=trial_functions.OnlyInItsMaker(os.getpid())),))
    result = events_until(launcher, Ended)[-1].result
    assert (result.reason, result.retry) == ("the batch cannot be unpickled by the worker", False)
    assert launcher.call(trial_functions.add, 1, 2) == 3


def test_answer_that_cannot_be_pickled_is_an_error(launcher):
    with pytest.raises(RuntimeError, match="pickle"):
        launcher.call(trial_functions.lambda_maker)


def test_worker_that_cannot_start_is_a_clear_error(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("import no_such_library_at_all\ndef train(specs): ...\n")
    sys.modules["only_here"] = type(sys)("only_here")
    monkeypatch.syspath_prepend(tmp_path)
    exec("def train(specs): ...", sys.modules["only_here"].__dict__)
    try:
        launcher = ProcessLauncher(workers=2, log_folder=tmp_path)
        launcher.start(sys.modules["only_here"].train)
        launcher.submit(0, (spec(),))
        with pytest.raises(HpsearchError, match=r"(?s)died 3 times while it started.*no_such_library_at_all"):
            events_until(launcher, Ended)
    finally:
        launcher.stop(now=True)
        del sys.modules["only_here"]


def test_batch_given_to_a_worker_that_dies_while_it_starts_is_not_lost(launcher):
    launcher.submit(0, (spec(),))
    launcher._slots[0].worker.kill()
    events = events_until(launcher, Ended)
    assert not any(isinstance(event, Died) for event in events)
    assert events[-1].result.state is TrialState.COMPLETE


def test_trial_function_of_the_script_itself_is_refused(launcher):
    namespace = {"__name__": "__main__"}
    exec("def train(specs): ...", namespace)
    with pytest.raises(ConfigError, match="move it into a module of its own"):
        launcher.start(namespace["train"])


def test_stop_lets_an_idle_worker_leave_by_itself(tmp_path):
    launcher = ProcessLauncher(workers=1, log_folder=tmp_path)
    launcher.start(trial_functions.train)
    pid = launcher.call(os.getpid)
    worker = launcher._slots[0].worker
    launcher.stop()
    assert "exit code 0" in worker.exit_report()
    assert not alive(pid)


def test_stop_kills_a_worker_that_does_not_end(tmp_path):
    ticks = iter(range(0, 10**9, 4))
    launcher = ProcessLauncher(workers=1, log_folder=tmp_path, clock=lambda: float(next(ticks)))
    launcher.start(trial_functions.train)
    pid = launcher.call(os.getpid)
    launcher.submit(0, (spec(at={1: "sleep_long"}),))
    launcher.stop()
    assert not alive(pid)


def test_interrupt_of_the_terminal_does_not_reach_a_worker(launcher):
    launcher.submit(0, (spec(epochs=20, epoch_sec=0.05),))
    started = events_until(launcher, Reported)[0]
    os.kill(started.message.facts["pid"], signal.SIGINT)
    assert events_until(launcher, Ended)[-1].result.state is TrialState.COMPLETE


def test_decision_to_a_worker_that_just_died_is_harmless(launcher):
    launcher.submit(0, (spec(at={1: "leave_by_os_exit"}),))
    wait_until(lambda: launcher._slots[0].worker.join(0.01))
    launcher.decide(TrialId(0, 0), Decision.STOP)
    assert isinstance(events_until(launcher, Died)[-1], Died)


DRIVER = """
import sys, time
from hpsearch.launch.processes import ProcessLauncher
from hpsearch.base.types import Started, TrialId, TrialSpec
from tests.support import trial_functions

launcher = ProcessLauncher(workers=2, log_folder=sys.argv[1])
launcher.start(trial_functions.train)
for slot in range(2):
    config = {"epochs": 2, "at": {1: sys.argv[2], 2: "sleep_long"}}
    launcher.submit(slot, (TrialSpec("study", TrialId(slot, 0), config, {}, (), "", sys.argv[1]),))
pids, until = set(), time.monotonic() + 60
while len(pids) < 2 and time.monotonic() < until:
    pids |= {event.message.facts["pid"] for event in launcher.poll(1) if isinstance(event.message, Started)}
print(*pids, flush=True)
time.sleep(600)
"""


def start_driver(tmp_path: Path, work: str) -> tuple[subprocess.Popen, list[int]]:
    # Without a __main__ guard, as a user's script may be.
    script = tmp_path / "driver.py"
    script.write_text(textwrap.dedent(DRIVER))
    root = Path(__file__).parents[2]
    driver = subprocess.Popen(
        [sys.executable, script, tmp_path, work],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(root)},
        cwd=tmp_path,
    )
    return driver, [int(pid) for pid in driver.stdout.readline().split()]


@pytest.mark.parametrize("work", ["sleep_long", "hold_the_interpreter", "work_natively", "fork_a_sleeper"])
def test_no_worker_outlives_a_killed_driver(tmp_path, work):
    driver, workers = start_driver(tmp_path, work)
    with driver:
        assert len(workers) == 2
        wait_until(lambda: work != "fork_a_sleeper" or len(list(tmp_path.glob("sleeper-*"))) == 2)
        time.sleep(0.3)
        assert all(alive(pid) for pid in workers)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    pids = [*workers, *(int(path.read_text()) for path in tmp_path.glob("sleeper-*"))]
    wait_until(lambda: not any(alive(pid) for pid in pids), limit_sec=2.0 if work != "work_natively" else 5.0)

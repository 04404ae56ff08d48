"""A program as a trial: its reports, its ends, and that nothing of it is left, in this process."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from hpsearch.base import current
from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Decision, Report, TrialId, TrialSpec, TrialState
from hpsearch.trial import generator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs are trials on Linux and macOS alone")
METRIC = "valid/acc"


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Train a shell script, and return its reports and its result; `told` holds the decision after each epoch."""
    monkeypatch.setattr(current.process, "grace_sec", 1.0)

    def train(script, told=None, attempt=1, **options):
        trainer = {
            "_target_": "hpsearch.trial.command.run",
            "command": ["sh", "-c", textwrap.dedent(script)],
            **options,
        }
        config = {
            "trainer": trainer, "plugins": [], "args": {}, "objective": {"metric": METRIC}, "seed": 3, "fold": 0
        }  # fmt: skip
        spec = TrialSpec("study", TrialId(0, 0), config, {}, (), "key", str(tmp_path / "0"), attempt)
        run, reports, decision = generator.execute((spec,)), [], None
        try:
            while True:
                (message,) = run.send(None if decision is None else (decision,))
                decision = Decision.CONTINUE
                if isinstance(message, Report):
                    reports.append((message.epoch, dict(message.metrics)))
                    decision = (told or {}).get(message.epoch, Decision.CONTINUE)
        except StopIteration as stop:
            return reports, stop.value[0]
        finally:
            run.close()

    return train


def test_what_it_prints_is_its_curve_and_a_line_without_an_epoch_at_its_end_its_score(train, tmp_path):
    reports, result = train(
        "for e in 1 2; do echo epoch $e valid/acc: 0.$e loss=3; done; echo best valid/acc: 0.7"
        f"; echo $PPID; cat; ls /proc/self/fd > {tmp_path}/fds"
    )
    assert reports == [(1, {METRIC: 0.1, "loss": 3.0}), (2, {METRIC: 0.2, "loss": 3.0})]
    assert (result.state, result.score) == (TrialState.COMPLETE, 0.7)
    if sys.platform == "linux":  # 3 is the folder that is listed
        assert (tmp_path / "fds").read_text().split() == ["0", "1", "2", "3"]


def test_lines_without_epochs_are_counted_and_what_lacks_the_objective_goes_with_the_next(train):
    reports, result = train(
        "printf 'loss 5\\nvalid/acc 0.1\\n'; printf 'valid/acc: .2'",
        pattern={METRIC: r"acc:? (\S+)", "loss": r"loss (\S+)"},
    )
    assert reports == [(1, {"loss": 5.0, METRIC: 0.1}), (2, {METRIC: 0.2})]
    assert (result.state, result.score) == (TrialState.COMPLETE, None)


def test_a_file_of_json_lines_is_read_as_it_grows(train, tmp_path):
    (tmp_path / "m.jsonl").write_text('{"valid/acc": 9}\n')
    script = f"""
        echo '{{"epoch": 1, "valid/acc": 0.5}}' >> {tmp_path}/m.jsonl
        sleep 0.2
        printf '{{"epoch": 2, "valid' >> {tmp_path}/m.jsonl
        sleep 0.2
        echo '/acc": 0.6}}' >> {tmp_path}/m.jsonl
    """
    reports, _ = train(script, metrics=str(tmp_path / "m.jsonl"), pattern=None)
    assert reports == [(1, {METRIC: 0.5}), (2, {METRIC: 0.6})]


def test_a_long_file_is_read_to_its_end_and_its_last_line_needs_no_line_feed(train, tmp_path):
    script = f"""
        for e in $(seq 1 4000); do echo '{{"epoch": '$e', "valid/acc": 0.5}}'; done >> {tmp_path}/m.jsonl
        printf '{{"epoch": 4001, "valid/acc": 0.5}}' >> {tmp_path}/m.jsonl
    """
    reports, result = train(script, metrics=f"{tmp_path}/m.jsonl", pattern=None)
    assert (result.state, [epoch for epoch, _ in reports]) == (TrialState.COMPLETE, [*range(1, 4002)])


REPORTS = f"{sys.executable} -c 'import hpsearch; {{}}'"


def test_python_inside_reports_and_knows_its_trial(train, tmp_path):
    code = (
        'assert hpsearch.params() == {} and hpsearch.folder().is_dir() and hpsearch.checkpoint() is None;'
        'hpsearch.report({"valid/acc": 0.5, "n": 1}, epoch=4); hpsearch.report({"valid/acc": 1}, epoch=5, step=9)'
    )  # fmt: skip
    reports, result = train(REPORTS.format(code))
    assert (reports, result.state) == ([(4, {METRIC: 0.5, "n": 1.0}), (5, {METRIC: 1.0})], TrialState.COMPLETE)


def test_of_several_processes_the_first_one_reports(train):
    code = 'hpsearch.report({"valid/acc": 0.5})'
    reports, _ = train(f"RANK=0 {REPORTS.format(code)}; RANK=1 {REPORTS.format(code)}", pattern=None)
    assert reports == [(1, {METRIC: 0.5})]


FAILS = {
    "exit code": ("echo bad file >&2; exit 3", "the program ended with exit code 3: bad file"),
    "its output, where it says no error": ("echo worse; exit 1", "the program ended with exit code 1: worse"),
    "signal": ("kill -SEGV $$", "the program was killed by SIGSEGV"),
    "nothing said": ("true", "never said valid/acc: let it print a line such as 'valid/acc: 0.9'"),
    "another name": ("echo acc=1", "the program ended and never said valid/acc: it printed acc; set objective.metric"),
    "no terminal": ("cat < /dev/tty", "/dev/tty: No such device or address"),
    "nobody watches": ("kill -KILL $PPID", "the program is lost: the process that watched over it was killed"),
    "a daemon": ("(sleep 60; echo valid/acc: 1) &", "the program ended and never said valid/acc"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILS)
def test_how_it_failed_is_said_in_a_line(name, train):
    script, reason = FAILS[name]
    _, result = train(script)
    assert result.state is TrialState.FAILED and reason in result.reason and "\n" not in result.reason
    assert result.retry is ("never said" not in result.reason)
    assert bool(result.failed_at) is (name not in ("signal", "nobody watches"))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo valid/acc: 0,93", "'0,93', with a decimal comma"),
        ("for e in 1 2 2; do echo epoch $e valid/acc: 1; done", "epoch 2 after that of epoch 2"),
    ],
)
def test_what_it_says_and_makes_no_sense_is_refused_and_it_is_ended(script, message, train):
    with pytest.raises(ConfigError, match=message):
        train(f"{script}; sleep 600")
    assert not left_over()


def test_a_program_that_is_not_there_is_refused(train):
    with pytest.raises(ConfigError, match=r"trainer\.command: No such file or directory"):
        train("", command=["no_such_program"])


def test_what_is_not_finite_ends_it(train):
    reports, result = train("for v in 0.5 nan 0.7; do echo valid/acc: $v; done; sleep 600")
    assert (result.state, len(reports)) == (TrialState.INFEASIBLE, 2)
    assert result.reason == "valid/acc is nan after epoch 2"


def lives(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture(autouse=True)
def _others():
    """Count nothing that was started before, as by another test of this process."""
    OTHERS.clear()
    OTHERS.update(psutil.Process().children(recursive=True))


OTHERS = set()


def left_over():
    started = set(psutil.Process().children(recursive=True)) - OTHERS
    return [each for each in started if each.status() != psutil.STATUS_ZOMBIE]


AWAY = (
    "import os, time; os.fork() or os.setsid(); os.fork(); print(os.getpid(), file=open('pids', 'a')); time.sleep(99)"
)
ENDS = {
    "at once": ("trap 'touch bye; exit' TERM", True),
    "ignores it": ("trap '' TERM", False),
    "stands still": ("kill -STOP $$ & trap 'touch bye; exit' TERM", True),
    "forks away": (f'{sys.executable} -c "{AWAY}" & while [ "$(cat pids | wc -l)" != 4 ]; do sleep 0.01; done', False),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_a_stop_ends_all_that_it_has_started(name, train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script, cleans_up = ENDS[name]
    _, result = train(f"{script}\necho epoch 1 valid/acc: 1; while :; do sleep 0.05; done", {1: Decision.STOP})
    assert (result.state, result.reason) == (TrialState.PRUNED, "stopped after epoch 1")
    assert (tmp_path / "bye").exists() is cleans_up and not left_over()
    forked = [int(pid) for pid in (tmp_path / "pids").read_text().split()] if (tmp_path / "pids").exists() else []
    assert len(forked) == (4 if name == "forks away" else 0) and not any(map(lives, forked))


def test_it_is_stopped_between_two_reports(train, tmp_path, monkeypatch):
    monkeypatch.setattr(current.process, "told_to_stop", (tmp_path / "told").exists)
    reports, result = train(f"echo epoch 3 valid/acc: 1; sleep 0.5; touch {tmp_path}/told; sleep 600")
    assert (result.state, result.reason, len(reports)) == (TrialState.PRUNED, "stopped after epoch 3", 1)


def test_it_stands_still_while_it_waits_and_goes_on_where_it_was(train, tmp_path):
    script = f"""
        setsid sh -c 'sh -c "while :; do echo . >> {tmp_path}/t; sleep 0.01; done"; true' &
        while ! [ -e {tmp_path}/t ]; do sleep 0.01; done
        for e in 1 2 3; do
            echo epoch $e valid/acc: 0.$e
            sleep 0.2
        done
    """
    reports, result = train(script, {1: Decision.PAUSE})
    assert (result.state, result.held, result.alone, len(reports)) == (TrialState.PAUSED, True, False, 1)
    time.sleep(0.3)
    size = (tmp_path / "t").stat().st_size
    time.sleep(0.3)
    assert (tmp_path / "t").stat().st_size == size
    reports, result = train("never started", attempt=2)
    assert (result.state, [epoch for epoch, _ in reports]) == (TrialState.COMPLETE, [2, 3])


def test_what_waits_is_ended_when_it_is_forgotten(train, tmp_path):
    train("echo epoch 1 valid/acc: 1; sleep 600", {1: Decision.PAUSE})
    assert left_over()
    current.process.forget([str(tmp_path / "0")])
    assert not left_over()


def test_it_goes_on_from_its_checkpoint(train, tmp_path):
    script = f"""
        from=$(cat "{{checkpoint}}" 2> /dev/null || echo 0)
        for e in $(seq $((from > 0 ? from : 1)) 4); do
            echo $e > {tmp_path}/0/checkpoint.tmp; mv {tmp_path}/0/checkpoint.tmp {tmp_path}/0/checkpoint
            echo epoch $e valid/acc: 0.$e; sleep 0.3
        done
    """
    words = ["sh", "-c", "x=$1; " + script.replace('"{checkpoint}"', '"$x"'), "sh", "{checkpoint}"]
    reports, result = train("", {2: Decision.PAUSE}, command=words)
    assert (result.state, result.held, len(reports)) == (TrialState.PAUSED, False, 2) and not left_over()
    reports, result = train("", attempt=2, command=words)
    assert (result.state, [epoch for epoch, _ in reports]) == (TrialState.COMPLETE, [1, 2, 3, 4])


def test_bytes_that_are_no_text_and_endless_lines_are_passed_over(train):
    script = r"""
        printf '\377\376 valid/acc: 0.5\n'
        head -c 40000000 /dev/zero | tr '\0' x
        printf '\nepoch 2 valid/acc: 0.6\r'
        head -c 3000000 /dev/zero | tr '\0' '\n'
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reports, _ = train(script)
    assert [metrics[METRIC] for _, metrics in reports] == [0.5, 0.6]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 2**10


def test_a_kill_of_this_process_ends_everything(tmp_path):
    code = """
import os, sys, time
from hpsearch.trial.program import Program
program = Program(["sh", "-c", "trap '' TERM; sleep 1000.5 & exec sleep 1000.5"], os.environ)
print("started", flush=True)
while not program.ended: program.poll(1)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ}) as driver:
        driver.stdout.readline()
        below = psutil.Process(driver.pid).children(recursive=True)
        deadline = time.monotonic() + 5
        while len(below) < 3 and time.monotonic() < deadline:
            below = psutil.Process(driver.pid).children(recursive=True)
        assert len(below) == 3
        driver.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(below, timeout=5)
    assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]

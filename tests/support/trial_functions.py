"""Trial functions without torch, importable by worker processes."""

import contextlib
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import (
    Decision,
    Report,
    Started,
    TrialResult,
    TrialRun,
    TrialSpec,
    TrialState,
    Wait,
    WaitingRun,
)
from tests.support.stop_keys import ctrl_c

_ENDS = {Decision.STOP: TrialState.PRUNED, Decision.PAUSE: TrialState.PAUSED, Decision.LEAVE: TrialState.PAUSED}


def preload():
    """Called by a worker before its first task."""
    os.environ["PRELOADED"] = "yes"


def train(specs: tuple[TrialSpec, ...]) -> TrialRun:
    """Reports `epochs` epochs of every member; a member that is stopped or paused ends the batch.

    In the config: `epochs`, `epoch_sec`, and `at`: {epoch: name of a function of this module called before its report}.
    """
    config = specs[0].config
    decisions = yield tuple(Started(None, {"pid": os.getpid()}, time.time()) for _ in specs)
    for epoch in range(1, config["epochs"] + 1):
        if any(decision is not Decision.CONTINUE for decision in decisions):
            break
        time.sleep(config.get("epoch_sec", 0))
        if epoch in config.get("at", {}):
            globals()[config["at"][epoch]](specs)
        decisions = yield tuple(Report(epoch, 10 * epoch, {"loss": spec.id.point + 1 / epoch}) for spec in specs)
    return tuple(
        TrialResult(_ENDS.get(decision, TrialState.COMPLETE), facts={"pid": os.getpid()}) for decision in decisions
    )


def raise_value_error(specs):
    raise ValueError("no such layer\nsecond line")


def raise_config_error(specs):
    raise ConfigError("model.width=0: it must be positive")


def raise_an_empty_error(specs):
    raise ValueError


def raise_a_message_that_begins_with_an_empty_line(specs):
    raise ValueError("\n  no such layer\nsecond line")


class WithoutMessage(Exception):
    def __str__(self):
        raise RuntimeError("no message")


def raise_an_error_without_message(specs):
    raise WithoutMessage


class Stopped(BaseException):
    """What is no Exception, as asyncio's CancelledError."""


def raise_what_is_no_exception(specs):
    raise Stopped("by a library")


def leave_without_a_code(specs):
    sys.exit()


def wait_in_memory(specs):
    yield tuple(Started(None, {"pid": os.getpid()}, time.time()) for _ in specs)
    return tuple(TrialResult(TrialState.PAUSED, held=True) for _ in specs)


_left_open = {}


def waits_with_an_open_file(specs):
    """Writes a line into a file of its folder, waits in memory with that open, and writes another one into it."""
    (spec,) = specs
    file = _left_open.pop(spec.folder, None) or Path(spec.folder, "lines").open("a")  # noqa: SIM115
    yield (Started(None, {"pid": os.getpid()}, time.time()),)
    file.write(f"attempt {spec.attempt}\n")
    file.flush()
    yield (Report(spec.attempt, spec.attempt, {"loss": 1.0}),)
    if spec.attempt == 1:
        _left_open[spec.folder] = file
        return (TrialResult(TrialState.PAUSED, held=True),)
    file.close()
    return (TrialResult(TrialState.COMPLETE),)


def take_a_library_away(specs):
    sys.modules["uuid"] = None


def use_that_library(specs):
    import uuid  # noqa: F401 (importing it is what fails)


def lower_a_hard_limit(specs):
    resource = importlib.import_module("resource")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, soft - 1))


def change_folder(specs):
    os.chdir(specs[0].folder)


def note_folder(specs):
    Path(specs[0].folder, "cwd").write_text(str(Path.cwd()))


def leave_by_sys_exit(specs):
    sys.exit(3)


def leave_by_os_exit(specs):
    os._exit(7)


def print_and_be_killed(specs):
    print("something about the input")
    print("and to stderr", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGKILL)


def be_killed(specs):
    os.kill(os.getpid(), signal.SIGKILL)


def crash(specs):
    import ctypes

    ctypes.string_at(0)


def print_much(specs):
    sys.stdout.write("not a frame\n" * 10_000)
    os.write(1, b"\x00" * 100_000)
    subprocess.run(["echo", "a child prints too"], check=True)


def close_its_streams(specs):
    sys.stdout.close()
    sys.stderr.close()
    for fd in range(3):
        os.close(fd)


def replace_its_streams(specs):
    sys.stdout, sys.stderr = None, print


def write_into_every_pipe(specs):
    for fd in range(3, 32):
        with contextlib.suppress(OSError):
            os.write(fd, b"not a frame")


def detach_a_sleeper(specs):
    """Starts a program in a session of its own that nobody is the parent of."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            Path(specs[0].folder, "sleeper").write_text(str(os.getpid()))
            os.execvp("sleep", ["sleep", "600"])
        os._exit(0)
    os.wait()
    while not (path := Path(specs[0].folder, "sleeper")).exists() or not path.read_text():
        time.sleep(0.01)


def fork_a_sleeper(specs):
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    Path(specs[0].folder, f"sleeper-{specs[0].id.point}").write_text(str(child))


def sleep_long(specs):
    time.sleep(600)


def hold_the_interpreter(specs):
    sum(range(10**12))


def work_natively(specs):
    import numpy as np

    matrix = np.random.default_rng(0).random((6000, 6000))
    while True:
        matrix = matrix @ matrix / 3000


class Group:
    """What trials share: it counts how often it was advanced, and with whom."""

    def __init__(self) -> None:
        self.count, self.fault = 0, ""
        self.waiting: list[int] = []
        self.together: list[int] = []

    def advance(self) -> None:
        if self.fault == "stuck":
            return
        if self.fault:
            globals()[self.fault](())
        self.count, self.together, self.waiting = self.count + 1, sorted(self.waiting), []


_groups: dict[str, Group] = {}


def shares(specs: tuple[TrialSpec, ...]) -> WaitingRun:
    """As `train`, for a single trial that trains each epoch with the others of its `group`.

    A report says how often the group was advanced and which points it trained then. In the config also: `fault`, that
    of the group from the start of this trial on.
    """
    (spec,), config = specs, specs[0].config
    group = _groups.setdefault(config["group"], Group())
    group.fault = config.get("fault", group.fault)
    (decision,) = yield (Started(None, {"pid": os.getpid()}, time.time()),)
    for epoch in range(1, config["epochs"] + 1):
        if decision is not Decision.CONTINUE:
            break
        group.waiting.append(spec.id.point)
        wanted = group.count + 1
        (still,) = yield (Wait(group, lambda: group.count >= wanted),)  # noqa: B023 (called before the next epoch)
        assert still is Decision.CONTINUE
        together = "+".join(map(str, group.together))
        (decision,) = yield (Report(epoch, group.count, {f"with {together}": 1.0}),)
    return (TrialResult(_ENDS.get(decision, TrialState.COMPLETE)),)


def print_its_point(specs):
    print(f"point {specs[0].id.point}")


def interrupt(specs):
    raise KeyboardInterrupt


def interrupted(specs):
    ctrl_c()


def yields_a_lambda(specs):
    yield tuple(Report(0, 0, {}, end=(lambda: 0,)) for _ in specs)
    return tuple(TrialResult(TrialState.COMPLETE) for _ in specs)


def yields_too_few(specs):
    yield ()
    return tuple(TrialResult(TrialState.COMPLETE) for _ in specs)


def returns_nothing(specs):
    yield tuple(Report(0, 0, {}) for _ in specs)


class OnlyInItsMaker:
    """Pickles, but can be unpickled only by the process that made it."""

    def __init__(self, pid: int) -> None:
        assert pid == os.getpid(), "another process"
        self.pid = pid

    def __reduce__(self):
        return OnlyInItsMaker, (self.pid,)


def yields_what_the_driver_cannot_read(specs):
    yield tuple(Report(0, 0, {}, end=(OnlyInItsMaker(os.getpid()),)) for _ in specs)
    time.sleep(600)


def reports_what_cannot_be_sent(specs):
    yield (Report(1, 10, {"loss": 1.0}),)
    yield (Report(2, 20, {}, end=(lambda: 1.0,)),)
    yield (Report(3, 30, {"loss": 1.0}),)
    return (TrialResult(TrialState.COMPLETE),)


def by_name(specs):
    """Trains with the function of this module that the config names."""
    return (yield from globals()[specs[0].config.get("function", "train")](specs))


def add(a, b):
    return a + b


def end_of_a_child():
    """Return with which code a forked child ends that is told to."""
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    child.terminate()
    child.join(30)
    return child.exitcode


def end_of_a_program():
    """Return the same of another program."""
    program = subprocess.Popen(["sleep", "60"])
    program.terminate()
    return program.wait(30)


def environment(name):
    return os.environ.get(name)


def wait_for(path):
    while not Path(path).exists():
        time.sleep(0.05)


def text_of(path):
    return Path(path).read_text()


def loaded_modules():
    return sorted(sys.modules)


def import_path():
    return sys.path


def home():
    return sys.modules["hpsearch"].__file__


def command_line():
    return sys.argv


def fail_to_add(a, b):
    raise ZeroDivisionError(f"{a}/{b}")


def refuse(message):
    raise ConfigError(message)


def die(code):
    os._exit(code)


def lambda_maker():
    return lambda: 0


IMPORTED_BY = os.getpid()


def imported_by():
    """Return the process that imported this module: of a forked worker, that which it was forked from."""
    return IMPORTED_BY


def start_a_thread():
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()


def counts_on(specs: tuple[TrialSpec, ...]) -> TrialRun:
    """Reports `epochs` epochs of one trial, each counted in a file of its folder, from which it goes on."""
    (spec,) = specs
    file = Path(spec.folder, "count")
    file.parent.mkdir(parents=True, exist_ok=True)
    done = int(file.read_text()) if file.exists() else 0
    print(f"goes on from {done}")
    (decision,) = yield (Started(done or None, {"folder": spec.folder}, time.time()),)
    for epoch in range(done + 1, spec.config["epochs"] + 1):
        if decision is not Decision.CONTINUE:
            break
        time.sleep(spec.config.get("epoch_sec", 0))
        file.write_text(str(epoch))
        (decision,) = yield (Report(epoch, epoch, {"loss": 1 / epoch}),)
    return (TrialResult(_ENDS.get(decision, TrialState.COMPLETE), artifacts=("count",)),)

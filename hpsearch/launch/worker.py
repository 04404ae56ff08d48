"""The program of a worker process; it imports nothing heavy before it is told what to train.

Decisions and tasks come in through what was standard input, messages go out through what was standard output; file
descriptor 1 is pointed at standard error first, so that prints of user code cannot corrupt the channel. When the driver
is gone, however it went, the worker ends at once with everything it started.
"""

import faulthandler
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from dataclasses import dataclass

from hpsearch.base import current, platform
from hpsearch.base.errors import HpsearchError
from hpsearch.base.types import Decision, Execute, Given, TrialSpec
from hpsearch.launch.base import Ended, Reported
from hpsearch.launch.batch import TrialBatch
from hpsearch.launch.frames import (
    ALONE,
    ANSWER,
    BROKEN,
    CALL,
    DECIDE,
    EVENTS,
    LEAVE,
    READY,
    Answer,
    read_frame,
    write_frame,
)
from hpsearch.launch.mailbox import Mailbox
from hpsearch.launch.output import write_mark
from hpsearch.launch.template import Ends, load, serve


@dataclass(frozen=True, slots=True)
class _Task:
    kind: bytes
    payload: bytes
    mailbox: Mailbox


def main(lifeline: int | None, mark: str, module: str = "", requests: int | None = None) -> None:
    """Serve the driver until it says to leave.

    Args:
        lifeline: the reading end of the pipe that closes with the driver, see `hpsearch.base.platform.die_with`.
        mark: what the marks begin with between which a trial prints, see `hpsearch.launch.output`.
        module: imported first.
        requests: where the driver asks for further workers, see `hpsearch.launch.template`.
    """
    commands, channel = _take_streams()
    _prepare()
    if lifeline is not None:
        platform.die_with(lifeline)
    if module:
        load(module)
    own = [commands, channel, *([] if lifeline is None else [lifeline])]
    if requests is not None and (forked := serve(requests, own)):
        mark, ends = forked
        commands, channel = _turn_to(ends)
    # A child forked by user code must not keep the channel open after this process died.
    platform.close_in_children(channel)
    _serve(commands, channel, mark)


def _serve(commands: int, channel: int, mark: str) -> None:
    tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(commands, tasks), daemon=True).start()
    current.process.is_worker = True
    path, sys.argv[:], hello = pickle.loads(tasks.get().payload)
    sys.path[:] = path
    execute, lockstep, current.process.paused, current.process.grace_sec = pickle.loads(hello)
    load(execute.__module__)
    write_frame(channel, READY)
    while (task := tasks.get()).kind != LEAVE:
        if task.kind == CALL:
            write_frame(channel, ANSWER, _answer(task.payload))
        else:
            _train(channel, execute, task, lockstep, mark)
    sys.stdout.flush()
    os._exit(0)  # taking a loaded torch down in order costs most of a second


def _take_streams() -> tuple[int, int]:
    """Return the pipes from and to the driver; standard output becomes standard error, standard input is empty."""
    commands, channel = os.dup(0), os.dup(1)
    platform.make_binary(commands, channel)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return commands, channel


def _turn_to(ends: Ends) -> tuple[int, int]:
    """Go on, forked, with pipes of one's own; return those from and to the driver."""
    for stream, fd in enumerate(ends[:3]):
        os.dup2(fd, stream)
        os.close(fd)
    if ends.lifeline is not None:
        platform.die_with(ends.lifeline)
    return _take_streams()


def _prepare() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]  # None or another class only without a log
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _read(commands: int, tasks: "queue.SimpleQueue[_Task]") -> None:
    mailbox = Mailbox()
    while frame := read_frame(commands):
        kind, payload = frame
        if kind == DECIDE:
            mailbox.put(*pickle.loads(payload))
        else:
            mailbox = Mailbox()
            tasks.put(_Task(kind, payload, mailbox))
    platform.kill_own_group()


def _train(channel: int, execute: Execute, task: _Task, lockstep: bool, mark: str) -> None:
    try:
        specs: tuple[TrialSpec, ...]
        specs, current.process.parked = pickle.loads(task.payload)
    except Exception:
        write_frame(channel, BROKEN, traceback.format_exc().encode())
        return
    write_mark(mark, specs[0].folder)
    batch, threads = TrialBatch(execute, specs), set(threading.enumerate())
    current.process.told_to_stop = lambda: task.mailbox.stops(batch.ids[0])
    decisions: tuple[Decision | Given, ...] = ()
    while not batch.ended:
        events: tuple[Reported, ...] | tuple[Ended, ...] = batch.advance(decisions)
        try:
            payload = pickle.dumps(events)
        except Exception as error:
            events = batch.fail(error)
            payload = pickle.dumps(events)
        if batch.ended:
            _print_end(events, set(threading.enumerate()) - threads)
            write_mark(mark)
        alone = any(isinstance(event, Ended) and event.result.alone for event in events)
        write_frame(channel, ALONE if alone else EVENTS, payload)
        if batch.asks and not batch.ended:
            decisions = (task.mailbox.answer(batch.ids[0]),)
            continue
        if lockstep and not batch.ended:
            task.mailbox.wait(batch.ids)
        decisions = task.mailbox.take(batch.ids)


def _print_end(events: tuple[Reported, ...] | tuple[Ended, ...], left: set[threading.Thread]) -> None:
    """Print what the log of a trial says at its end: what it raised, and the threads that go on without it."""
    for text in dict.fromkeys(event.result.traceback for event in events if isinstance(event, Ended)):
        sys.stderr.write(text)
    for thread in left:
        print(f"[the trial has ended, its thread {thread.name} goes on]", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()


def _answer(payload: bytes) -> bytes:
    try:
        function, args = pickle.loads(payload)
        return pickle.dumps(Answer(value=function(*args)))
    except HpsearchError as error:
        return pickle.dumps(Answer(error=error))
    except Exception:
        return pickle.dumps(Answer(traceback=traceback.format_exc()))

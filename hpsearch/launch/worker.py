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
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from hpsearch.base import current, lineage, platform
from hpsearch.base.errors import HpsearchError
from hpsearch.base.process_limits import hard_limits
from hpsearch.base.threads import start_thread
from hpsearch.base.types import Execute, TrialId
from hpsearch.launch.base import Ended
from hpsearch.launch.batch import Events, TrialBatch
from hpsearch.launch.frames import (
    ALONE,
    ANSWER,
    BATCH,
    BROKEN,
    CALL,
    DECIDE,
    EVENTS,
    GARBLED,
    LEAVE,
    READY,
    Answer,
    read_frame,
    write_frame,
)
from hpsearch.launch.mailbox import Mailbox
from hpsearch.launch.outbox import Outbox
from hpsearch.launch.output import Marks, Streams
from hpsearch.launch.seats import Seats, Step
from hpsearch.launch.template import Ends, load, serve


@dataclass(frozen=True, slots=True)
class _Task:
    kind: bytes
    payload: bytes = b""
    trials: tuple[TrialId, ...] = ()


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
    mailbox = Mailbox()
    streams = Streams()
    lineage.keep_descendants()
    _outlive_sigterm()
    start_thread(_read, commands, tasks, mailbox, name="commands")
    current.process.is_worker = True
    path, sys.argv[:], hello = pickle.loads(tasks.get().payload)
    sys.path[:] = path
    execute, lockstep, current.process.paused, current.process.grace_sec, current.process.fuse = pickle.loads(hello)
    load(execute.__module__)
    write_frame(channel, READY)
    _Service(channel, execute, Marks(streams, mark), streams, tasks, mailbox, lockstep).run()
    streams.flush()
    lineage.end_descendants()
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
    faulthandler.enable()
    for name in ("SIGINT", "SIGUSR1", "SIGUSR2"):
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.SIG_IGN)


def _outlive_sigterm() -> None:
    """Leave it to the driver what becomes of a trial when every process is told to end, as by Slurm."""
    signal.signal(signal.SIGTERM, _left_to_the_driver)
    if hasattr(os, "register_at_fork"):
        mask, told = signal.pthread_sigmask, {signal.SIGTERM}
        os.register_at_fork(
            before=lambda: mask(signal.SIG_BLOCK, told),
            after_in_parent=lambda: mask(signal.SIG_UNBLOCK, told),
            after_in_child=_hear_sigterm,
        )


def _left_to_the_driver(_number: int, _frame: object) -> None:
    """Do nothing; what is ignored would be ignored by programs that are started here."""


def _hear_sigterm() -> None:
    """Let a child end when it is told, as whoever started it expects."""
    if signal.getsignal(signal.SIGTERM) is _left_to_the_driver:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _read(commands: int, tasks: "queue.SimpleQueue[_Task]", mailbox: Mailbox) -> None:
    """Put decisions into the mailbox and everything else among the tasks; a decision wakes whoever waits for one."""
    while (frame := read_frame(commands)) and frame[0] != GARBLED:
        kind, payload = frame
        if kind == DECIDE:
            mailbox.put(*pickle.loads(payload))
            tasks.put(_Task(kind))
        elif kind == BATCH:
            trials, payload = pickle.loads(payload)
            mailbox.forget(trials)
            tasks.put(_Task(kind, payload, trials))
        else:
            tasks.put(_Task(kind, payload))
    lineage.end_descendants()
    platform.kill_own_group()


class _Service:
    """Trains what the driver sends, by turns, and answers its calls, until it says to leave and nothing trains.

    Between two turns it takes in what has arrived, and waits only where nothing can go on. What a turn brings is sent
    in one frame.
    """

    def __init__(
        self,
        channel: int,
        execute: Execute,
        marks: Marks,
        streams: Streams,
        tasks: "queue.SimpleQueue[_Task]",
        mailbox: Mailbox,
        lockstep: bool,
    ) -> None:
        self._channel, self._execute, self._marks = channel, execute, marks
        self._streams = streams
        self._tasks, self._mailbox = tasks, mailbox
        self._seats = Seats(lockstep, mailbox, self._turn_to)
        self._lockstep, self._outbox = lockstep, Outbox(self._write)
        self._threads: dict[TrialBatch, set[threading.Thread] | None] = {}
        self._leaves = False
        self._limits = hard_limits()

    def run(self) -> None:
        while self._seats.batches or not self._leaves:
            for task in self._arrived():
                self._begin(task)
            self._send([self._printed(*step) for step in self._seats.turn()])

    def _arrived(self) -> Iterator[_Task]:
        if self._seats.stand_still:
            yield self._tasks.get()
        with suppress(queue.Empty):
            while True:
                yield self._tasks.get_nowait()

    def _begin(self, task: _Task) -> None:
        if task.kind == LEAVE:
            self._leaves = True
        elif task.kind == CALL:
            self._say(ANSWER, _answer(task.payload))
        elif task.kind == BATCH:
            try:
                specs, current.process.parked = pickle.loads(task.payload)
            except Exception:
                self._say(BROKEN, pickle.dumps((task.trials, traceback.format_exc())))
                return
            self._seats.take(TrialBatch(self._execute, specs))

    def _turn_to(self, batch: TrialBatch | None) -> None:
        """Let what is printed from now on go to the log of a batch."""
        if batch is None:
            self._marks.turn_to()
            return
        begins = batch not in self._threads
        if begins:
            self._threads[batch] = set(threading.enumerate())
        if len(self._threads) > 1:  # nobody knows whose a thread is
            self._threads = dict.fromkeys(self._threads)
        self._marks.turn_to(batch.folder, begins)
        current.process.told_to_stop = lambda: self._mailbox.stops(batch.ids[0])

    def _printed(self, batch: TrialBatch, events: Events) -> Step:
        """Print what the log of a batch says at its end."""
        if batch.ended:
            before = self._threads.pop(batch, None)
            self._streams.mend()
            _print_end(events, set() if before is None else set(threading.enumerate()) - before)
        return batch, events

    def _send(self, steps: list[Step]) -> None:
        """Send what a turn brought, if it did."""
        if not steps:
            return
        if any(batch.ended for batch, _ in steps):
            self._marks.turn_to()
        packed = [self._packed(*step) for step in steps]
        may_wait = not self._lockstep and all(batch.may_wait for batch, _ in steps)
        alone = any(isinstance(event, Ended) and event.result.alone for _, events in steps for event in events)
        self._outbox.put(packed, may_wait, ALONE if alone else EVENTS)

    def _say(self, kind: bytes, payload: bytes) -> None:
        with self._outbox.quiet:
            write_frame(self._channel, kind, payload)

    def _write(self, kind: bytes, packed: list[bytes]) -> None:
        write_frame(self._channel, kind, pickle.dumps((self._marks.ends, packed, hard_limits() != self._limits)))

    def _packed(self, batch: TrialBatch, events: Events) -> bytes:
        """Return what a batch says; it fails where that cannot be sent."""
        try:
            return pickle.dumps(events)
        except Exception as error:
            self._seats.leave(batch)
            self._threads.pop(batch, None)
            self._marks.turn_to(batch.folder)
            events = batch.fail(error)
            self._streams.mend()
            _print_end(events, set())
            self._marks.turn_to()
        return pickle.dumps(events)


def _print_end(events: Events, left: set[threading.Thread]) -> None:
    """Print what the log of a trial says at its end: what it raised, and the threads that go on without it."""
    for text in dict.fromkeys(event.result.traceback for event in events if isinstance(event, Ended)):
        sys.stderr.write(text)
    for thread in left:
        sys.stderr.write(f"[the trial has ended, its thread {thread.name} goes on]\n")
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

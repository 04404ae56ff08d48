"""Advancing one batch of trials: the part that every launcher shares."""

import os
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from hpsearch.base import current
from hpsearch.base.errors import HpsearchError
from hpsearch.base.outcome import failure
from hpsearch.base.types import (
    Clock,
    Decision,
    Execute,
    Given,
    Query,
    QueryingRun,
    Report,
    Started,
    TrialResult,
    TrialRun,
    TrialSpec,
    Wait,
    WaitingRun,
)
from hpsearch.launch.base import Ended, Reported
from hpsearch.launch.sound import sound

Events: TypeAlias = tuple[Reported, ...] | tuple[Ended, ...]
"""What came of the members of a batch that went on, one place per member."""


class TrialBatch:
    """A batch of trials in training: drives its generator and turns what escapes it into FAILED results.

    A trial may go to another working folder: the next one starts where this one did.

    Attributes:
        ids: the trials, one per member.
        folder: of the first of them.
        judged: whether something is decided on reports before the end.
        ended: whether every member has a result.
        asks: whether the trial waits for a hyperparameter that it asked for; only one that is alone may.
        wait: until when the trial waits for others in this process; None: it does not.
    """

    def __init__(self, execute: Execute, specs: tuple[TrialSpec, ...], clock: Clock = time.time) -> None:
        self.ids = tuple(spec.id for spec in specs)
        self.folder, self.judged = specs[0].folder, any(spec.judged for spec in specs)
        self.ended = self.asks = False
        self._execute, self._specs, self._clock = execute, specs, clock
        self.wait: Wait | None = None
        single, shares = len(specs) == 1, any(spec.width > 1 or spec.replayed for spec in specs)
        self._kinds: tuple[type, ...] = (Started, Report, *[Query] * single, *[Wait] * (single and shares))
        self._run: TrialRun | QueryingRun | WaitingRun | None = None
        self._started_in = Path.cwd()

    @property
    def may_wait(self) -> bool:
        """Whether what it said last need not be sent at once."""
        return not (self.judged or self.ended or self.asks)

    @property
    def is_ready(self) -> bool:
        """Whether it does not wait for others, or what it waits for is ready."""
        return self.wait is None or self.wait.ready()

    def advance(self, decisions: tuple[Decision | Given, ...]) -> Events:
        """Train until the next message of every member, or to the end.

        Args:
            decisions: the answer to the messages before, one per member; not used by the first call. To one that asks
                what it is given, or to stop.

        Returns:
            One Reported per member, or one Ended per member; nothing of a trial that waits for others.
        """
        try:
            if self._run is None:
                self._run = self._execute(self._specs)
                messages = next(self._run)
            else:
                messages = self._run.send(decisions)  # type: ignore[arg-type]  # only one that asks is given a value
            self._check(messages, self._kinds, "yielded")
            messages = tuple(sound(message, self._clock) for message in messages)
            (first, *_) = messages
            self.asks, self.wait = isinstance(first, Query), first if isinstance(first, Wait) else None
        except StopIteration as stop:
            return self._end(stop.value)
        except BaseException as error:
            if current.process.stops_by(error):
                raise
            return self.fail(error)
        told = zip(self.ids, messages, strict=True)
        return tuple(Reported(trial, message) for trial, message in told if not isinstance(message, Wait))

    def fail(self, error: BaseException) -> tuple[Ended, ...]:
        """End every member because of an error; see `failure`. One that the user must mend is not tried again."""
        self.close()
        self.ended = True
        result = failure(error, self._clock())
        return tuple(Ended(trial, result) for trial in self.ids)

    def close(self) -> None:
        """Let the generator clean up, whatever happens while it does."""
        try:
            if self._run is not None:
                self._run.close()
        except BaseException as error:
            if current.process.stops_by(error):
                raise
            with suppress(Exception):  # its message, or where it would be printed, may be broken too
                traceback.print_exc()
        self._leave()

    def _end(self, results: object) -> tuple[Ended, ...]:
        try:
            self._check(results, (TrialResult,), "returned")
            assert isinstance(results, Sequence)
            ends = [sound(result, self._clock) for result in results]
        except HpsearchError as error:
            return self.fail(error)
        self.ended = True
        self._leave()
        return tuple(Ended(trial, result) for trial, result in zip(self.ids, ends, strict=True))

    def _leave(self) -> None:
        with suppress(OSError):
            os.chdir(self._started_in)

    def _check(self, values: object, kinds: tuple[type, ...], verb: str) -> None:
        places = values if isinstance(values, tuple) else None
        if places is None or len(places) != len(self.ids) or not all(isinstance(value, kinds) for value in places):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise HpsearchError(
                f"the trial function {verb} {values!r:.200}, not one {wanted} per trial ({len(self.ids)})"
            )

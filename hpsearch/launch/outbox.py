"""What a worker sends at once, and what it keeps back for a moment to send together."""

import threading
import time
from collections.abc import Callable

from hpsearch.base.threads import start_thread
from hpsearch.base.types import Clock
from hpsearch.launch.frames import EVENTS

GATHER_SEC = 0.05


class Outbox:
    """Keeps back messages that may wait, so that those of `GATHER_SEC` go together.

    A small model is evaluated every few milliseconds; to send, receive and write down each report by itself would cost
    a tenth of its training. What may not wait takes the messages before it along; none waits longer than `GATHER_SEC`,
    for which a thread looks. A worker that dies loses those that waited, and its trial trains them again.

    Args:
        send: sends messages in order, in a frame of a kind; called by one thread at a time.
        clock: monotonic seconds.

    Attributes:
        quiet: held while something is sent, or somebody else sends something.
    """

    def __init__(self, send: Callable[[bytes, list[bytes]], None], clock: Clock = time.monotonic) -> None:
        self._send, self._clock = send, clock
        self.quiet = threading.Condition()
        self._kept: list[bytes] = []
        self._next = 0.0
        start_thread(self._run, name="outbox")

    def put(self, messages: list[bytes], may_wait: bool, kind: bytes = EVENTS) -> None:
        """Send messages now, behind those that wait, or keep them back where the last ones went just before."""
        with self.quiet:
            waits = bool(self._kept)
            self._kept += messages
            if not may_wait or self._clock() >= self._next:
                self._flush(kind)
            elif not waits:
                self.quiet.notify()

    def _flush(self, kind: bytes = EVENTS) -> None:
        messages, self._kept = self._kept, []
        self._next = self._clock() + GATHER_SEC
        self._send(kind, messages)

    def _run(self) -> None:
        with self.quiet:
            while True:
                self.quiet.wait_for(lambda: self._kept)
                if (left := self._next - self._clock()) > 0:
                    self.quiet.wait(left)
                else:
                    self._flush()

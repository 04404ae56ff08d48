"""The driver's end of a worker process on a node of a cluster."""

import threading
from collections.abc import Callable

from hpsearch.launch.frames import BATCH, CALL, GONE
from hpsearch.launch.ray.terms import NAMED, Needs, Order
from hpsearch.launch.slot import Inbox

_GONE_SEC = 5.0
"""How long a worker that was killed is waited for: its node may be lost."""


class RayWorker:
    """A worker process on the node of a slot.

    Args:
        number: of the worker.
        slot: that it is of.
        give: gives the actor of the slot an order.
        needs: returns what a batch or a call needs of the driver's files, given the kind and payload of its frame;
            None where every node sees them.
        inbox: where its frames go.

    Attributes:
        is_wanted: whether it was not killed.
    """

    def __init__(
        self,
        number: int,
        slot: int,
        give: Callable[[Order], None],
        needs: Callable[[bytes, bytes], Needs | None],
        inbox: Inbox,
    ) -> None:
        self.is_wanted = True
        self.title = f"worker of slot {slot}"
        self._number, self._give, self._needs, self._inbox = number, give, needs, inbox
        self._report = ""
        self._gone = threading.Event()

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Send a frame; a worker that is gone does not mind, GONE follows."""
        needs = self._needs(kind, payload) if kind in (BATCH, CALL) else None
        if needs is not None:
            self._give(("begin", self._number, kind, payload, needs))
        else:
            self._give(("send", self._number, kind, payload))

    def receive(self, kind: bytes, payload: bytes) -> None:
        """Take what its node says of it."""
        if kind == NAMED:
            self.title = payload.decode()
        elif kind == GONE:
            self.lose(payload.decode())
        else:
            self._inbox.put((self, kind, payload))

    def lose(self, why: str) -> None:
        """Take it for gone, once."""
        if not self._gone.is_set():
            self._report = why
            self._gone.set()
            self._inbox.put((self, GONE, b""))

    def settle(self, marks: int) -> None:
        """Its node has waited before it passed the end of a trial on."""

    def kill(self) -> None:
        """Kill it and everything that it started."""
        self.is_wanted = False
        self._give(("kill", self._number))

    def stand_still(self) -> None:
        """Let it stand still, with everything it started."""
        self._give(("stand_still", self._number))

    def go_on(self) -> None:
        """Let it go on after it stood still."""
        self._give(("go_on", self._number))

    def join(self, timeout_sec: float | None = None) -> bool:
        """Wait until it is gone; return whether it is. One that was killed is not waited for without an end."""
        return self._gone.wait(_GONE_SEC if timeout_sec is None else timeout_sec)

    def exit_report(self) -> str:
        """Return how it ended, and the last lines that it printed."""
        return self._report

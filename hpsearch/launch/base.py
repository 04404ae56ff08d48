"""What the driver asks of every launcher."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from hpsearch.base.types import Decision, Execute, Given, Message, TrialId, TrialResult, TrialSpec


@dataclass(frozen=True, slots=True)
class Reported:
    """A trial sent a message."""

    trial: TrialId
    message: Message


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial's attempt ended by itself; its slot is free when all members of its batch have ended."""

    trial: TrialId
    result: TrialResult


@dataclass(frozen=True, slots=True)
class Died:
    """A worker died (killed here or from outside, out of memory, crashed in native code).

    A fresh one takes its place.

    Attributes:
        slot: the first of its slots; all of them are free again.
        trials: the trials it was training, whose attempts are lost.
        detail: exit code or signal in a line, and in further ones the end of what it printed.
        killed: the trial that it was killed for; the others are as innocent as can be. None: nobody ordered it.
    """

    slot: int
    trials: tuple[TrialId, ...]
    detail: str
    killed: TrialId | None = None


LauncherEvent: TypeAlias = Reported | Ended | Died


class Launcher(Protocol):
    """Runs batches of trials in numbered slots, of which every worker has `width`: slot s is of worker s % workers.

    With a `width` above 1 a worker trains its batches by turns, see `hpsearch.launch.seats`, and each is a trial of our
    own loop: none waits in memory, none asks.

    In push mode a trial waits only where it asks for a hyperparameter, until `decide` gives it one or tells it to stop:
    it reads the newest decision if there is one. With `lockstep` it waits after
    every message until `decide` answers it. `retries` is how often whoever submits tries a trial again that was lost
    to an error of its own or to the death of its worker. `grace_sec` is how long a trial may take to obey before
    whoever told it to stop or to pause kills it. `fuse` says whether its trials may be trained as one program: ``auto``
    where that is faster, ``on``, ``off`` or how many at most. `detached` says whether trials go on while nobody polls,
    so that one that hangs can be seen and killed. `kept` are the running trials that go on even when the driver ends:
    the next driver finds them running.
    """

    width: int
    fuse: int | str
    lockstep: bool
    retries: int
    grace_sec: float
    detached: bool

    @property
    def slots(self) -> int:
        """How many batches may run at once."""
        ...

    @property
    def kept(self) -> Collection[TrialId]:
        """The running trials that go on when the driver ends."""
        ...

    def start(self, execute: Execute) -> None:
        """Start the workers; returns at once, they may still be importing."""
        ...

    def widen(self, width: int) -> None:
        """Let every worker train so many batches by turns; once, after `start` and before the first `submit`."""
        ...

    def call(self, function: Callable[..., Any], *args: Any, within_sec: float | None = None) -> Any:
        """Run `function(*args)` in a free worker and return its result; an HpsearchError it raises is raised here.

        Where trials are `detached`, a worker that has not answered within `within_sec` is killed: a TimeoutError.
        """
        ...

    def everywhere(self, function: Callable[..., Any], *args: Any, unlike: Callable[[Any], str]) -> None:
        """Let every other machine run what `call` has just run before it trains: one where it fails is a ConfigError.

        So is one whose result is `unlike` it, which returns in what; empty for nothing.
        """
        ...

    def free(self) -> tuple[int, ...]:
        """Return the slots that can take a batch, in order."""
        ...

    def machine(self, slot: int) -> str:
        """Return the name of the machine that a slot is on."""
        ...

    def submit(self, slot: int, specs: tuple[TrialSpec, ...]) -> None:
        """Start a batch in a free slot."""
        ...

    def poll(self, timeout_sec: float) -> list[LauncherEvent]:
        """Return what happened, waiting at most `timeout_sec` for the first event."""
        ...

    def decide(self, trial: TrialId, decision: Decision | Given) -> None:
        """Send a decision to a running trial, or what it asked for, or a stop to one that waits; else it is ignored."""
        ...

    def kill(self, trial: TrialId) -> None:
        """Kill the worker of a running trial: `Died` is the next event of it; ignored when it has ended meanwhile.

        What it trained beside that trial is lost with it.
        """
        ...

    def stop(self, now: bool = False) -> None:
        """End the workers; `now` kills them, otherwise each idle one exits and a busy one is killed after a grace."""
        ...

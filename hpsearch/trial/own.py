"""A user's own code as a trial: a generator that yields what it measured, or a function that reports it."""

import os
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from contextvars import copy_context
from pathlib import Path
from typing import Any

from greenlet import getcurrent, greenlet

from hpsearch.base import current, programs
from hpsearch.base.current import Stop
from hpsearch.base.errors import ConfigError
from hpsearch.base.readable import TEXT, readable
from hpsearch.base.types import Decision, Given, Query, Report, TrialResult
from hpsearch.trial.measured import numbers_of, report_of, returned_by, whole
from hpsearch.trial.resume import Checkpoints
from hpsearch.trial.surroundings import Surroundings, set_generators

CONSTRAINTS = "constraints."
"""Before the names of facts that say how far a constraint is broken: above 0 it is."""


class NotGiven(ConfigError, ValueError):
    """A hyperparameter has no value; where Optuna raises a ValueError this is one."""


class OwnCode(ABC):
    """A user's code that trains, and how far it is: it is advanced from one report to the next.

    Args:
        metrics: of the objectives; a returned number is the value of the first.
        params: the arguments of its function.
        folder: of its trial.
        surroundings: that it runs in.

    Attributes:
        epoch: its last one so far, that of its checkpoint at its start; None before the first.
        checkpoints: that it writes.
        score: the objective's value that it returned at its end, in place of those of its reports.
        facts: what else it returned.
        stopped: what it raised to end itself, `Stop` or another; empty where it did not.
        failed: how it failed, where it raised nothing.
        is_cut: whether it came to its end because it was told to stop between two reports.
        asked: whether it asked for its arguments by `hpsearch.params`.
        ended: whether it is known to have no further report.
    """

    ended = False
    must_ask = False
    """Whether its function takes no arguments, so that `hpsearch.params` is its only way to them."""
    needs_process = False
    """Whether it waits only in a process of its own."""
    is_program = False
    """Whether it is a program, which stands still while it waits."""

    def __init__(
        self, metrics: Sequence[str], params: Mapping[str, Any], folder: Path, surroundings: Surroundings
    ) -> None:
        self._metrics = metrics
        self._params, self.folder, self.surroundings = params, folder, surroundings
        self.checkpoints = Checkpoints(folder)
        self.epoch = self.checkpoints.epoch
        self._resumed = -1 if self.epoch is None else self.epoch
        self._others, self._process = programs.running(), os.getpid()
        self.score: float | None = None
        self.facts: dict[str, str | int | float] = {}
        self.stopped, self.asked = "", False
        self.failed: TrialResult | None = None
        self.is_cut = False

    @property
    def params(self) -> Mapping[str, Any]:
        """The arguments of its function, to code that asks for them."""
        self.asked = True
        return self._params

    def advance(self) -> Report | Query | None:
        """Run it to its next report, or to where it asks for a hyperparameter; None at its end."""
        with programs.ends_children_of(self._process), current.within(self):
            said = self._advance()
        if isinstance(said, Report):
            self.checkpoints.note(said, lambda: self.surroundings.generators)
        return said

    def give(self, given: Given) -> None:
        """Take what it asked for; it goes on when it is advanced."""
        raise NotImplementedError(f"{type(self).__name__} asks for nothing")

    def ask(self, name: str, distribution: str) -> Any:  # noqa: ARG002
        """Refuse: only a function asks for its hyperparameters.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"trial: {name} is asked for by a generator: return the score and call trial.report instead")

    def wait(self) -> None:
        """Use no more than memory until it is advanced again, as code in this process does by itself."""
        return

    def note(self, name: str, value: str | int | float) -> None:
        """Keep a fact of the trial."""
        self.facts[readable(name)] = readable(value, TEXT) if isinstance(value, str) else value

    def stop(self, decision: Decision) -> None:
        """End it where it reported last, and let it clean up; what it raises meanwhile is printed, no more."""
        with current.within(self):
            try:
                self._stop(decision)
            except BaseException as error:
                if current.process.stops_by(error):
                    raise
                with suppress(Exception):  # its message, or where it would be printed, may be broken too
                    traceback.print_exc()
        if decision is not Decision.STOP:
            self.checkpoints.note_again(lambda: self.surroundings.generators)

    def check_asked(self) -> None:
        """Refuse, at its end, a function that cannot have known its arguments.

        Raises:
            ConfigError: it takes none, and did not ask for them.
        """
        if self.must_ask and not self.asked and self._resumed < 0:
            names = ", ".join(self._params)
            raise ConfigError(
                f"nothing reads {names}: the function takes no arguments and did not call hpsearch.params(); "
                f"write `def function({names}):`"
            )

    def checkpoint(self) -> Path | None:
        """Return the newest checkpoint to go on from, and set the generators to where they stood when it was new."""
        first, self.checkpoints.asked = not self.checkpoints.asked, True
        newest = self.checkpoints.newest()
        if first and newest is not None and (generators := self.checkpoints.generators()) is not None:
            set_generators(generators)
        return newest

    @property
    def resumable(self) -> bool:
        """Whether it can go on from a checkpoint when it is called again."""
        return self.checkpoints.asked and self.checkpoints.epoch is not None

    @property
    def is_saved(self) -> bool:
        """Whether it can go on from a checkpoint without training anything twice."""
        return self.resumable and self.checkpoints.epoch == self.epoch

    @property
    def has_programs(self) -> bool:
        """Whether programs that were started since it began run: its own."""
        return not programs.running() <= self._others

    def _finish(self, returned: Any, said: str) -> Report | None:
        """Take what the code returned at its end: a last report where there was none before.

        Args:
            returned: a number is the objective's value, a tuple those of several, a mapping holds further metrics.
            said: who returned it.

        Returns:
            The report.
        """
        values = returned_by(returned, self._metrics, said)
        if self.epoch is None:
            self.epoch = 1
            return report_of(values, 1)
        self.score = values.pop(self._metrics[0], None)
        self.facts |= values
        return None

    @abstractmethod
    def report(self, metrics: Mapping[str, Any], epoch: int | None, step: int | None, raises: bool) -> Decision:
        """See `hpsearch.base.current.Searched`."""

    @abstractmethod
    def _advance(self) -> Report | Query | None: ...

    @abstractmethod
    def _stop(self, decision: Decision) -> None: ...


class OwnGenerator(OwnCode):
    """A generator, which yields a mapping of metrics after each epoch, or whole `Report` records.

    Args:
        call: the function with its arguments.
        metric: the objective's.
        params: as for all `OwnCode`.
        folder: the same.
        surroundings: the same.
    """

    def __init__(
        self,
        call: Callable[[], Iterator[Mapping[str, Any] | Report]],
        metric: str,
        params: Mapping[str, Any],
        folder: Path,
        surroundings: Surroundings,
    ) -> None:
        super().__init__((metric,), params, folder, surroundings)
        with current.within(self):
            self._measured = surroundings.run(call)

    def report(self, metrics: Mapping[str, Any], epoch: int | None, step: int | None, raises: bool) -> Decision:  # noqa: ARG002
        """Refuse: a generator yields.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("hpsearch.report: this trial's function is a generator: it must yield what it measured")

    def _advance(self) -> Report | None:
        while (report := self._next()) is not None and report.epoch <= self._resumed:
            pass
        return report

    def _next(self) -> Report | None:
        try:
            measured = self.surroundings.run(next, self._measured)
        except StopIteration as end:
            return None if end.value is None else self._finish(end.value, "the training generator returned")
        report = _yielded(measured, self.epoch)
        self.epoch = int(report.epoch)
        return report

    def _stop(self, decision: Decision) -> None:  # noqa: ARG002 - it ends in the same way for all
        close = getattr(self._measured, "close", None)
        if close is not None:
            self.surroundings.run(close)


class OwnFunction(OwnCode):
    """A plain function, which reports wherever it likes and returns its score.

    It runs in a greenlet of the thread that advances it: a report switches to whoever advances it, and back. So signal
    handlers, debuggers and whatever else asks for the main thread work, and a function that waits holds no thread.

    Args:
        call: the function with its arguments.
        metric: the objective's.
        params: as for all `OwnCode`.
        folder: the same.
        surroundings: the same.
        others: the metrics of further objectives; a tuple that is returned holds all of them.
        ends: what it raises to end its trial, besides `Stop`.
    """

    needs_process = True

    def __init__(
        self,
        call: Callable[[], Any],
        metric: str,
        params: Mapping[str, Any],
        folder: Path,
        surroundings: Surroundings,
        others: Sequence[str] = (),
        ends: tuple[type[BaseException], ...] = (),
    ) -> None:
        super().__init__((metric, *others), params, folder, surroundings)
        self._call = call
        self._ends: tuple[type[BaseException], ...] = (Stop, *ends)
        self._given: Given | None = None
        self._greenlet = greenlet(self._run)
        self._greenlet.gr_context = copy_context()
        self._place = (os.getpid(), threading.get_ident())
        self._told = Decision.CONTINUE

    def report(self, metrics: Mapping[str, Any], epoch: int | None, step: int | None, raises: bool) -> Decision:
        """Switch to whoever advances this function, and come back with the decision.

        Args:
            metrics: by name.
            epoch: after which they were measured; None: the next one.
            step: updates so far; None: the epoch.
            raises: whether a decision to end is raised.

        Returns:
            The decision; what is no report, and a place from which none is possible, raise a ConfigError.

        Raises:
            Stop: the trial is to end, or to wait, and `raises` says so.
        """
        self._check_place("hpsearch.report")
        if self._told is Decision.CONTINUE and (report := self._reported(metrics, epoch, step)) is not None:
            self._greenlet.parent.switch(report)
        if self._told is not Decision.CONTINUE and raises:
            raise Stop(f"hpsearch: {self._told} after epoch {self.epoch}")
        return self._told

    def _reported(self, metrics: Mapping[str, Any], epoch: int | None, step: int | None) -> Report | None:
        """Return a report; None for one of an epoch before the checkpoint that it went on from."""
        values = numbers_of(metrics, "hpsearch.report was given")
        at = (self.epoch or 0) + 1 if epoch is None else whole("epoch", epoch)
        if at <= self._resumed:
            return None
        if self.epoch is not None and at <= self.epoch:
            raise ConfigError(
                f"hpsearch.report: epoch = {at}: epoch {self.epoch} was reported before; "
                "report epochs in order, each once and with all that was measured"
            )
        report = report_of(values, at, None if step is None else whole("step", step))
        self.epoch = at
        return report

    def ask(self, name: str, distribution: str) -> Any:
        """Switch to whoever advances this function, and come back with the value of a hyperparameter.

        Args:
            name: of the argument.
            distribution: what it may be.

        Returns:
            The value.

        Raises:
            Stop: the trial is to end.
            NotGiven: it cannot be given, as for a distribution that does not go with an earlier one of the same name.
        """
        self._check_place("trial.suggest")
        self._given = None
        if self._told is Decision.CONTINUE:
            self._greenlet.parent.switch(Query(name, distribution))
        if self._given is None:
            raise Stop(f"hpsearch: {self._told} where it asked for {name}")
        if self._given.error:
            raise NotGiven(self._given.error)
        return self._given.value

    def give(self, given: Given) -> None:
        """Take what it asked for; it goes on when it is advanced."""
        self._given = given

    def _check_place(self, what: str) -> None:
        """Refuse what is reported or asked for from where no switch is possible."""
        process, thread = self._place
        if os.getpid() != process:
            raise ConfigError(f"{what} was called in a child process: call it in the process of the function")
        if threading.get_ident() != thread or getcurrent() is not self._greenlet:
            name = threading.current_thread().name
            raise ConfigError(f"{what} was called in thread '{name}': call it in the thread of the trial's function")

    def _advance(self) -> Report | Query | None:
        if self._greenlet.dead:
            return None
        self._greenlet.parent = getcurrent()
        said: Report | Query | None = self.surroundings.run(self._greenlet.switch)
        return said

    def _stop(self, decision: Decision) -> None:
        self._told = decision
        if self._greenlet:  # has begun, and not ended
            self._advance()

    def _run(self) -> Report | None:
        """Run the function; what it returns is a last report where there was none before."""
        try:
            returned = self._trained()
        except StopIteration as error:  # to whoever advances it, its end
            raise RuntimeError("the function raised StopIteration, as next() does where there is nothing") from error
        except BaseException as end:
            if not isinstance(end, self._ends):
                raise
            self.stopped = type(end).__name__
            return None
        finally:
            self.ended = True
        is_score = returned is not None and not isinstance(returned, Decision)  # of `return hpsearch.report(...)`
        if self._told is not Decision.CONTINUE or (not is_score and self.epoch is not None):
            return None
        return self._finish(returned, "the function returned")

    def _trained(self) -> Any:
        """Call the function; what a generator yields that it returned, as a lambda around one does, is reported."""
        returned = self._call()
        if not isinstance(returned, Generator):
            return returned
        with closing(returned):
            while True:
                try:
                    report = _yielded(next(returned), self.epoch)
                except StopIteration as end:
                    return end.value
                self.report(report.metrics, int(report.epoch), report.step, raises=True)


def _yielded(measured: Any, before: int | None) -> Report:
    """Return what a generator yielded as a report, of the epoch after the one before."""
    if isinstance(measured, Report):
        return measured
    return report_of(numbers_of(measured, "the training generator yielded"), (before or 0) + 1)

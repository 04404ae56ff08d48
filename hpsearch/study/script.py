"""A script that reports without being searched: it trains as ever, and is tracked as a single trial."""

import atexit
import hashlib
import math
import os
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hpsearch.base.clock import time_of_day
from hpsearch.base.commands import SCRIPT
from hpsearch.base.errors import ConfigError, HpsearchError
from hpsearch.base.keys import ARGS
from hpsearch.base.outcome import failure
from hpsearch.base.printed import say
from hpsearch.base.types import Decision, Report, Started, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.config.build import build
from hpsearch.config.compose import compose
from hpsearch.study.folder import single_lock, studies_folder
from hpsearch.tracking.base import Tracker
from hpsearch.tracking.events import read_trials
from hpsearch.tracking.machine import environment, git_state
from hpsearch.tracking.record import Record
from hpsearch.trial.measured import numbers_of, report_of, whole

SEND_SEC = 30


class ScriptTrial:
    """The trial that a script is when nobody searches it; it ends with the script.

    Args:
        command: the script and its arguments.

    Attributes:
        params: none: the script has its own.
        folder: for files of its own.
        epoch: its last one so far, None before the first.
    """

    params: Mapping[str, Any] = {}

    def __init__(self, command: str) -> None:
        self.epoch: int | None = None
        self._earlier_error = getattr(sys, "last_value", None)
        composition = compose([])
        self._tracker: Tracker = build("tracker", composition.config["tracker"], composition.config["plugins"])
        self._tracker.check()
        self._stack = ExitStack()
        study, guard = self._stack.enter_context(single_lock(studies_folder()))
        number = 1 + max((trial.id.point for trial in read_trials(study)), default=-1)
        self._id = TrialId(number, 0)
        self.folder = study / "trials" / self._id.stem
        self.folder.mkdir(parents=True, exist_ok=True)
        self._record = Record(study, self._tracker.changed, guard)
        about = {"command": f"python {command}", "git": git_state(Path.cwd()), "environment": environment()}
        self._record.study("open", time_of_day(), name=study.name, config=composition.config, seed=0, **about)
        self._record.spec(self._spec(study.name, command), time_of_day())
        self._record.message(self._id, Started(None, {}, time_of_day()))
        self._record.flush()
        self._tracker.open(study)

    def _spec(self, study: str, command: str) -> TrialSpec:
        config = {SCRIPT: command, ARGS: {}, "plugins": [], "seed": 0, "fold": 0}
        key = hashlib.sha256(f"{command} {time.time_ns()} {os.getpid()}".encode()).hexdigest()[:16]
        return TrialSpec(study, self._id, config, {}, (), key, str(self.folder))

    def record(self, report: Report) -> None:
        """Write down what was reported."""
        self.epoch = int(report.epoch)
        self._record.message(self._id, report)
        self._record.write()

    def end(self) -> None:
        """Write down how it ended, and wait for the tracking store."""
        error = None if hasattr(sys, "ps1") else getattr(sys, "last_value", None)
        done = TrialResult(TrialState.COMPLETE, time=time_of_day())
        result = done if error in (None, self._earlier_error) else failure(error, time_of_day())
        self._record.state(
            self._id, result.state, time_of_day(), reason=result.reason, traceback=result.traceback, score=math.nan
        )
        self._record.study("state", time_of_day(), state=result.state)
        self._record.close()
        if not self._tracker.flush(SEND_SEC if self._tracker.wait else 0.0):
            later = "`python -m hpsearch sync single` sends the rest"
            say(f"hpsearch: not everything reached the tracking store yet; {later}", sys.stderr)
        self._tracker.close(0)
        self._stack.close()


class Script:
    """The script that runs, to whoever reports in it outside any trial.

    Attributes:
        params: none: the script has its own.
        epoch: the last one of the training that runs, None before its first.
    """

    params: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self._process = os.getpid()
        self._trial: ScriptTrial | None = None
        self.epoch: int | None = None
        self._untracked: Path | None = None

    @property
    def folder(self) -> Path:
        """A folder of its own."""
        trial = self._begun()
        if trial is not None:
            return trial.folder
        assert self._untracked is not None, "what is not tracked has a folder elsewhere"
        return self._untracked

    def checkpoint(self) -> None:
        """Nothing: a script that is run again is another trial."""

    def report(self, metrics: Mapping[str, Any], epoch: int | None, step: int | None, raises: bool) -> Decision:  # noqa: ARG002
        """Write down what was measured; an epoch that comes again is of another training, and of a trial of its own.

        Args:
            metrics: by name.
            epoch: after which they were measured; None: the next one.
            step: updates so far; None: the epoch.
            raises: nothing ends a script.

        Returns:
            That it goes on.

        Raises:
            ConfigError: it is called in a child process.
        """
        if os.getpid() != self._process:
            raise ConfigError("hpsearch.report was called in a child process: call it in the process of the script")
        at = (self.epoch or 0) + 1 if epoch is None else whole("epoch", epoch)
        values = numbers_of(metrics, "hpsearch.report was given")
        if self.epoch is not None and at <= self.epoch:
            self.end()
        self.epoch = at
        if (trial := self._begun()) is not None:
            trial.record(report_of(values, at, None if step is None else whole("step", step)))
        return Decision.CONTINUE

    def end(self) -> None:
        """End the trial, if there is one."""
        trial, self._trial, self.epoch = self._trial, None, None
        if trial is not None and os.getpid() == self._process:
            trial.end()

    def _begun(self) -> ScriptTrial | None:
        """Begin a trial unless there is one; None where it cannot be tracked, which is no reason not to train."""
        if self._trial is None and self._untracked is None:
            try:
                self._trial = ScriptTrial(shlex.join(sys.argv or ["python"]))
            except HpsearchError as error:
                self._untracked = Path(tempfile.mkdtemp(prefix="hpsearch-"))
                say(f"hpsearch: this run is not tracked: {error}", sys.stderr)
        return self._trial


_scripts: list[Script] = []


def script() -> Script:
    """Return the script that runs."""
    if not _scripts:
        _scripts.append(Script())
        at_exit = getattr(threading, "_register_atexit", atexit.register)  # while threads may start, as sending needs
        at_exit(_scripts[0].end)
    return _scripts[0]

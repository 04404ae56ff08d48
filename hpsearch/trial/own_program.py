"""A program as a user's own code: it runs on by itself, and what it prints and appends is read as its reports."""

import json
import os
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hpsearch.base import clock, current, platform, supervise
from hpsearch.base.errors import ConfigError
from hpsearch.base.programs import ASKED, REPORTS
from hpsearch.base.types import Decision, Report, TrialResult, TrialState
from hpsearch.trial.command import Command
from hpsearch.trial.measured import EXAMPLE, report_of
from hpsearch.trial.own import OwnCode
from hpsearch.trial.printed import Measured, Printed, measured_in_json
from hpsearch.trial.program import Appended, Program
from hpsearch.trial.surroundings import Surroundings

LOOK_SEC = 0.05
"""How often files are looked at to which a program appends."""
_OF_THE_GRACE = 0.8
"""Of the grace that whoever told the trial to stop gives this much is the program's, before it is killed."""
_LAST_LINES = 30


class OwnProgram(OwnCode):
    """A program, which says what it measured by what it prints, by a file, or by `hpsearch.report` inside.

    Args:
        command: of it.
        config: of the trial.
        folder: of the trial.
        point: number of its point.
    """

    is_program = True

    def __init__(self, command: Command, config: Mapping[str, Any], folder: Path, point: int = 0) -> None:
        objective = config["objective"]
        names = [objective["metric"], *(each["metric"] for each in objective.get("others") or ())]
        super().__init__(names, config["args"], folder, Surroundings(config["seed"]))
        self._command, self._config, self._point = command, config, point
        wanted = dict.fromkeys((*names, *(objective.get("limits") or ())))
        self._printed = Printed(command.pattern, tuple(wanted))
        self._program: Program | None = None
        self._files: tuple[Appended, ...] = ()
        self._reports: deque[Report] = deque()
        self._beside: dict[str, float] = {}
        self._has_epochs = self._stands = False
        self._at = self.epoch
        self.checkpoints.asked = "checkpoint" in command.placeholders

    @property
    def has_programs(self) -> bool:
        """It is one itself: it stands still alone, and its worker need not."""
        return False

    def advance(self) -> Report | None:
        """Let it run to its next report; None at its end."""
        said = self._advance()
        if said is not None:
            self.checkpoints.note(said, lambda: None)
        return said

    def report(self, metrics: Mapping[str, Any], epoch: int | None, step: int | None, raises: bool) -> Decision:
        """Never called: the program is another process.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError

    def wait(self) -> None:
        """Let the program stand still, with all that it has started."""
        if self._program is not None:
            self._program.tell(supervise.STAND)
            self._stands = True

    def stop(self, decision: Decision) -> None:
        """Ask the program to end, and kill it after the grace."""
        if self._program is not None and not self._program.ended:
            self._program.stop(current.process.grace_sec * _OF_THE_GRACE)
        if decision is not Decision.STOP:
            self.checkpoints.note_again(lambda: None)

    def _stop(self, decision: Decision) -> None: ...

    def _start(self) -> Program:
        reports = self.folder / REPORTS
        reports.unlink(missing_ok=True)
        filled = self._command.filled(self._config, self.folder, self.checkpoints.newest(), self._point)
        metrics = self._command.metrics_file(self.folder)
        self._files = (Appended(reports, False), *((Appended(metrics, True),) if metrics else ()))
        environment = {"PYTHONUNBUFFERED": "1", **os.environ, **clock.told(), **filled.variables}
        self._program = Program(filled.words, environment)
        return self._program

    def _advance(self) -> Report | None:
        program = self._program or self._start()
        if self._stands:
            program.tell(supervise.GO_ON)
            self._stands = False
        while not self._reports:
            if program.ended and not any(file.has_more for file in self._files):
                return self._end(program)
            if current.process.told_to_stop():
                self.is_cut = True
                return None
            program.poll(LOOK_SEC)
            self._read(program)
        return self._next()

    def _end(self, program: Program) -> Report | None:
        """Read what nothing ended, and note how the program did; None where nothing is left to report."""
        for line in [line for file in self._files for line in file.end()]:
            self._take_json(line)
        self.ended = not self._reports
        if self._reports:
            return self._next()
        self._check_end(program)
        return None

    def _next(self) -> Report:
        report = self._reports.popleft()
        self.epoch = int(report.epoch)
        return report

    def _read(self, program: Program) -> None:
        """Make reports of what it has said since."""
        while program.lines:
            measured = self._printed.read(program.lines.popleft())
            if measured is not None:
                self._take(measured)
        for file in self._files:
            for line in file.take():
                self._take_json(line)

    def _take_json(self, line: str) -> None:
        measured = measured_in_json(line)
        if measured is None:
            return
        if measured.metrics:
            self._take(measured)
        elif ASKED in line:
            self.checkpoints.asked = True

    def _take(self, measured: Measured) -> None:
        """Make a report, or the score, of what it said; what lacks the objective is part of the next report."""
        self._beside |= measured.metrics
        if self._metrics[0] not in measured.metrics:
            return
        values, self._beside = self._beside, {}
        if measured.epoch is None and self._has_epochs:
            self.score = values.pop(self._metrics[0])
            self.facts |= values
            return
        self._has_epochs |= measured.epoch is not None
        at = (self._at or 0) + 1 if measured.epoch is None else measured.epoch
        if at <= self._resumed:
            return
        if self._at is not None and at <= self._at:
            raise ConfigError(
                f"the program said {self._metrics[0]} of epoch {at} after that of epoch {self._at}: each epoch must be "
                "said once, in order; trainer.pattern says which lines count"
            )
        self._at = at
        self._reports.append(report_of(values, at, measured.step))

    def _check_end(self, program: Program) -> None:
        """Note how it failed, where it did not end as it should."""
        last = program.last_lines
        if program.code != 0:
            how = f"the program {platform.how_it_ended(program.code)}"
            if program.code is None:
                how = "the program is lost: the process that watched over it was killed"
            said = f": {last[-1].strip()[:300]}" if last else ""
            where = f"{how}{said}" if (program.code or 0) > 0 else ""
            self.failed = _failure(f"{how}{said}", last, where)
        elif self.epoch is None and self.score is None:
            metric = self._metrics[0]
            reason = f"the program ended and never said {metric}: {_what_to_say(metric, self._printed)}"
            self.failed = _failure(reason, last, reason, retry=False)


def _failure(reason: str, last: Iterable[str], failed_at: str, retry: bool = True) -> TrialResult:
    text = "\n".join([*last][-_LAST_LINES:])
    return TrialResult(TrialState.FAILED, reason, text, retry=retry, failed_at=failed_at)


def _what_to_say(metric: str, printed: Printed) -> str:
    if printed.names:
        return f"it printed {', '.join(printed.names)}; set objective.metric to one of them, or trainer.pattern"
    if printed.pattern == "auto":
        return f"let it print a line such as '{metric}: 0.9', or set trainer.pattern or trainer.metrics"
    called = f"hpsearch.report({json.dumps({metric: 0.9})})" if printed.pattern is None else "a line that it matches"
    return f"trainer.pattern = {printed.pattern!r}: {called} is missing, such as {EXAMPLE}"

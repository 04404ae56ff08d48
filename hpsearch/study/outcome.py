"""What a run of a study's command came to, as it is shown."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.base.failures import Failure
from hpsearch.base.types import BestPoint, TrialId, TrialState, TrialTable
from hpsearch.base.words import assignments
from hpsearch.search.driver import SearchOutcome
from hpsearch.study.session import StudySession
from hpsearch.tracking.events import TrialRecord, check_command, read_trial, replay_command

if TYPE_CHECKING:
    from hpsearch.reports.summary.numbers import Summary
    from hpsearch.reports.summary.parts import Parts


@dataclass(frozen=True, slots=True)
class StudyOutcome:
    """A study after a run of its command.

    Attributes:
        name: of the study.
        folder: its folder.
        counts: its trials by state.
        best: the best point, None when no point is complete.
        answer: the result in one sentence.
        trains: the values of the main hyperparameter around the best point at which every seed trains, in words.
        replay_command: trains the best trial again.
        check_command: trains it again from the record and compares the curves.
        report: the report, None when the study was interrupted.
        ui_command: opens MLflow, None without a tracking store.
        elapsed_sec: of this run.
        ended: why it ended, with its numbers; of an interrupted one why it asks for no more points, if it does not.
        interrupted: whether it can be resumed.
        already_complete: whether there was nothing left to do.
        notes: what the user should know and `ended` does not say.
        as_good: hyperparameters of the other points that may be as good as the best, the nearest first; None where
            one seed cannot say.
        failures: what the FAILED trials have to say, with traceback and log; those that failed alike once.
        told: the answer in parts; None where it is one sentence.
    """

    name: str
    folder: Path
    counts: Mapping[TrialState, int]
    best: BestPoint | None
    answer: str
    trains: str | None
    replay_command: str | None
    check_command: str | None
    report: Path | None
    ui_command: str | None
    elapsed_sec: float
    ended: str
    interrupted: bool
    already_complete: bool
    notes: tuple[str, ...]
    as_good: tuple[Mapping[str, Any], ...] | None = None
    failures: tuple[Failure, ...] = ()
    told: "Parts | None" = None

    @property
    def exit_code(self) -> int:
        """0 done, 1 a trial stayed FAILED, 130 interrupted."""
        if self.interrupted:
            return 130
        return 1 if self.counts.get(TrialState.FAILED) else 0


def outcome_of(
    session: StudySession,
    table: TrialTable,
    summary: "Summary",
    outcome: SearchOutcome,
    began: float,
    *,
    trained: bool,
    report: Path | None,
    notes: tuple[str, ...],
) -> StudyOutcome:
    """Return a study as it is shown after a run of its command.

    Args:
        session: of the run.
        table: its trials.
        summary: of them.
        outcome: of the search.
        began: when this run of it did.
        trained: whether it trained anything.
        report: that was written.
        notes: what the user should know beside it.
    """
    from hpsearch.reports.kit.points import best_trial
    from hpsearch.reports.summary.sentences import answer, parts

    best, told = _trial_on_record(session.folder, best_trial(table, summary)), parts(summary)
    found = _best(outcome.best, summary)
    known = {point.point: assignments(point.params) for point in summary.points}
    return StudyOutcome(
        name=session.folder.name,
        folder=session.folder,
        counts=outcome.counts,
        best=found,
        answer=answer(summary),
        trains=_that_train(summary),
        replay_command=None if best is None else replay_command(session.folder.name, best),
        check_command=None if best is None else check_command(session.folder.name, best),
        report=report,
        ui_command=session.ui_command(),
        elapsed_sec=time.monotonic() - began,
        ended=outcome.why,
        interrupted=outcome.interrupted,
        already_complete=not trained,
        notes=notes,
        as_good=rivals_in(summary),
        failures=tuple(table.failures),
        told=told._replace(setting="" if found is None else known.get(found.point, "")),
    )


def _trial_on_record(folder: Path, row: Mapping[str, Any] | None) -> TrialRecord | None:
    if row is None:
        return None
    trial = TrialId(row["point"], row["seed"], row["fold"])
    return read_trial(folder / "events" / f"{trial.stem}.jsonl")


def _best(best: BestPoint | None, summary: "Summary") -> BestPoint | None:
    """Return the best point; another one than the search has where some of its seeds stay at chance."""
    parted = {point.point for point in summary.points if point.parted}
    if best is None or best.point not in parted:
        return best
    found = summary.best
    if found is None or found.mean is None:
        return None
    sd = math.nan if found.sd is None else found.sd
    return replace(best, point=found.point, params=found.params, mean=found.mean, sd=sd, n=found.n)


def rivals_in(summary: "Summary") -> tuple[Mapping[str, Any], ...] | None:
    """Return what may be as good as the best point: where seeds change nothing, what measured the same."""
    if summary.standing is not None:
        return tuple(point.params for point in summary.standing.rivals)
    certain = summary.quoted is not None and summary.quoted.alike
    return tuple(point.params for point in summary.ties) if certain else None


def _that_train(summary: "Summary") -> str | None:
    if summary.rates is None or summary.rates.trains is None:
        return None
    found = summary.rates.trains
    axis = summary.rates.axis
    low, high = axis.write(found.low), axis.write(found.high)
    return f"{axis.key} {low if low == high else f'{low} to {high}'}"

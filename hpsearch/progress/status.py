"""How a study stands, as whoever looks at it from outside sees it: on a terminal, or line by line."""

import time
from collections.abc import Iterator
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hpsearch.base.observer import RUNNING, TURNS, Progress, StudyStatus
from hpsearch.base.printed import on_one_line
from hpsearch.base.types import TrialState
from hpsearch.base.words import assignments, best_score, count, duration, epoch_text, listed, tally
from hpsearch.progress.console import styled
from hpsearch.progress.display import describe, metrics_text, render, share, where

_LABEL = 10
_SHOWN, _LINES = 3, 3
_LATE_SEC = 60.0
"""A driver on another machine that nothing was heard of for so long may be gone."""
_VERDICTS = {"warn": "passed with a warning", "fail": "failed"}
_STYLES = {"failed": "bold red", "again": "yellow", "cut off": "yellow", "damaged": "bold red", "best": "bold green"}


def screen(status: StudyStatus, width: int, rows: int, now: float) -> RenderableType:
    """Draw how a study stands.

    Args:
        status: of the study.
        width: of the terminal, in characters.
        rows: at most so many running trials are listed.
        now: seconds since the Unix epoch.

    Returns:
        The display of its driver, and below it what that has no room for.
    """
    head = _recipe(status) if status.stages else render(_of_its_driver(status), status.left_sec, width, rows)
    return Group(head, _table(notes(status, now), width))


def _recipe(status: StudyStatus) -> Text:
    return styled(status.progress.study, "bold").append_text(styled(f"  {_done_of_recipe(status)}", "default not bold"))


def _done_of_recipe(status: StudyStatus) -> str:
    done = sum(bool(verdict) for verdict in status.stages.values())
    return f"{done}/{count(len(status.stages), 'stage')}  {duration(status.progress.elapsed_sec)}"


def lines(status: StudyStatus, now: float) -> Iterator[str]:
    """Yield how a study stands line by line, for a pipe: nothing is cut.

    Args:
        status: of the study.
        now: seconds since the Unix epoch.
    """
    progress = _of_its_driver(status)
    said = _done_of_recipe(status) if status.stages else f"{share(progress)}  {duration(progress.elapsed_sec)}"
    yield f"{progress.study}  {said}"
    if progress.counts:
        yield _labelled("trials", tally(progress.counts))
    for trial in progress.running:
        epochs = f"/{trial.epochs}" if trial.epochs else ""
        at, metrics = f"epoch {epoch_text(trial.epoch)}{epochs}", metrics_text(trial, progress.metric)
        cells = (f"{trial.id}  {assignments(trial.params)}", at, metrics, where(trial))
        yield _labelled("running", "  ".join(filter(None, (*cells, f"{duration(round(trial.heard_sec or 0))} ago"))))
    if progress.best:
        yield _labelled("best", f"{assignments(progress.best.params)}  {best_score(progress.best)}")
    yield from (_labelled(label, on_one_line(text)) for label, text in notes(status, now))


def change(status: StudyStatus) -> str:
    """Return what of a study is worth a line of its own when it changes: not how far each trial is."""
    progress = status.progress
    done = [f"{progress.study}: {_done_of_recipe(status).partition('  ')[0]}"] if status.stages else []
    single = replace(progress, running=()) if progress.total == 1 else progress
    failed = [f"failed: {failure.reason}" for failure in status.failures[:1]]
    return ", ".join([*(done or [describe(single)]), _state(status), *failed])


def notes(status: StudyStatus, now: float) -> Iterator[tuple[str, str]]:
    """Yield what else is known of a study, as a label and a text.

    Args:
        status: of the study.
        now: seconds since the Unix epoch.
    """
    yield "state", f"{_state(status)}{_why(status)}"
    if status.left_sec is not None:
        yield "ends", f"about {_clock(now + status.left_sec, now)}, in {duration(status.left_sec)}"
    if stages := _stages(status):
        yield "stages", stages
    if status.goes_on and (queue := _queue(status)):
        yield "queue", queue
    if status.cut_off:
        yield "cut off", f"{listed([str(each) for each in status.cut_off])}: the same command goes on with them"
    for failure in status.failures[:_SHOWN]:
        yield "failed", f"{count(failure.trials, 'trial')} ({failure.trial}): {failure.reason}"
    for trial, reason in status.retried[:_SHOWN]:
        yield "again", f"{trial} is tried again: {reason}"
    if status.unsent:
        yield "unsent", f"{count(status.unsent, 'event file')} not in the tracking store yet"
    for text in status.unreadable[:_SHOWN]:
        yield "damaged", text
    hidden = sum(max(0, len(each) - _SHOWN) for each in (status.failures, status.retried, status.unreadable))
    if hidden:
        yield "", f"and {hidden} more"


def _table(rows: Iterator[tuple[str, str]], width: int) -> Table:
    """Return notes in two columns; a text of somebody's takes a few lines at most."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    longest = _LINES * max(1, width - _LABEL)
    for label, text in rows:
        shown = on_one_line(text)
        shown = shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
        table.add_row(styled(f"  {label:<{_LABEL - 3}}", _STYLES.get(label, "bold")), styled(shown))
    return table


def _labelled(label: str, text: str) -> str:
    return f"  {label:<{_LABEL - 2}}{text}"


def _state(status: StudyStatus) -> str:
    driver = status.driver
    if status.state == TURNS:
        return "trials are asked for and told from outside"
    if status.state != RUNNING or driver is None:
        return status.state.lower()
    if driver.is_here:
        return f"running: process {driver.pid} on this machine"
    return f"running: process {driver.pid} on {driver.host}"


def _why(status: StudyStatus) -> str:
    """Return how sure it is that somebody works on a study; of one that has ended, when and why."""
    if status.heard_sec is None:
        return ""
    ago = f"{duration(round(status.heard_sec))} ago"
    if not status.goes_on:
        return f" {ago}{f': {status.why}' if status.why else ''}"
    if status.state == TURNS or status.driver is None or status.driver.is_alive is not None:
        return ""
    return f", last sign of life {ago}{': it may be gone' if status.heard_sec > _LATE_SEC else ''}"


def _queue(status: StudyStatus) -> str:
    progress = status.progress
    known = {state: progress.counts.get(state, 0) for state in (TrialState.WAITING, TrialState.PAUSED)}
    rest = (progress.total or 0) - sum(progress.counts.values())
    parts = [f"{number} {state.lower()}" for state, number in known.items() if number]
    return ", ".join([*parts, *([f"{rest} not begun"] if rest > 0 else [])])


def _stages(status: StudyStatus) -> str:
    """Return what is to come of a recipe first, then what did not simply pass."""
    left = [name for name, verdict in status.stages.items() if not verdict]
    passed = sum(verdict == "pass" for verdict in status.stages.values())
    other = [f"{name} {_VERDICTS.get(each, each)}" for name, each in status.stages.items() if each not in ("", "pass")]
    return "; ".join([
        *([f"to come: {', '.join(left)}"] if left else []), *other, *([f"{passed} passed"] if passed else []),
    ])  # fmt: skip


def _clock(then: float, now: float) -> str:
    """Return a time of this machine's day, with the day if that is another one."""
    told, today = time.localtime(then), time.localtime(now)
    return time.strftime("%H:%M" if told[:3] == today[:3] else "%a %d %b %H:%M", told)


def _of_its_driver(status: StudyStatus) -> Progress:
    """Return the snapshot, with the machine of a trial only where that is not the driver's."""
    host = status.driver.host if status.driver else ""
    running = tuple(replace(each, node="") if each.node == host else each for each in status.progress.running)
    return replace(status.progress, running=running)

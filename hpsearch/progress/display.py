"""Live progress on a terminal, and a line now and then anywhere else."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from hpsearch.base.observer import Observer, Progress, RunningTrial
from hpsearch.base.printed import say
from hpsearch.base.streams import Forgiving
from hpsearch.base.types import Clock, TrialState
from hpsearch.base.words import STATES, assignments, best_score, duration, epoch_text, score, tally
from hpsearch.progress.console import is_fancy, make_console, styled

_COLOURS = {
    TrialState.COMPLETE: "green",
    TrialState.PRUNED: "yellow",
    TrialState.INFEASIBLE: "magenta",
    TrialState.FAILED: "bold red",
    TrialState.RUNNING: "cyan",
}
_LINE_SEC, _LINE_SHARE = 5.0, 0.05
"""A line is written after so many seconds at the earliest, and after this share of the time so far."""
_RATE_SEC = 2.0
_OTHER_LINES, _LISTED = 5, 8
"""Lines beside the list of running trials, and the most in it: of a group of dozens each says little."""
_WIDE, _NARROW = 90, 60


@contextmanager
def shown(observer: Observer | None) -> Iterator[Observer]:
    """Show the progress of what is called from Python.

    Args:
        observer: who shows it; None for a display in standard error, which leaves a script's output as it is, and in a
            notebook below the cell.

    Yields:
        The observer.
    """
    if observer is not None:
        yield observer
        return
    stream = sys.stdout if make_console().is_jupyter else sys.stderr
    if stream is None:  # closed from the start
        yield Silent()
        return
    with progress(stream) as display:
        yield display


class Silent:
    """An observer that shows nothing, for ``run_search(..., observer=Silent())`` and whatever else takes one.

    Example:
        >>> words = ["optimizer.lr=0.1", "trainer.epochs=1", "launcher=inline", "tracker=none"]
        >>> run_trial(words, observer=Silent()).epochs
        1
    """

    def update(self, progress: Progress) -> None:
        """Show nothing."""

    def line(self, text: str) -> None:
        """Show nothing."""

    def conclude(self, outcome: object) -> None:
        """Show nothing."""


@contextmanager
def progress(
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
    clock: Clock = time.monotonic,
    show: Callable[[Any], None] = lambda _outcome: None,
) -> Iterator[Observer]:
    """Show progress while the block runs.

    Args:
        stream: where to; None: standard output.
        environ: ``NO_COLOR``, ``CI`` or ``TERM=dumb`` ask for plain lines.
        clock: monotonic seconds.
        show: prints the result as soon as it is known; progress ends there.

    Yields:
        The observer: a display that is redrawn on a terminal, else lines a few seconds apart.
    """
    console = make_console(stream)
    if is_fancy(console, environ):
        turning = "dots" if console.encoding.startswith("utf") else "line"
        waiting = Spinner(turning, "checking the configuration, starting the workers", style="cyan")
        with Live(
            waiting,
            console=console,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=Forgiving(sys.stdout).isatty(),  # what is printed there stands above the display
            redirect_stderr=Forgiving(sys.stderr).isatty(),
        ) as live:
            yield LiveProgress(live, show)
    else:
        lines = LineProgress(stream or sys.stdout, clock, show)
        yield lines
        lines.finish()


class LiveProgress:
    """Redraws a snapshot in place.

    Args:
        live: a started display.
        show: prints the result.
    """

    def __init__(self, live: Live, show: Callable[[Any], None] = lambda _outcome: None) -> None:
        self._live = live
        self._show = show
        self._pace = Pace()

    def update(self, progress: Progress) -> None:
        """Show a snapshot."""
        width, height = self._live.console.size
        rows = max(1, min(_LISTED, height - _OTHER_LINES))
        self._live.update(render(progress, self._pace.left_sec(progress), width, rows))

    def line(self, text: str) -> None:
        """Show a line that stays above the display."""
        self._live.console.print(styled(text), soft_wrap=True)

    def conclude(self, outcome: object) -> None:
        """Take the display away and print the result."""
        self._live.stop()
        self._show(outcome)


class LineProgress:
    """Writes a line at most every few seconds, more rarely the longer it takes, and only when something changed.

    Args:
        stream: where to.
        clock: monotonic seconds.
        show: prints the result.
    """

    def __init__(self, stream: TextIO, clock: Clock, show: Callable[[Any], None] = lambda _outcome: None) -> None:
        self._stream, self._clock, self._show = stream, clock, show
        self._pace = Pace()
        self._written = ""
        self._latest = ""
        self._began = clock()
        self._next = self._began + _LINE_SEC

    def update(self, progress: Progress) -> None:
        """Write a snapshot if it is time."""
        state = describe(progress)
        left = self._pace.left_sec(progress)
        self._latest = state
        if self._clock() >= self._next and state != self._written:
            self._write(state, "" if left is None else f", about {duration(left)} left")

    def line(self, text: str) -> None:
        """Write a line."""
        say(text, self._stream)

    def conclude(self, outcome: object) -> None:
        """Write the last snapshot and print the result."""
        self.finish()
        self._show(outcome)

    def finish(self) -> None:
        """Write the last snapshot unless it is written."""
        if self._latest != self._written:
            self._write(self._latest)

    def _write(self, state: str, remark: str = "") -> None:
        self.line(state + remark)
        now = self._clock()
        self._written, self._next = state, now + max(_LINE_SEC, _LINE_SHARE * (now - self._began))


class Pace:
    """Estimates the time left from what was done since this driver started."""

    def __init__(self) -> None:
        self._start: tuple[float, float] | None = None

    def left_sec(self, progress: Progress) -> float | None:
        """Return the seconds left; None while too little is known, and when nothing is left."""
        amount = done(progress)
        if self._start is None:
            self._start = (progress.elapsed_sec, amount)
        elapsed, gained = progress.elapsed_sec - self._start[0], amount - self._start[1]
        if progress.total is None or elapsed < _RATE_SEC or gained <= 0 or amount >= progress.total:
            return None
        return (progress.total - amount) * elapsed / gained


def finished(progress: Progress) -> int:
    """Return the number of finished trials."""
    return sum(number for state, number in progress.counts.items() if state.finished)


def done(progress: Progress) -> float:
    """Return the finished trials, those that wait (few of which go on), and the trained part of the running ones."""
    waiting = progress.counts.get(TrialState.PAUSED, 0)
    return (
        finished(progress)
        + waiting
        + sum(min(1.0, trial.epoch / trial.epochs) for trial in progress.running if trial.epochs)
    )


def describe(progress: Progress) -> str:
    """Return a snapshot in one line."""
    parts = [f"{progress.study}: {share(progress)}"]
    if progress.total == 1 and progress.running:
        parts.append(
            " ".join(filter(None, (_epoch(progress.running[0]), metrics_text(progress.running[0], progress.metric))))
        )
    elif progress.counts:
        parts.append(tally(progress.counts))
    if progress.best:
        parts.append(f"best {best_score(progress.best)} at {assignments(progress.best.params)}")
    return ", ".join(parts)


def render(progress: Progress, left_sec: float | None, width: int, rows: int) -> RenderableType:
    """Draw a snapshot.

    Args:
        progress: the snapshot.
        left_sec: the estimated time left, None when it is not known.
        width: of the terminal, in characters.
        rows: at most so many running trials are listed.

    Returns:
        The bar with the counts, the running trials, the best point.
    """
    parts: list[RenderableType] = [_bar(progress, left_sec, width)]
    if len(counts := _counts(progress)):
        parts.append(counts)
    if progress.running:
        parts.append(_running(progress.running[:rows], progress.metric, width))
    if len(progress.running) > rows:
        parts.append(Text(f"  and {len(progress.running) - rows} more", style="dim"))
    if progress.best:
        point = styled(_point(progress.best.params, width), "default not bold")
        best = Text("  best  ", style="bold green").append_text(point)
        parts.append(_one_line(best.append(f"  {best_score(progress.best)}", style="bold")))
    return Group(*parts)


def _bar(progress: Progress, left_sec: float | None, width: int) -> RenderableType:
    total = progress.total
    bar = ProgressBar(
        total=total or 1,
        completed=done(progress) if total else 0,
        width=min(32, width // (5 if width >= _NARROW else 10)),
        pulse=total is None,
        complete_style="cyan",
        finished_style="green",
    )
    time_text = duration(progress.elapsed_sec)
    if left_sec is not None and width >= _WIDE:
        time_text += f", about {duration(left_sec)} left"
    elif left_sec is not None:
        time_text = f"{duration(left_sec)} left"
    table = _columns(shrinks=0, number=4)
    name = _one_line(styled(progress.study, "bold"))
    table.add_row(name, bar, share(progress), Text(time_text, style="dim"))
    return table


def _columns(shrinks: int, number: int) -> Table:
    """Return a table of which one column gives way when the terminal is narrow."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for column in range(number):
        table.add_column(no_wrap=column != shrinks)
    return table


def share(progress: Progress) -> str:
    """Return how many trials have finished of how many: ``12/45 trials``."""
    of = "" if progress.total is None else f"/{progress.total}"
    return f"{finished(progress)}{of} trial{'' if progress.total == 1 else 's'}"


def _counts(progress: Progress) -> Text:
    parts = [
        Text(f"{progress.counts[state]} {state.lower()}", style=_COLOURS.get(state, "dim"))
        for state in STATES
        if progress.counts.get(state)
    ]
    return Text("  ").append_text(Text(" · ", style="dim").join(parts)) if parts else Text()


def _running(trials: tuple[RunningTrial, ...], objective: str, width: int) -> Table:
    from_outside = any(trial.heard_sec is not None for trial in trials)
    table = _columns(shrinks=1, number=5 if from_outside else 4)
    for trial in trials:
        params = _one_line(styled(_point(trial.params, width)))
        table.add_row(Text(f"  {trial.id}", style="cyan"), params, *map(styled, _cells(trial, objective, width)))
    return table


def _point(params: Mapping[str, Any], width: int) -> str:
    """Return a point in a line; on a narrow terminal without the groups of its keys, where they are told apart."""
    bare = {key.rpartition(".")[2]: value for key, value in params.items()}
    return assignments(bare if width < _NARROW and len(bare) == len(params) else params)


def _cells(trial: RunningTrial, objective: str, width: int) -> list[str]:
    """Return how far a trial is, and for whoever does not train it where it is and when it was heard of last."""
    metrics = metrics_text(trial, objective, 2 if width >= _WIDE else 1)
    if trial.heard_sec is None:
        return [_epoch(trial), metrics]
    heard = f"{duration(round(trial.heard_sec))} ago"
    if width < _NARROW:
        return [_epoch(trial).removeprefix("epoch "), where(trial, short=True), heard]
    return [_epoch(trial), metrics, "  ".join(filter(None, (where(trial), heard)))]


def where(trial: RunningTrial, short: bool = False) -> str:
    """Return which worker trains a trial, on which machine, and in which attempt if it is not the first.

    Args:
        trial: that runs.
        short: only the number of the worker, or else the machine.
    """
    worker = "" if trial.worker is None else f"worker {trial.worker}"
    node = trial.node.partition(".")[0]
    if short:
        return worker.replace("worker ", "w") or node
    place = f"{worker} on {node}" if worker and node else worker or node
    return ", ".join(filter(None, (place, f"attempt {trial.attempt}" if trial.attempt > 1 else "")))


def _epoch(trial: RunningTrial) -> str:
    return f"epoch {epoch_text(trial.epoch)}" + (f"/{trial.epochs}" if trial.epochs else "")


def metrics_text(trial: RunningTrial, objective: str, most: int = 2) -> str:
    """Return the objective and what else the validation split says, else the training loss."""
    names = [name for name in trial.metrics if name.startswith("valid/") or name == objective] or ["train/loss"]
    names.sort(key=lambda name: (name != objective, name.endswith("/loss")))
    return "  ".join(f"{name} {score(trial.metrics[name])}" for name in names[:most] if name in trial.metrics)


def _one_line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text

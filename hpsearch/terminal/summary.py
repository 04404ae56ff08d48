"""What a command prints when its work is done. Commands and paths are never wrapped, so that they can be copied."""

import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.panel import Panel
from rich.text import Text

from hpsearch.base.observer import StudySummary
from hpsearch.base.printed import on_one_line
from hpsearch.base.types import TrialState
from hpsearch.base.words import assignments, best_score, count, duration, number, score, shown_path, tally
from hpsearch.progress.console import is_fancy, make_console, styled
from hpsearch.reports.kit.cells import texts

if TYPE_CHECKING:
    from hpsearch.base.failures import Failure
    from hpsearch.study.layers import LayersOutcome
    from hpsearch.study.outcome import StudyOutcome
    from hpsearch.study.recipe import RecipeOutcome
    from hpsearch.study.single import ReplayOutcome, TrialOutcome

_LABEL = 10
_VERDICTS = {"pass": "green", "warn": "yellow", "fail": "red"}
_WIDTH = 100
_SHOWN_DIFFERENCES = 10


class Printer:
    """Prints labelled lines and commands, with colours on a terminal and the same text anywhere else.

    Args:
        stream: where to; None: standard output.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = make_console(stream)

    def headline(self, title: str, remark: str, sentence: str, good: bool = True) -> None:
        """Print what happened, and the result in a sentence."""
        colour = "green" if good else "yellow"
        self.gap()
        if sentence and is_fancy(self._console):
            head = styled(title, "bold").append_text(styled(f"  {remark}", "dim not bold"))
            width = min(self._console.width, max(_WIDTH, len(title + remark) + 8))
            text = styled(sentence)
            self._console.print(
                Panel(text, title=head, title_align="left", border_style=colour, padding=(0, 1), width=width)
            )
            return
        self._line(styled(title, "bold").append_text(styled(f"  {remark}", "not bold")))
        if sentence:
            self._line(styled(sentence))

    def row(self, label: str, value: str, style: str = "") -> None:
        """Print a labelled value."""
        head = f"{label:<{_LABEL}}" if len(label) < _LABEL else f"{label}  "
        self._line(styled(head, "bold").append_text(styled(value, style or "not bold")))

    def command(self, purpose: str, command: str) -> None:
        """Print a command under what it is for."""
        self._line(styled(purpose, "dim"))
        self._line(styled(f"  {command}", "cyan"))

    def text(self, line: str, style: str = "") -> None:
        """Print a line."""
        self._line(styled(line, style))

    def gap(self) -> None:
        """Print an empty line."""
        self._console.print()

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows in columns."""
        rows = [[on_one_line(cell) for cell in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        for cells, style in ((header, "bold"), *((row, "") for row in rows)):
            aligned = "   ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            self.text(aligned.rstrip(), style)

    def _line(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


def show_outcome(outcome: "StudyOutcome | RecipeOutcome", command: str, stream: TextIO | None = None) -> None:
    """Print the result of a study or of a recipe; see `show_study`."""
    from hpsearch.study.recipe import RecipeOutcome

    if isinstance(outcome, RecipeOutcome):
        show_recipe(outcome, stream)
    else:
        show_study(outcome, command, stream)


def show_study(outcome: "StudyOutcome", command: str, stream: TextIO | None = None) -> None:
    """Print the result of a study.

    Args:
        outcome: the result.
        command: the command that ran it.
        stream: where to; None: standard output.
    """
    out = Printer(stream)
    told = outcome.told
    out.headline(outcome.name, _headline(outcome), told.short if told else outcome.answer, good=not outcome.exit_code)
    rivals = told.rivals if told else ""
    if outcome.best:
        others = f"; {rivals}" if rivals else _others(None if outcome.as_good is None else len(outcome.as_good))
        setting = (told.setting if told else "") or assignments(outcome.best.params)
        out.row("best", f"{setting}  {best_score(outcome.best)}{others}", "green")
    elif rivals:
        out.row("others", rivals)
    if trains := (told.rates if told else "") or outcome.trains:
        out.row("trains", trains)
    ended = f"; {outcome.ended}" if outcome.ended and not outcome.interrupted else ""
    trials = f"{tally(outcome.counts) or 'none'}{ended}"
    out.row("trials", trials, "red" if outcome.counts.get(TrialState.FAILED) else "")
    _show_failures(out, outcome.failures)
    if outcome.report:
        out.row("report", shown_path(outcome.report))
    for note in outcome.notes:
        out.row("note", note, "yellow")
    out.gap()
    if outcome.interrupted:
        out.command("go on where it stopped", command)
    if outcome.replay_command:
        out.command("train the best trial again", outcome.replay_command)
    if outcome.check_command:
        out.command("train it from the record and compare the curves", outcome.check_command)
    if outcome.ui_command:
        out.command("look at every trial in MLflow", outcome.ui_command)


def _others(as_good: int | None) -> str:
    """Return how many other points may be as good, where there are any."""
    return f"; {as_good} other{'s' * (as_good > 1)} may be as good" if as_good else ""


def _show_failures(out: Printer, failures: Sequence["Failure"]) -> None:
    """Print the failure of which there are most, with the lines that led to it, and how many other kinds there are."""
    for failure in failures[:1]:
        first = f"trial {failure.trial}" if failure.trials == 1 else f"{failure.trials} trials, first {failure.trial}"
        out.row("failed", f"{first}: {failure.reason}", "red")
        _show_cause(out, failure)
    if failures[1:]:
        out.row("", f"and {count(len(failures) - 1, 'other kind')} of failure, which the report shows")


def _show_cause(out: Printer, failure: "Failure") -> None:
    """Print the user's own lines that led to a failure, and where the trial's log is."""
    for line in failure.where:
        out.text(f"{'':<{_LABEL}}{line}")
    if failure.log:
        out.row("log", shown_path(failure.log))


def show_recipe(outcome: "RecipeOutcome", stream: TextIO | None = None) -> None:
    """Print the result of a recipe: every stage, the conclusion, what to do next.

    Args:
        outcome: the result.
        stream: where to; None: standard output.
    """
    out = Printer(stream)
    remark = f"complete, {duration(outcome.elapsed_sec)}"
    if outcome.failed:
        remark = f"stopped at {outcome.failed} after {duration(outcome.elapsed_sec)}"
    out.headline(outcome.name, remark, outcome.answer, good=not outcome.failed)
    for name, finding in outcome.findings.items():
        told = finding.sentence in outcome.answer
        why = finding.cause if told else finding.sentence
        out.row(name, f"{finding.verdict}{f': {why}' if why else ''}", _VERDICTS[finding.verdict])
        if finding.action:
            out.row("", f"→ {finding.action}")
    if outcome.ablation:
        out.gap()
        from hpsearch.reports.ablation.tables import arm_rows  # with what an ablation needs of scipy

        headings, rows = arm_rows(outcome.ablation)
        out.table(headings, texts(rows))
        out.gap()
        for each in outcome.ablation.claims:
            out.row(f"claim {each.claim.number}", f"{each.result.verdict}: {each.claim.statement}")
    if outcome.report:
        out.row("report", shown_path(outcome.report))
    for note in outcome.notes:
        out.row("note", note, "yellow")
    out.gap()
    if outcome.replay_command:
        out.command("train the winner again, with the test set", outcome.replay_command)
    if outcome.ui_command:
        out.command("look at every trial in MLflow", outcome.ui_command)


def _headline(outcome: "StudyOutcome") -> str:
    if outcome.already_complete:
        return "complete before, nothing to train (study.restart=true starts again)"
    time_text = duration(outcome.elapsed_sec)
    return f"interrupted after {time_text}" if outcome.interrupted else f"complete, {time_text}"


def show_trial(outcome: "TrialOutcome", command: str, stream: TextIO | None = None) -> None:
    """Print the result of a single trial.

    Args:
        outcome: the result.
        command: the command that ran it.
        stream: where to; None: standard output.
    """
    out = Printer(stream)
    epochs = count(outcome.epochs, "epoch")
    out.headline(outcome.run, f"{outcome.state.lower()}, {epochs}, {duration(outcome.elapsed_sec)}", "")
    if outcome.reason:
        out.row("reason", outcome.reason, "red" if outcome.state is TrialState.FAILED else "yellow")
    if outcome.failure:
        _show_cause(out, outcome.failure)
    width = max(20, *(len(name) + 1 for name in outcome.metrics), 0)
    for name in sorted(outcome.metrics, key=_split_last):
        out.text(f"  {name:<{width}}{score(outcome.metrics[name])}")
    if outcome.weights:
        out.row("weights", f"{outcome.weights}; train/ is of those that are trained")
    out.row("files", shown_path(outcome.folder))
    for note in outcome.notes:
        out.row("note", note, "yellow")
    out.gap()
    if outcome.state in (TrialState.PAUSED, TrialState.WAITING):
        out.command("go on where it stopped", command)
    else:
        out.command("train it from the record and compare the curves", outcome.check_command)
    if outcome.ui_command:
        out.command("look at it in MLflow", outcome.ui_command)


def _split_last(name: str) -> tuple[bool, str]:
    """Sort what is measured on a split of the data in front."""
    return "/" not in name, name


def show_replay(outcome: "ReplayOutcome", stream: TextIO | None = None) -> None:
    """Print whether a trial trained again is the same.

    Args:
        outcome: both curves.
        stream: where to; None: standard output.
    """
    out = Printer(stream)
    epochs = count(len(outcome.again), "report")
    if outcome.same:
        out.headline(outcome.run, f"trained again: the same curve, bit for bit ({epochs})", "")
    else:
        out.headline(outcome.run, f"trained again: the curve differs ({epochs})", "", good=False)
    if outcome.reason:
        out.row("reason", outcome.reason, "yellow")
    if outcome.changed:
        out.row("changed", outcome.changed, "yellow")
    if outcome.not_promised:
        out.row("promise", outcome.not_promised, "yellow")
    if outcome.first:
        out.row("first", outcome.first)
    for place, line in enumerate(outcome.reasons):
        out.row("why" if not place else "also", line, "yellow")
    if outcome.unknown:
        out.row("not known", f"not on record, or not of this run: {outcome.unknown}", "dim")
    for line in outcome.differences[:_SHOWN_DIFFERENCES]:
        out.text(f"  {line}")
    if (hidden := len(outcome.differences) - _SHOWN_DIFFERENCES) > 0:
        out.text(f"  and {hidden} more", "dim")
    if outcome.differences and math.isfinite(outcome.largest):
        out.row("largest", number(outcome.largest))


def show_layer_figures(outcome: "LayersOutcome", stream: TextIO | None = None) -> None:
    """Print what the layers of a trial did.

    Args:
        outcome: what was found, and drawn.
        stream: where to; None: standard output.
    """
    out = Printer(stream)
    out.text(f"{outcome.run}: {outcome.said}")
    for path in outcome.files:
        out.text(f"figure  {shown_path(path)}")
    for note in outcome.notes:
        out.text(f"note    {note}")


def show_project(folder: Path, files: Sequence[Path], stream: TextIO | None = None) -> None:
    """Print the files of a new project, and what to type next.

    Args:
        folder: of the project.
        files: that were written.
        stream: where to; None: standard output.
    """
    out = Printer(stream)
    for file in files:
        out.text(str(file))
    there = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    out.command("search with it", f"{there}python -m hpsearch --config-dir my_conf +study=my_sweep")


def _lineage(study: "StudySummary") -> str:
    """Return from where the last trial goes on that does, and how many others do from somewhere."""
    if not study.continued:
        return ""
    name, origin = list(study.continued.items())[-1]
    others = f", {len(study.continued) - 1} more from others" if len(study.continued) > 1 else ""
    return f"{name} goes on from {origin}{others}"


def show_studies(studies: Sequence["StudySummary"], now: float, stream: TextIO | None = None) -> None:
    """Print the studies of a folder.

    Args:
        studies: in the order to print.
        now: seconds since the Unix epoch.
        stream: where to; None: standard output.
    """
    out = Printer(stream)
    if not studies:
        out.text("no studies in this folder; start one with `python -m hpsearch +study=lr_sweep`")
        return
    rows = [
        (
            study.name,
            study.state.lower(),
            tally(study.counts),
            f"{best_score(study.best)} at {assignments(study.best.params)}{_others(study.as_good)}"
            if study.best
            else _lineage(study),
            f"{duration(now - study.changed)} ago",
        )
        for study in studies
    ]
    out.table(("study", "state", "trials", "best", "changed"), rows)

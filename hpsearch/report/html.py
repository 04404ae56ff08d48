"""One self-contained HTML page per study: it makes no request, and whatever a user wrote is shown as text."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from plotly.graph_objects import Figure
from plotly.offline import get_plotlyjs

from hpsearch.analysis import words
from hpsearch.analysis.answer import answer, caveats, fixed_settings, replicates
from hpsearch.analysis.space import floats, plain
from hpsearch.analysis.sweep import Summary, summarize
from hpsearch.report.figures.history import history_figure
from hpsearch.report.figures.learning import MANY, curves_figure
from hpsearch.report.figures.parallel import parallel_figure
from hpsearch.report.figures.score import score_figure
from hpsearch.report.figures.timeline import timeline_figure
from hpsearch.report.files import REPORT, replace_text
from hpsearch.report.tables import best_command, flat, point_table, trial_table
from hpsearch.report.theme import dark_partners
from hpsearch.types import TrialState, TrialTable

_SYMBOLS = {
    TrialState.COMPLETE: "●",
    TrialState.PRUNED: "▼",
    TrialState.INFEASIBLE: "✕",
    TrialState.FAILED: "✚",
    TrialState.RUNNING: "◌",
    TrialState.PAUSED: "❚❚",
    TrialState.WAITING: "○",
}


@dataclass(frozen=True, slots=True)
class Tile:
    """A key number: what it is, the number, what to know of it."""

    label: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A figure with its heading, how to read it, its alternative text and its data as JSON."""

    name: str
    title: str
    aid: str
    alt: str
    data: str


def write_report(table: TrialTable, folder: Path) -> Path:
    """Write ``report.html`` in one move.

    Args:
        table: the study.
        folder: where to write; made when it is missing.

    Returns:
        The path of the page.
    """
    return replace_text(folder / REPORT, render(table))


def render(table: TrialTable) -> str:
    """Return the page of a study.

    Args:
        table: the study.

    Returns:
        HTML with plotly's code, the figures' data, style and script inside.
    """
    summary, study = summarize(table), table.study
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return page.from_string(_resource("report.html.j2")).render(
        summary=summary,
        answer=answer(summary),
        tiles=tiles(summary),
        panels=panels(table, summary),
        caveats=caveats(summary, fixed_settings(table)),
        points=point_table(summary),
        trials=trial_table(table, summary),
        replay=best_command(table, summary),
        commands=_commands(table),
        config=flat(dict(study.get("config") or {})),
        space=flat(dict(study.get("space") or {})),
        environment=_environment(table, summary),
        ended=_ended(table),
        symbols=_SYMBOLS,
        style=_resource("report.css"),
        script=_resource("report.js"),
        plotly=get_plotlyjs(),
        dark=script_json(dark_partners()),
    )


def tiles(summary: Summary) -> tuple[Tile, ...]:
    """Return the key numbers of a study.

    Args:
        summary: its result.

    Returns:
        Best score, its hyperparameters, stable range, trials by state, time; what does not exist is a dash.
    """
    best, stability = summary.best, summary.stability
    spread = "no point is complete"
    if best is not None and best.mean is not None:
        spread = "one seed: no spread known"
        if best.sd is not None and best.interval is not None:
            ends = words.interval(best.interval.low, best.interval.high, best.mean, best.sd)
            deviation = f"{best.sd:.{words.decimals(best.mean, best.sd)}f}"
            spread = f"± {deviation} sd over {replicates(best)}; 95 % interval {ends}"
    top = words.score(best.mean, best.sd).split(" ")[0] if best else "–"
    shown = [Tile(f"Best {summary.objective.metric}", top, spread)]
    if best is not None and len(best.params) == 1:
        (key, value), *_ = best.params.items()
        shown.append(Tile(f"Best {words.label(key)}", words.number(value), _beside(summary)))
    if stability is not None and stability.stable is not None:
        low, high = words.number(stability.stable.low), words.number(stability.stable.high)
        shown.append(Tile(f"Stable {stability.axis.name}", low if low == high else f"{low} – {high}", _edges(summary)))
    total = sum(summary.states.values())
    counts = [f"{_SYMBOLS[state]} {n} {state.lower()}" for state in TrialState if (n := summary.states.get(state, 0))]
    shown.append(Tile("Trials", str(total), ", ".join(counts) or "none yet"))
    wall = f"{words.duration(summary.wall_sec)} from first start to last end"
    return (*shown, Tile("Training time", words.duration(summary.trial_sec), wall))


def panels(table: TrialTable, summary: Summary) -> tuple[Panel, ...]:
    """Draw the figures of a study, the main one first.

    Args:
        table: the study.
        summary: its result.

    Returns:
        The figures with a line each on how to read them.
    """
    metric, name = summary.objective.metric, summary.main.name if summary.main else "point"
    many = len(table.trials) > MANY
    drawn = (
        ("score", f"{metric} against {name}", _score_aid(summary), score_figure(summary)),
        ("curves", "Learning curves", _curves_aid(summary, many), curves_figure(table, summary)),
        (
            "history",
            "Course of the search",
            f"Points in the order in which they were asked; the line is the best {metric} so far, the bars one sd.",
            history_figure(summary),
        ),
        (
            "parallel",
            "Hyperparameters and results side by side",
            "One line per point, the stronger its colour the better it ranks; dotted red lines diverged.",
            parallel_figure(table, summary),
        ),
        (
            "timeline",
            "Timeline",
            "When each trial ran, one lane per trial at work at the same time; gaps are waiting.",
            timeline_figure(table),
        ),
    )
    return tuple(_panel(*parts) for parts in drawn)


def script_json(value: Any) -> str:
    """Return JSON that can stand inside a script element: no tag can begin or end in it."""
    return _script_safe(json.dumps(value))


def _panel(name: str, title: str, aid: str, figure: Figure) -> Panel:
    return Panel(name, title, aid, figure.layout.meta["alt"], _script_safe(figure.to_json()))


def _script_safe(text: str) -> str:
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _score_aid(summary: Summary) -> str:
    several = summary.replicates > 1
    text = "Each dot is one seed; the line is their mean, the band one sd." if several else "Each dot is one point."
    if several and len(summary.axes) > 1:
        text = "Each large dot is the mean of a point, its bar one sd; small dots are single seeds."
    if summary.stability is not None and summary.stability.stable is not None:
        text += " Green: every seed's last training loss is below half its first."
    if summary.stability is not None and summary.stability.edges:
        text += " Red: training diverges; the dashed edge is halfway from the last stable to the first diverged value."
    return text


def _curves_aid(summary: Summary, many: bool) -> str:
    text = f"Colour is the {summary.main.name}; the thick line is the best point." if summary.main else ""
    if many:
        text += " The bands hold all trials; only the best points are drawn singly."
    return f"{text} Smoothed is a centred average, with the raw curve faint behind it."


def _beside(summary: Summary) -> str:
    if not summary.rivals:
        return "clearly ahead with these seeds" if summary.replicates > 1 else "one seed per point"
    return f"{words.count(len(summary.rivals), 'other value')} cannot be told apart from it"


def _edges(summary: Summary) -> str:
    edges = summary.stability.edges if summary.stability else ()
    parts = [f"edge near {words.number(e.estimate)}, diverges from {words.number(e.outside)}" for e in edges]
    return "; ".join(parts) or "no value tried diverged"


def _commands(table: TrialTable) -> tuple[tuple[str, str], ...]:
    known = (
        ("Run or continue this study", str(table.study.get("command") or "")),
        ("Open its trials in MLflow", "python -m hpsearch ui"),
        ("Write this report again", f"python -m hpsearch report {table.name}"),
    )
    return tuple((what, command) for what, command in known if command)


def _environment(table: TrialTable, summary: Summary) -> list[tuple[str, str]]:
    """Return what the study recorded of code, software and machine, and the facts that are the same in every trial."""
    taken = {"point", "seed", "fold", "state", "attempts", "reason", "run_id", "key", "command", "score"}
    taken |= {"started", "ended", "duration_sec", *(axis.key for axis in summary.axes)}
    columns = [c for c in table.trials if c not in taken and c not in table.curves]
    facts = {c: plain(table.trials[c].dropna().iloc[0]) for c in columns if table.trials[c].nunique() == 1}
    recorded = {name: table.study[name] for name in ("git", "environment") if table.study.get(name)}
    return [*flat(recorded), *flat(facts)]


def _ended(table: TrialTable) -> str:
    ends = [end for end in floats(table.trials["ended"]).tolist() if not math.isnan(end)]
    return f"{datetime.fromtimestamp(max(ends), UTC):%Y-%m-%d %H:%M} UTC" if ends else ""


def _resource(name: str) -> str:
    return (files("hpsearch.report") / "templates" / name).read_text(encoding="utf-8")

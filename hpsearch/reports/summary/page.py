"""One self-contained HTML page per study: it makes no request, and whatever a user wrote is shown as text."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from hpsearch.base import words
from hpsearch.base.commands import ui_command
from hpsearch.base.files import REPORT, replace_text
from hpsearch.base.replicates import NO_SEEDS
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.reports.kit.beside import begin_stills
from hpsearch.reports.kit.canvas import Drawn
from hpsearch.reports.kit.page import Tile, panel, render_page
from hpsearch.reports.kit.setup import environment_of, fixed_settings, why_ended
from hpsearch.reports.kit.space import floats
from hpsearch.reports.kit.tables import Section, Table, best_command, flat
from hpsearch.reports.summary.confirmed import fresh_table, over_fresh
from hpsearch.reports.summary.failed import failed_trials
from hpsearch.reports.summary.figures import figures
from hpsearch.reports.summary.media import logged_media
from hpsearch.reports.summary.numbers import Findings, Summary, find
from hpsearch.reports.summary.rates import Rates
from hpsearch.reports.summary.readme import readme_figures, write_readme
from hpsearch.reports.summary.sentences import answer, caveats, replicates
from hpsearch.reports.summary.tables import ROWS, front_table, point_table, trial_table
from hpsearch.reports.summary.training import edge_text

FRESH_AID = "The best points of the search, trained again over seeds that nothing was chosen by."
POINTS_AID = (
    "One row per setting, over its seeds; the interval of an accuracy is over seeds and validation samples, that of "
    "another metric Student's over the seeds."
)
SYMBOLS = {
    TrialState.COMPLETE: "●",
    TrialState.PRUNED: "▼",
    TrialState.INFEASIBLE: "✕",
    TrialState.FAILED: "✚",
    TrialState.RUNNING: "◌",
    TrialState.PAUSED: "❚❚",
    TrialState.WAITING: "○",
}


def write_report(table: TrialTable, folder: Path, diagnosis: Table | None = None) -> Path:
    """Write ``report.html``, ``README.md``, its SVG figures and ``trials.csv`` of a search, each in one move.

    Args:
        table: the study.
        folder: where to write; made when it is missing.
        diagnosis: the trials that show a fault, if any.

    Returns:
        The path of ``report.html``.
    """
    return write_found(find(table), folder, diagnosis)


def write_found(found: Findings, folder: Path, diagnosis: Table | None = None) -> Path:
    """Write the same of what is found already.

    Args:
        found: what the study supports.
        folder: where to write; made when it is missing.
        diagnosis: the trials that show a fault, if any.

    Returns:
        The path of ``report.html``.
    """
    drawn = list(figures(found))
    pictures = begin_stills(readme_figures(drawn))
    page = render(found, drawn, diagnosis)
    write_readme(found, pictures(), folder)
    return replace_text(folder / REPORT, page)


def render(found: Findings, drawn: Sequence[Drawn], diagnosis: Table | None = None, printed: bool = False) -> str:
    """Return the page of a search.

    Args:
        found: what the study supports.
        drawn: its figures, the main one first.
        diagnosis: the trials that show a fault, if any.
        printed: whether it is for paper, with every row of its tables.

    Returns:
        HTML with plotly's code, the figures' data, style and script inside.
    """
    table, summary = found.table, found.summary
    study, most = table.study, len(table.trials) if printed else ROWS
    return render_page(
        "summary/page.html.j2",
        printed,
        summary=summary,
        answer=answer(summary, found.importance),
        tiles=tiles(summary),
        panels=[panel(*each, printed) for each in drawn],
        caveats=caveats(summary, fixed_settings(table), found.importance),
        aids={"fresh": FRESH_AID, "points": POINTS_AID},
        fresh=fresh_table(summary),
        front=front_table(table, summary),
        points=point_table(summary, most),
        trials=trial_table(table, summary, most),
        diagnosis=diagnosis,
        failures=failed_trials(table),
        logged=logged_media(table, summary, printed),
        replay=best_command(table, summary),
        commands=_commands(table),
        config=flat(dict(study.get("config") or {})),
        space=flat(dict(study.get("space") or {})),
        environment=environment_of(table),
        ended=_ended(table),
        symbols=SYMBOLS,
    )


def search_sections(found: Findings, diagnosis: Table | None = None) -> list[Section]:
    """Return the tables of a search that have rows, whole, in the order of its page.

    Args:
        found: what the study supports.
        diagnosis: the trials that show a fault, if any.
    """
    table, summary = found.table, found.summary
    every = len(table.trials)
    each = (
        ("Over fresh seeds", FRESH_AID, fresh_table(summary)),
        ("Points on the front", "Means over replicates.", front_table(table, summary)),
        ("Points", POINTS_AID, point_table(summary, every)),
        ("Trials", "One row per point and seed.", trial_table(table, summary, every)),
        ("Diagnosis", "Trials whose curves show a fault.", diagnosis),
    )
    return [Section(title, aid, rows) for title, aid, rows in each if rows is not None and rows.rows]


def tiles(summary: Summary) -> tuple[Tile, ...]:
    """Return the key numbers of a study.

    Args:
        summary: its result.

    Returns:
        Best score, its hyperparameters, the values that train, trials by state, time; what does not exist is a dash.
    """
    best, rates = summary.quoted, summary.rates
    spread = "no point is complete"
    if best is not None and best.mean is not None:
        spread = f"{NO_SEEDS}: n = {best.n}" if best.alike else "one seed: no spread known"
        if best.sd is not None:
            deviation = words.precision(best.mean, best.sd).write(best.sd)
            spread = f"± {deviation} sd over {replicates(best)}"
        if best.sd is not None and best.interval is not None:
            spread += f"; 95 % interval {words.interval(best.interval.low, best.interval.high, best.mean, best.sd)}"
    top = words.score(best.mean, best.sd).split(" ")[0] if best else "–"
    shown = [Tile(f"Best {summary.objective.metric}{over_fresh(summary)}", top, spread)]
    if best is not None and len(best.params) == 1:
        ((key, text),) = words.written(best.params).items()
        shown.append(Tile(f"Best {words.label(key)}", text, _beside(summary)))
    if rates is not None and rates.trains is not None:
        low, high = rates.axis.write(rates.trains.low), rates.axis.write(rates.trains.high)
        name = words.capitalized(f"{rates.axis.name} that trains")
        shown.append(Tile(name, low if low == high else f"{low} – {high}", _edges(rates)))
    if summary.front is not None and summary.front.front:
        names = " and ".join(o.metric for o in summary.front.objectives)
        size = words.count(len(summary.front.front), "point")
        shown.append(Tile("Pareto front", size, f"of {len(summary.front.values)}; {names}"))
    total = sum(summary.states.values())
    counts = [f"{SYMBOLS[state]} {n} {state.lower()}" for state in TrialState if (n := summary.states.get(state, 0))]
    shown.append(Tile("Trials", str(total), ", ".join(counts) or "none yet"))
    wall = f"{words.duration(summary.wall_sec)} from first start to last end"
    return (*shown, Tile("Training time", words.duration(summary.trial_sec), wall))


def _beside(summary: Summary) -> str:
    standing = summary.standing
    if standing is None and summary.fresh and summary.fresh.points:
        return "the only one that came through on every fresh seed"
    if standing is None:
        return "not compared over seeds" if summary.replicates > 1 else "one seed per point"
    if not standing.rivals:
        return "every other value that can be ranked is worse" if standing.variable else "every other value is worse"
    return f"{words.count(len(standing.rivals), 'other value')} may be as good"


def _edges(rates: Rates) -> str:
    seeds = "half of the seeds fail " if max(each.n for each in rates.tried) > 1 else "fails "
    if rates.edges:
        return "; ".join(f"{seeds}{edge_text(edge)}" for edge in rates.edges)
    first = rates.first
    if first is None:
        return "no value tried fails"
    return f"{first.fails} of {first.n} fail{'s' * (first.fails == 1)} at {words.number(first.value)}"


def _commands(table: TrialTable) -> tuple[tuple[str, str], ...]:
    known = (
        ("Run or continue this study", str(table.study.get("command") or "")),
        ("Open its trials in MLflow", ui_command(table.study.get("config", {}))),
        ("Write this report again", f"python -m hpsearch report {table.name}"),
    )
    return tuple((what, command) for what, command in known if command)


def _ended(table: TrialTable) -> str:
    ends = [end for end in floats(table.trials["ended"]).tolist() if not math.isnan(end)]
    why = why_ended(table.study)
    time = f"{datetime.fromtimestamp(max(ends), UTC):%Y-%m-%d %H:%M} UTC" if ends else ""
    return f"{time}: {why}" if time and why else time or why

"""The page of two studies side by side."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hpsearch.base import words
from hpsearch.base.files import REPORT, replace_text
from hpsearch.base.keys import UNNAMED
from hpsearch.base.plain import ABSENT, changes
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.reports.ablation.figures.differences import differences_figure
from hpsearch.reports.ablation.tables import COMPARED, STRENGTH, against, mean, setting, strength
from hpsearch.reports.comparison.arm_by_arm import SharedArm, arm_by_arm, told
from hpsearch.reports.comparison.figures import best_curves_figure, best_figure, overlay_figure
from hpsearch.reports.comparison.numbers import Comparison, compare, doubts, shown, verdict
from hpsearch.reports.kit.cells import NONE, Cell
from hpsearch.reports.kit.page import Panel, Tile, panel, render_page
from hpsearch.reports.kit.space import Axis, combined
from hpsearch.reports.kit.tables import Row, Table, as_table, best_command, evidence, flat
from hpsearch.reports.summary.answer import answer
from hpsearch.reports.summary.findings import Findings
from hpsearch.reports.summary.sweep import Summary

_OWN = ("name", "question", "restart")  # of every study, and no part of its set-up


def write_comparison(first: Findings, second: Findings, folder: Path) -> Path:
    """Write the page of two studies in one move.

    Args:
        first: what one study supports.
        second: what the other supports.
        folder: where to write ``report.html``; made when it is missing.

    Returns:
        The path of the page.
    """
    return replace_text(folder / REPORT, render_comparison(first, second))


def render_comparison(first: Findings, second: Findings) -> str:
    """Return the page of two studies: whose best point is better, figures, best points, what differs in their set-up.

    Args:
        first: what one study supports.
        second: what the other supports.

    Returns:
        HTML that makes no request.
    """
    sides = (first, second)
    summaries, tables = [side.summary for side in sides], [side.table for side in sides]
    comparison, shared = compare(*summaries), arm_by_arm(*tables)
    return render_page(
        "comparison/page.html.j2",
        names=[summary.name for summary in summaries],
        questions=list(dict.fromkeys(summary.question for summary in summaries)),
        answer=verdict(comparison, *summaries),
        told=told(shared, *(summary.name for summary in summaries)) if shared else "",
        arms=_arm_table(shared, summaries),
        tiles=_tiles(comparison, summaries),
        panels=tuple(_panels(comparison, tables, summaries, shared)),
        caveats=doubts(comparison, tables, *summaries),
        best=_best_table(sides),
        differences=_difference_table(first.table, second.table),
        answers=[(side.summary.name, answer(side.summary, side.importance)) for side in sides],
        commands=[(f"Train the best trial of {s.table.name} again", best_command(s.table, s.summary)) for s in sides],
        again=f"python -m hpsearch report {first.table.name} {second.table.name}",
    )


def _tiles(comparison: Comparison, summaries: Sequence[Summary]) -> tuple[Tile, ...]:
    tiles = [
        Tile(
            f"Best {summary.objective.metric} of {summary.name}",
            words.score(summary.best.mean, summary.best.sd).split(" ")[0] if summary.best else "–",
            words.settings(summary.best.params) if summary.best else "no point is complete",
        )
        for summary in summaries
    ]
    if comparison.difference is None:
        return tuple(tiles)
    size, low, high = shown(comparison)
    interval = comparison.interval
    note = f"95 % interval {low} to {high}; {interval.method}" if interval else "one seed: no interval"
    return (*tiles, Tile("Difference, second − first", size, note))


def _panels(
    comparison: Comparison,
    tables: Sequence[TrialTable],
    summaries: Sequence[Summary],
    shared: Sequence[SharedArm],
) -> Iterator[Panel]:
    metric = summaries[0].objective.metric
    if comparison.difference is not None:
        aid = "Small marks are seeds, large ones their mean with its 95 % t interval."
        yield panel("best", f"Best {metric} of each study", aid, best_figure(summaries))
        axis = None if shared else _shared_axis(summaries)
        if axis is not None:
            aid = "Means over seeds; bars are one sd. Points without a full score are left out."
            yield panel("overlay", f"{metric} against {axis.name}", aid, overlay_figure(summaries, axis))
    if any(each.difference.difference.n for each in shared):
        first, second = (summary.name for summary in summaries)
        aid = f"{second} − {first}, paired by seed, with 95 % intervals; colour and shape are the verdict after Holm."
        differences = [each.difference for each in shared]
        yield panel("differences", "Arm by arm", aid, differences_figure(differences, metric, first))
    drawn = best_curves_figure(tables, summaries)
    if drawn is not None:
        aid = "The best point of each study: mean over its seeds, the band one sd."
        yield panel("curves", "Learning curves of the best points", aid, drawn)


def _shared_axis(summaries: Sequence[Summary]) -> Axis | None:
    """Return the main hyperparameter of the first study with the values of both, None where the other lacks it."""
    first, second = summaries
    if first.main is None:
        return None
    other = next((axis for axis in second.axes if axis.key == first.main.key), None)
    return None if other is None else combined(first.main, other)


def _best_table(sides: Sequence[Findings]) -> Table:
    metric = sides[0].summary.objective.metric
    headings = ("study", "best point", metric, "sd", "95 % interval", "n", "points", "trials", "training time")
    rows = []
    for side in sides:
        summary, best = side.summary, side.summary.best
        setting = Cell(words.settings(best.params) if best else "–")
        found = (*evidence(best), Cell(str(best.n), best.n)) if best else (Cell("–"),) * 4
        points, trials = len(summary.points), sum(summary.states.values())
        rest = (Cell(str(points), points), Cell(str(trials), trials))
        spent = Cell(words.duration(summary.trial_sec), summary.trial_sec)
        rows.append(Row((Cell(summary.name), setting, *found, *rest, spent), TrialState.COMPLETE, best=False))
    return Table(headings, tuple(rows), len(rows))


def _arm_table(shared: Sequence[SharedArm], summaries: Sequence[Summary]) -> Table:
    """Return one row per shared arm: both means, whether the second is better, the difference and its interval."""
    first, second = (summary.name for summary in summaries)
    nuisance = list(dict.fromkeys(key for each in shared for arm in (each.first, each.second) for key in arm.nuisance))
    names = [f"{words.label(key)}, {name}" for key in nuisance for name in (first, second)]
    headings = ("arm", first, second, *COMPARED[:2], "verdict", COMPARED[2], "pairs", *STRENGTH, *names)
    rows = []
    for each in shared:
        arms, own = (each.first, each.second), each.difference
        given = [setting(arm.nuisance[key]) if key in arm.nuisance else NONE for key in nuisance for arm in arms]
        pairs = Cell(str(own.difference.n), own.difference.n)
        scores = [mean(arm.score) for arm in arms]
        gap, interval, p = against(own)
        found = (gap, interval, Cell(own.verdict), p, pairs, *strength(own, summaries[0].objective))
        rows.append((Cell(own.arm), *scores, *found, *given))
    return as_table(headings, rows)


def _difference_table(first: TrialTable, second: TrialTable) -> Table:
    """Return one row per key whose value is not the same in both set-ups; where and how much they ran is left out."""
    rows = []
    for change in changes(_set_up(first), _set_up(second)):
        cells = (Cell(change.key), *(Cell(_shown(value)) for value in (change.old, change.new)))
        rows.append(Row(cells, TrialState.COMPLETE, best=False))
    return Table(("key", first.name, second.name), tuple(rows), len(rows))


def _set_up(table: TrialTable) -> dict[str, Any]:
    config = {key: value for key, value in dict(table.study.get("config") or {}).items() if key not in UNNAMED}
    config["study"] = {key: value for key, value in dict(config.get("study") or {}).items() if key not in _OWN}
    searched = {f"searched: {key}": value for key, value in flat(dict(table.study.get("space") or {}))}
    return {**searched, **config}


def _shown(value: Any) -> str:
    return "–" if value is ABSENT else words.number(value)

"""The page of two studies side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpsearch.base import words
from hpsearch.base.files import REPORT, replace_text
from hpsearch.base.types import TrialTable
from hpsearch.reports.comparison import names
from hpsearch.reports.comparison.figures import best_curves_figure, best_figure, overlay_figure
from hpsearch.reports.comparison.numbers import Comparison, compare, doubts, shown, verdict
from hpsearch.reports.kit.canvas import Drawn
from hpsearch.reports.kit.cells import Cell
from hpsearch.reports.kit.page import Tile, panel, render_page
from hpsearch.reports.kit.points import Results, results_of
from hpsearch.reports.kit.setup import environment_of
from hpsearch.reports.kit.space import Axis, combined
from hpsearch.reports.kit.tables import Section, Table, as_table, best_command, evidence

BEST_AID = (
    "The interval of an accuracy is over seeds and validation samples, that of another metric Student's over the seeds."
)
DIFFERENCES_AID = "A dash stands for a key that is not there; where and how much each study ran is left out."


@dataclass(frozen=True, slots=True)
class Added:
    """What a comparison shows beside the best points of two studies.

    Attributes:
        sentence: what it adds to the answer.
        table: its numbers.
        figures: drawn before the curves, in place of the scores along a hyperparameter.
    """

    sentence: str
    table: Table
    figures: tuple[Drawn, ...]


def write_comparison(
    tables: Sequence[TrialTable], answers: Sequence[str], folder: Path, added: Added | None = None
) -> Path:
    """Write the page of two studies in one move.

    Args:
        tables: of the two studies.
        answers: what each found by itself.
        folder: where to write ``report.html``; made when it is missing.
        added: what is known of them beyond their best points.

    Returns:
        The path of the page.
    """
    return replace_text(folder / REPORT, render_comparison(tables, answers, added))


def render_comparison(
    tables: Sequence[TrialTable], answers: Sequence[str], added: Added | None = None, printed: bool = False
) -> str:
    """Return the page of two studies: whose best point is better, figures, best points, what differs in their set-up.

    Args:
        tables: of the two studies.
        answers: what each found by itself.
        added: what is known of them beyond their best points.
        printed: whether it is for paper.

    Returns:
        HTML that makes no request.
    """
    first, second = tables
    studies, called = _called(tables), names.names_of(tables)
    comparison = compare(*studies)
    return render_page(
        "comparison/page.html.j2",
        printed,
        names=[first.name, second.name],
        called=[name if name != table.name else "" for table, name in zip(tables, called, strict=True)],
        questions=list(dict.fromkeys(study.question for study in studies)),
        answer=verdict(comparison, *studies),
        added=added,
        tiles=_tiles(comparison, studies),
        panels=[panel(*drawn, printed) for drawn in _figures(comparison, tables, studies, added)],
        caveats=doubts(comparison, tables, *studies),
        best_aid=BEST_AID,
        arms_aid=_arms_aid(tables),
        best=_best_table(studies),
        differences=_difference_table(first, second),
        environments=[(name, environment_of(table)) for table, name in zip(tables, called, strict=True)],
        answers=list(zip(called, answers, strict=True)),
        commands=[
            (f"Train the best trial of {study.name} again", best_command(table, study))
            for table, study in zip(tables, studies, strict=True)
        ],
        differences_aid=DIFFERENCES_AID,
        again=f"python -m hpsearch report {first.name} {second.name}",
    )


def comparison_sections(tables: Sequence[TrialTable], added: Added | None = None) -> list[Section]:
    """Return the tables of two studies side by side that have rows, in the order of their page.

    Args:
        tables: of the two studies.
        added: what is known of them beyond their best points.
    """
    each = (
        ("Arm by arm", _arms_aid(tables), None if added is None else added.table),
        ("Best points", BEST_AID, _best_table(_called(tables))),
        ("What differs in their set-up", DIFFERENCES_AID, _difference_table(*tables)),
    )
    return [Section(title, aid, rows) for title, aid, rows in each if rows is not None and rows.rows]


def _called(tables: Sequence[TrialTable]) -> list[Results]:
    """Return the results of two studies by the names that tell them apart."""
    called = zip(tables, names.names_of(tables), strict=True)
    return [replace(results_of(table), name=name) for table, name in called]


def _arms_aid(tables: Sequence[TrialTable]) -> str:
    first, second = names.names_of(tables)
    return (
        f"The arms that both have. The difference is {second} − {first}, paired over the seeds that both trained; the "
        f"verdict is on {second}, adjusted for all arms (Holm, 5 %)."
    )


def _tiles(comparison: Comparison, studies: Sequence[Results]) -> tuple[Tile, ...]:
    tiles = [
        Tile(
            f"Best {study.objective.metric} of {study.name}",
            words.score(study.quoted.mean, study.quoted.sd).split(" ")[0] if study.quoted else "–",
            words.settings(study.quoted.params) if study.quoted else "no point is complete",
        )
        for study in studies
    ]
    if comparison.difference is None:
        return tuple(tiles)
    size, low, high = shown(comparison)
    interval = comparison.interval
    note = f"95 % interval {low} to {high}; {interval.method}" if interval else "no interval"
    return (*tiles, Tile("Difference, second − first", size, note))


def _figures(
    comparison: Comparison, tables: Sequence[TrialTable], studies: Sequence[Results], added: Added | None
) -> Iterator[Drawn]:
    metric = studies[0].objective.metric
    if comparison.difference is not None:
        aid = "Small marks are seeds, large ones their mean with its 95 % interval."
        yield "best", f"Best {metric} of each study", aid, best_figure(studies)
        axis = None if added else _shared_axis(studies)
        if axis is not None:
            aid = "Means over seeds; bars are one sd. Points without a full score are left out."
            yield "overlay", f"{metric} against {axis.name}", aid, overlay_figure(studies, axis)
    yield from added.figures if added else ()
    curves = best_curves_figure(tables, studies)
    if curves is not None:
        aid = "The best point of each study: mean over its seeds, the band one sd."
        yield "curves", "Learning curves of the best points", aid, curves


def _shared_axis(studies: Sequence[Results]) -> Axis | None:
    """Return the main hyperparameter of the first study with the values of both, None where the other lacks it."""
    first, second = studies
    if first.main is None:
        return None
    other = next((axis for axis in second.axes if axis.key == first.main.key), None)
    return None if other is None else combined(first.main, other)


def _best_table(studies: Sequence[Results]) -> Table:
    metric = studies[0].objective.metric
    headings = ("study", "best point", metric, "sd", "95 % interval", "n", "points", "trials", "training time")
    rows = []
    for study in studies:
        best = study.quoted
        setting = Cell(words.settings(best.params) if best else "–")
        found = (*evidence(best), Cell(str(best.n), best.n)) if best else (Cell("–"),) * 4
        points, trials = len(study.points), sum(study.states.values())
        rest = (Cell(str(points), points), Cell(str(trials), trials))
        spent = Cell(words.duration(study.trial_sec), study.trial_sec)
        rows.append((Cell(study.name), setting, *found, *rest, spent))
    return as_table(headings, rows)


def _difference_table(first: TrialTable, second: TrialTable) -> Table:
    """Return one row per key whose value is not the same in both set-ups; where and how much they ran is left out."""
    rows = [(Cell(each.key), *map(Cell, names.shown(each))) for each in names.differing(first, second)]
    return as_table(("key", *names.names_of((first, second))), rows)

"""What the curves of a study's trials show, as a table."""

from hpsearch.base.types import TrialId, TrialState, TrialTable
from hpsearch.base.words import settings
from hpsearch.reports.diagnosis.history import histories, history
from hpsearch.reports.diagnosis.rules import diagnose
from hpsearch.reports.kit.cells import Cell
from hpsearch.reports.kit.points import Results, best_first
from hpsearch.reports.kit.tables import Row, Table

ROWS = 200


def diagnosis_table(table: TrialTable, results: Results) -> Table | None:
    """Return one row per trial that shows a fault: point, seed, hyperparameters, labels, evidence, advice.

    Args:
        table: the study.
        results: its results.

    Returns:
        The trials by point, at most `ROWS`, those of the best points first where there are more; None without any.
    """
    points = {point.point: point for point in results.points}
    order = {p.point: place for place, p in enumerate(best_first(results.points, results.objective))}
    known = histories(table)
    rows: list[Row] = []
    total = 0
    for place in sorted(known, key=lambda each: (order[each[0]], each)):
        point, seed, _ = place
        found = diagnose(history({**known[place], "layers": table.layers.get(TrialId(*place), ())}))
        total += bool(found)
        if not found or len(rows) == ROWS:
            continue
        said = (", ".join(each.label for each in found), found[0].evidence, found[0].advice)
        cells = (Cell(str(point), point), Cell(str(seed), seed), Cell(settings(points[point].params)), *map(Cell, said))
        rows.append(Row(cells, TrialState(points[point].state), points[point] is results.best))
    headings = ("point", "seed", "hyperparameters", "shows", "evidence", "do")
    return Table(headings, tuple(rows), total) if rows else None

"""What the layers of the best point did over training."""

from hpsearch.reports.kit.canvas import Drawn
from hpsearch.reports.kit.layer_map import layer_map
from hpsearch.reports.kit.layer_rules import faults_text
from hpsearch.reports.kit.layers import layer_courses, reading_aid, watched_trials
from hpsearch.reports.summary.numbers import Findings, Summary


def figure(found: Findings) -> Drawn | None:
    """Return the layers of the best point, the median over its trials; of the first one where none is the best.

    Returns:
        None where the layers of its trials were not watched.
    """
    table, summary = found.table, found.summary
    point = _point(summary)
    trials = table.trials[table.trials["point"] == point][["point", "seed", "fold"]].astype(int)
    watched = watched_trials(table, sorted(trials.itertuples(index=False, name=None)))
    courses = layer_courses([each.rows for each in watched])
    if not courses:
        return None
    whose = "of the best point" if summary.best is not None else f"of point {point}"
    several = f", the median over its {len(watched)} trials" if len(watched) > 1 else ""
    told = faults_text([each.rows for each in watched], [each.unit for each in watched])
    aid = f"One row per layer, the one nearest the inputs on top{several}. {reading_aid(courses)} {told}"
    return "layers", f"Layers {whose}", aid, layer_map(courses, f"Heat map of layers by epoch {whose}.")


def _point(summary: Summary) -> int:
    first = min((point.point for point in summary.points), default=0)
    return first if summary.best is None else summary.best.point

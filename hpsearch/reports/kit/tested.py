"""The objective's metric on the test split: of the same weights as the score."""

from typing import TYPE_CHECKING

import numpy as np

from hpsearch.base.columns import metric_column
from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.kit.space import floats

if TYPE_CHECKING:
    import pandas as pd

_TRIAL = ["point", "seed", "fold"]


def test_scores(table: TrialTable, objective: Objective) -> dict[tuple[int, int, int], float]:
    """Return the objective's metric on the test split by (point, seed, fold), of the trials that have it.

    Where the score is the mean of evaluations at the end of a trial, so is this, as far as it was measured there.

    Args:
        table: the study.
        objective: what it optimizes.
    """
    metric = objective.metric.replace("valid/", "test/")
    column = metric_column(metric)
    if not metric.startswith("test/") or column not in table.trials:
        return {}
    rows = table.trials[table.trials[column].notna()]
    found = _by_trial(rows, column)
    if objective.reduce == "end" and table.ends is not None and column in table.ends:
        means = table.ends.groupby(_TRIAL, as_index=False)[column].mean()
        found |= {trial: value for trial, value in _by_trial(means, column).items() if np.isfinite(value)}
    return found


def _by_trial(rows: "pd.DataFrame", column: str) -> dict[tuple[int, int, int], float]:
    places = zip(*(rows[name].astype(int).tolist() for name in _TRIAL), strict=True)
    return dict(zip(places, floats(rows[column]).tolist(), strict=True))

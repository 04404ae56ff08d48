"""What trials of a study trained to, for tests that compare it bit for bit."""

import pandas as pd

from hpsearch import load_curves, load_trials
from hpsearch.base.replicates import MEASURED

_HOW = ["state", "score", "reason", "key", "parameters", "best_epoch", "best_score", "data.digest"]


def curves_of(study: str, point: int | None = None, seed: int | None = None) -> pd.DataFrame:
    """Return every value of every epoch, or those of one trial, but for what takes the time."""
    curves = load_curves(study).set_index(["point", "seed", "fold", "epoch"]).sort_index()
    assert curves.index.is_unique
    curves = curves.drop(columns=[name for name in curves if name == "time" or name.endswith(MEASURED)])
    return curves if point is None else curves.loc[(point, seed)]


def ends_of(study: str) -> pd.DataFrame:
    """Return how every trial ended."""
    trials = load_trials(study).set_index(["point", "seed", "fold"]).sort_index()
    assert trials.index.is_unique
    return trials[[name for name in trials if name in _HOW or name.startswith("optimizer.")]]


def assert_same_bits(study: str, other: str) -> None:
    """Compare all trials of two studies."""
    pd.testing.assert_frame_equal(curves_of(study), curves_of(other), check_exact=True)
    pd.testing.assert_frame_equal(ends_of(study), ends_of(other), check_exact=True)

"""Studies as pandas tables, for notebooks and for whoever analyses on their own."""

from typing import TYPE_CHECKING

from hpsearch.session import trials_of

if TYPE_CHECKING:
    import pandas as pd


def load_trials(name: str, *, uri: str | None = None) -> "pd.DataFrame":
    """Return a study's trials, one row per trial.

    Args:
        name: of the study.
        uri: tracking store to read instead of the study's folder; without a folder the store of the working folder
            is read.

    Returns:
        Columns ``point seed fold state score attempts reason started ended duration_sec run_id key command``, the
        searched hyperparameters by dotted key, the last value of each metric, and facts such as ``parameters``; of an
        ablation those of its arms, with a column ``arm``.
        Scores are in the objective's own units; times are seconds since the Unix epoch.
    """
    return trials_of(name, uri).trials


def load_curves(name: str, *, uri: str | None = None) -> "pd.DataFrame":
    """Return a study's learning curves, one row per trial and epoch.

    Args:
        name: of the study.
        uri: as for `load_trials`.

    Returns:
        Columns ``point seed fold epoch step time`` and one per metric; epoch 0 is the untrained model. Of an ablation
        the curves of its arms, with ``arm`` and a column per factor.
    """
    return trials_of(name, uri).curves

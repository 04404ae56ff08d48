"""Studies as pandas tables and as figures, for notebooks and for whoever analyses on their own."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hpsearch.base.errors import ConfigError, nearest
from hpsearch.study.session import ablation_tables, compared_table, is_ablation, table_of, trials_of

if TYPE_CHECKING:
    import pandas as pd

    from hpsearch.reports.kit.page import Drawn
    from hpsearch.reports.kit.still import Drawing


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


def draw(name: str, figure: str | None = None, *, uri: str | None = None) -> "Drawing":
    """Draw one of the figures of a study's report.

    Args:
        name: of the study.
        figure: which one: ``score``, ``curves``, ``history``, ``importance``, ...; of a recipe the name of a stage; of
            an ablation ``map``, ``arms``, ``differences``, ``curves``, ``target``; None for the first.
        uri: as for `load_trials`.

    Returns:
        The drawing: a notebook shows it as an image, and its `figure` is the interactive plotly figure.

    Raises:
        ConfigError: the study has no such figure.
    """
    from hpsearch.reports.kit.still import Drawing

    known = []
    for drawn in _figures(name, uri):
        if figure in (None, drawn[0]):
            return Drawing(*drawn)
        known.append(drawn[0])
    there = f"{nearest(str(figure), known)} (there are: {', '.join(known) or 'none'})"
    raise ConfigError(f"study '{name}' has no figure '{figure}'{there}")


def _figures(name: str, uri: str | None) -> Iterator["Drawn"]:
    from hpsearch.reports.ablation.numbers import ablation_of
    from hpsearch.reports.ablation.page import ablation_figures
    from hpsearch.reports.recipe.page import stage_figures
    from hpsearch.reports.summary.findings import find
    from hpsearch.reports.summary.panels import figures

    table = table_of(name, uri)
    if is_ablation(table.study):
        arms, tuning = ablation_tables(name, uri)
        return ablation_figures(ablation_of(arms, tuning), arms)
    return stage_figures(table.study) if "recipe" in table.study else figures(find(table))


def compare(first: str, second: str, *, uri: str | None = None) -> str:
    """Say which of two studies has the better best point.

    Args:
        first: name of one study; an ablation stands for its arms.
        second: name of the other.
        uri: as for `load_trials`, for both. A recipe is refused: it has no best point of its own.

    Returns:
        One sentence with both scores, the difference and its 95 % interval, or with why they cannot be compared.
    """
    from hpsearch.reports.comparison import numbers as comparison
    from hpsearch.reports.summary.sweep import summarize

    one, other = (summarize(compared_table(name, uri)) for name in (first, second))
    return comparison.verdict(comparison.compare(one, other), one, other)

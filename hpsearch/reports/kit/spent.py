"""How long the trials of a study trained, all together."""

import math
from typing import TYPE_CHECKING

from hpsearch.base.widths import WIDTHS, widths_of

if TYPE_CHECKING:
    import pandas as pd


def spent_sec(trials: "pd.DataFrame") -> float:
    """Return the seconds of all trials added up; of one that was trained as one program with others, its share.

    The share is its time over the mean number of those that it was trained with. Trials without a time count nothing.

    Args:
        trials: of a `hpsearch.base.types.TrialTable`.
    """
    facts = trials[WIDTHS] if WIDTHS in trials else [None] * len(trials)
    times = zip(trials["duration_sec"].astype(float), facts, strict=True)
    return math.fsum(seconds / _width(fact) for seconds, fact in times if not math.isnan(seconds))


def _width(fact: object) -> float:
    widths = widths_of(fact, 1) if isinstance(fact, str) else [0]
    return sum(max(width, 1) for width in widths) / len(widths)

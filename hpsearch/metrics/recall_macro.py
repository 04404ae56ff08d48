"""Recall, the mean over classes."""

from hpsearch.metrics.counts import Macro, Recall


class RecallMacro(Macro, Recall):
    """Recall = TP / (TP + FN), the mean over the classes that occur or are predicted."""

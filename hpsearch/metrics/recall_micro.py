"""Recall of all classes together."""

from hpsearch.metrics.counts import Micro, Recall


class RecallMicro(Micro, Recall):
    """Recall = TP / (TP + FN) of all classes together, which equals accuracy."""

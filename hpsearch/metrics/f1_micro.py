"""F1 of all classes together."""

from hpsearch.metrics.counts import F1, Micro


class F1Micro(Micro, F1):
    """F1 = 2 TP / (2 TP + FP + FN) of all classes together, which equals accuracy."""

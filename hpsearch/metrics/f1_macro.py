"""F1, the mean over classes."""

from hpsearch.metrics.counts import F1, Macro


class F1Macro(Macro, F1):
    """F1 = 2 TP / (2 TP + FP + FN), the mean over the classes that occur or are predicted."""

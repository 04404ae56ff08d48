"""Precision, the mean over classes."""

from hpsearch.metrics.counts import Macro, Precision


class PrecisionMacro(Macro, Precision):
    """Precision = TP / (TP + FP), the mean over the classes that occur or are predicted."""

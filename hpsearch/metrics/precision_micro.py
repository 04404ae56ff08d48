"""Precision of all classes together."""

from hpsearch.metrics.counts import Micro, Precision


class PrecisionMicro(Micro, Precision):
    """Precision = TP / (TP + FP) of all classes together, which equals accuracy."""

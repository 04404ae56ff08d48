"""Precision of one class of two."""

from hpsearch.metrics.counts import Binary, Precision


class PrecisionBinary(Binary, Precision):
    """Precision = TP / (TP + FP) of the positive class of two, see `data.positive`; 0 where it is never predicted."""

    kind = "precision"

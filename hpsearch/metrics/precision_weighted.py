"""Precision, the mean over classes weighted by how often they occur."""

from hpsearch.metrics.counts import Precision, Weighted


class PrecisionWeighted(Weighted, Precision):
    """Precision = TP / (TP + FP), the mean over the classes weighted by their numbers of samples."""

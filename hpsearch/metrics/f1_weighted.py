"""F1, the mean over classes weighted by how often they occur."""

from hpsearch.metrics.counts import F1, Weighted


class F1Weighted(Weighted, F1):
    """F1 = 2 TP / (2 TP + FP + FN), the mean over the classes weighted by their numbers of samples."""

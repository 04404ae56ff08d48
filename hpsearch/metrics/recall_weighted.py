"""Recall, the mean over classes weighted by how often they occur."""

from hpsearch.metrics.counts import Recall, Weighted


class RecallWeighted(Weighted, Recall):
    """Recall = TP / (TP + FN), the mean over the classes weighted by their numbers of samples."""

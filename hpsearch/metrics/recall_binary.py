"""Recall of one class of two."""

from hpsearch.metrics.counts import Binary, Recall


class RecallBinary(Binary, Recall):
    """Recall = TP / (TP + FN) of the positive class of two, see `data.positive`; 0 where it does not occur."""

    kind = "recall"

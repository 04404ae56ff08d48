"""F1 of one class of two."""

from hpsearch.metrics.counts import F1, Binary


class F1Binary(Binary, F1):
    """F1 = 2 TP / (2 TP + FP + FN) of the positive class of two, see `data.positive`; 0 without any cases."""

    kind = "f1"

"""Accuracy."""

from copy import copy
from typing import TYPE_CHECKING, Any

from hpsearch.metrics.base import SampleMetric, predicted_classes

if TYPE_CHECKING:
    from torch import Tensor


class Accuracy(SampleMetric):
    """Share of samples whose largest output is that of their class."""

    task = "classification"

    def __deepcopy__(self, memo: dict[int, Any]) -> "Accuracy":
        """Return one with sums of its own: they are replaced, never changed in place."""
        return copy(self)

    def each(self, outputs_BC: "Tensor", y_B: "Tensor") -> "Tensor":
        """Return which samples of a batch are right."""
        return predicted_classes(outputs_BC) == y_B

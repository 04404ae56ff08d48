"""Accuracy."""

from typing import TYPE_CHECKING

from hpsearch.metrics.base import SampleMetric, predicted_classes

if TYPE_CHECKING:
    from torch import Tensor


class Accuracy(SampleMetric):
    """Share of samples whose largest output is that of their class."""

    task = "classification"

    def each(self, outputs_BC: "Tensor", y_B: "Tensor") -> "Tensor":
        """Return which samples of a batch are right."""
        return predicted_classes(outputs_BC) == y_B

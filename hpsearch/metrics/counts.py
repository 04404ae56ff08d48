"""Metrics of how often each class is hit, missed and taken for another one."""

from abc import abstractmethod
from typing import TYPE_CHECKING

from hpsearch.metrics.base import OutputsMetric, class_logits, predicted_classes

if TYPE_CHECKING:
    from torch import Tensor


class F1(OutputsMetric):
    """F1 = 2 TP / (2 TP + FP + FN) of each class, 0 where a class neither occurs nor is predicted; and some average.

    The averages are those of torchmetrics (``multiclass_f1_score``, ``binary_f1_score``) and of scikit-learn.
    """

    task = "classification"

    def value(self, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
        """Return the 0-d average."""
        import torch

        classes = torch.arange(class_logits(outputs_NC).shape[1], device=y_N.device)
        predicted_NC, true_NC = predicted_classes(outputs_NC)[:, None] == classes, y_N[:, None] == classes
        hits_C = (predicted_NC & true_NC).sum(0).double()
        return self.average(2 * hits_C, predicted_NC.sum(0) + true_NC.sum(0), true_NC.sum(0))

    @abstractmethod
    def average(self, twice_hits_C: "Tensor", cases_C: "Tensor", true_C: "Tensor") -> "Tensor":
        """Return the 0-d average.

        Args:
            twice_hits_C: [C] 2 TP.
            cases_C: [C] 2 TP + FP + FN, how often a class is predicted or occurs.
            true_C: [C] how often it occurs.
        """

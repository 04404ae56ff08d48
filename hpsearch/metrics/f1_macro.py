"""F1, the mean over classes."""

from typing import TYPE_CHECKING

from hpsearch.metrics.base import OutputsMetric, class_logits, predicted_classes

if TYPE_CHECKING:
    from torch import Tensor


class F1Macro(OutputsMetric):
    """Mean over the classes that occur or are predicted of 2 TP / (2 TP + FP + FN)."""

    task = "classification"

    def value(self, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
        """Return the 0-d mean."""
        import torch

        classes = torch.arange(class_logits(outputs_NC).shape[1], device=y_N.device)
        predicted_NC, true_NC = predicted_classes(outputs_NC)[:, None] == classes, y_N[:, None] == classes
        hits = (predicted_NC & true_NC).sum(0).double()
        cases = predicted_NC.sum(0) + true_NC.sum(0)
        return (2 * hits / cases.clamp(min=1)).sum() / (cases > 0).sum()

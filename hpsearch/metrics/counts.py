"""Metrics of how often each class is hit, missed and taken for another one.

A class has a number by its hits (TP), by how often it is predicted (TP + FP) and by how often it occurs (TP + FN). The
averages are those of torchmetrics and of scikit-learn.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from hpsearch.base.errors import ConfigError
from hpsearch.metrics.base import Metric, OutputsMetric, class_logits, predicted_classes

if TYPE_CHECKING:
    from torch import Tensor


class ByClass(OutputsMetric):
    """A number of every class, 0 where it has no cases, and some average of them."""

    task = "classification"

    def value(self, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
        """Return the 0-d average."""
        import torch

        classes = torch.arange(class_logits(outputs_NC).shape[1], device=y_N.device)
        predicted_NC, true_NC = predicted_classes(outputs_NC)[:, None] == classes, y_N[:, None] == classes
        hits_C, predicted_C, true_C = (each.sum(0).double() for each in (predicted_NC & true_NC, predicted_NC, true_NC))
        return self.average(*self.parts(hits_C, predicted_C, true_C), predicted_C + true_C > 0, true_C)

    @abstractmethod
    def parts(self, hits_C: "Tensor", predicted_C: "Tensor", true_C: "Tensor") -> "tuple[Tensor, Tensor]":
        """Return what is divided, and by what, [C] each.

        Args:
            hits_C: [C] TP.
            predicted_C: [C] TP + FP.
            true_C: [C] TP + FN.
        """

    @abstractmethod
    def average(self, part_C: "Tensor", cases_C: "Tensor", present_C: "Tensor", true_C: "Tensor") -> "Tensor":
        """Return the 0-d average.

        Args:
            part_C: [C] what is divided.
            cases_C: [C] by what.
            present_C: [C] whether a class occurs or is predicted.
            true_C: [C] how often it occurs.
        """


class F1(ByClass):
    """F1 = 2 TP / (2 TP + FP + FN)."""

    def parts(self, hits_C: "Tensor", predicted_C: "Tensor", true_C: "Tensor") -> "tuple[Tensor, Tensor]":
        """Return 2 TP, and how often a class is predicted or occurs."""
        return 2 * hits_C, predicted_C + true_C


class Precision(ByClass):
    """Precision = TP / (TP + FP): how many of those taken for a class are of it."""

    def parts(self, hits_C: "Tensor", predicted_C: "Tensor", true_C: "Tensor") -> "tuple[Tensor, Tensor]":  # noqa: ARG002
        """Return TP, and how often a class is predicted."""
        return hits_C, predicted_C


class Recall(ByClass):
    """Recall = TP / (TP + FN): how many of those of a class are taken for it."""

    def parts(self, hits_C: "Tensor", predicted_C: "Tensor", true_C: "Tensor") -> "tuple[Tensor, Tensor]":  # noqa: ARG002
        """Return TP, and how often a class occurs."""
        return hits_C, true_C


class Macro(ByClass):
    """Mean over the classes that occur or are predicted: every class counts alike."""

    def average(self, part_C: "Tensor", cases_C: "Tensor", present_C: "Tensor", true_C: "Tensor") -> "Tensor":  # noqa: ARG002
        """Return the 0-d mean."""
        return (part_C / cases_C.clamp(min=1)).sum() / present_C.sum()


class Micro(ByClass):
    """Of the hits and misses of all classes together: every sample counts alike, so that it equals accuracy."""

    def average(self, part_C: "Tensor", cases_C: "Tensor", present_C: "Tensor", true_C: "Tensor") -> "Tensor":  # noqa: ARG002
        """Return the 0-d share."""
        return part_C.sum() / cases_C.sum()


class Weighted(ByClass):
    """Mean over the classes, each weighted by its number of samples."""

    def average(self, part_C: "Tensor", cases_C: "Tensor", present_C: "Tensor", true_C: "Tensor") -> "Tensor":  # noqa: ARG002
        """Return the 0-d mean."""
        return (true_C * part_C / cases_C.clamp(min=1)).sum() / true_C.sum()


class Binary(ByClass):
    """Of the positive class of two, which ``data.positive`` names; the second one unless it does.

    Attributes:
        kind: what is measured, as options name it.
        positive: number of the class.
    """

    kind: ClassVar[str]
    positive: int = 1

    def check_outputs(self, columns: int) -> None:
        """Refuse more classes than two.

        Args:
            columns: outputs of the model.

        Raises:
            ConfigError: naming the averages that there are.
        """
        if columns > 2:
            name = self.kind
            raise ConfigError(
                f"metric.{name}_binary: is for two classes, there are {columns}; take {name}_macro, {name}_micro or "
                f"{name}_weighted"
            )

    def average(self, part_C: "Tensor", cases_C: "Tensor", present_C: "Tensor", true_C: "Tensor") -> "Tensor":  # noqa: ARG002
        """Return the 0-d number of the positive class."""
        return part_C[self.positive] / cases_C[self.positive].clamp(min=1)


def of_class(metric: Metric, positive: int) -> None:
    """Say which class of two is the positive one, where a metric asks.

    Args:
        metric: any.
        positive: number of the class.
    """
    if isinstance(metric, Binary):
        metric.positive = positive

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
        hits_C, predicted_C, true_C = (each.sum(0).double() for each in _cases(outputs_NC, y_N))
        return self.average(*self.parts(hits_C, predicted_C, true_C), predicted_C + true_C > 0, true_C)

    def samples(self, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
        """Return ``r_c + (a_c - r_c b_c) / mean(b_c)`` of every sample, averaged over classes as their ratios r_c are.

        Here a_c and b_c are what the sample adds to what is divided and to what it is divided by.
        """
        hits_NC, predicted_NC, true_NC = (each.double() for each in _cases(outputs_NC, y_N))
        return self.averages(*self.parts(hits_NC, predicted_NC, true_NC), predicted_NC + true_NC, true_NC)

    @abstractmethod
    def averages(self, part_NC: "Tensor", cases_NC: "Tensor", present_NC: "Tensor", true_NC: "Tensor") -> "Tensor":
        """Return a number of every sample, [N], whose mean is the average.

        Args:
            part_NC: [N, C] what a sample adds to what is divided.
            cases_NC: [N, C] and to by what.
            present_NC: [N, C] how often a class occurs in it or is predicted.
            true_NC: [N, C] whether it is of the class.
        """

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


def _cases(outputs_NC: "Tensor", y_N: "Tensor") -> "tuple[Tensor, Tensor, Tensor]":
    """Return [N, C] of every sample and class whether it is hit, predicted and true."""
    import torch

    classes = torch.arange(class_logits(outputs_NC).shape[1], device=y_N.device)
    predicted_NC, true_NC = predicted_classes(outputs_NC)[:, None] == classes, y_N[:, None] == classes
    return predicted_NC & true_NC, predicted_NC, true_NC


def _linear(part_NC: "Tensor", cases_NC: "Tensor") -> "Tensor":
    """Return [N, C] numbers whose means are the ratios of sums; 0 where there are no cases."""
    cases_C = cases_NC.mean(0)
    ratio_C = part_NC.mean(0) / cases_C.clamp(min=1e-300)
    return ratio_C + (part_NC - ratio_C * cases_NC) / cases_C.clamp(min=1e-300)


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

    def averages(self, part_NC: "Tensor", cases_NC: "Tensor", present_NC: "Tensor", true_NC: "Tensor") -> "Tensor":  # noqa: ARG002
        """Return the mean over the classes that are there, [N]."""
        return _linear(part_NC, cases_NC).sum(1) / present_NC.any(0).sum()


class Micro(ByClass):
    """Of the hits and misses of all classes together: every sample counts alike, so that it equals accuracy."""

    def average(self, part_C: "Tensor", cases_C: "Tensor", present_C: "Tensor", true_C: "Tensor") -> "Tensor":  # noqa: ARG002
        """Return the 0-d share."""
        return part_C.sum() / cases_C.sum()

    def averages(self, part_NC: "Tensor", cases_NC: "Tensor", present_NC: "Tensor", true_NC: "Tensor") -> "Tensor":  # noqa: ARG002
        """Return what the sums over classes give, [N]."""
        return _linear(part_NC.sum(1, keepdim=True), cases_NC.sum(1, keepdim=True))[:, 0]


class Weighted(ByClass):
    """Mean over the classes, each weighted by its number of samples."""

    def average(self, part_C: "Tensor", cases_C: "Tensor", present_C: "Tensor", true_C: "Tensor") -> "Tensor":  # noqa: ARG002
        """Return the 0-d mean."""
        return (true_C * part_C / cases_C.clamp(min=1)).sum() / true_C.sum()

    def averages(self, part_NC: "Tensor", cases_NC: "Tensor", present_NC: "Tensor", true_NC: "Tensor") -> "Tensor":  # noqa: ARG002
        """Return the weighted mean, whose weights are the sample's too, [N]."""
        linear_NC, share_C = _linear(part_NC, cases_NC), true_NC.mean(0)
        ratio_C = linear_NC.mean(0)
        return (share_C * (linear_NC - ratio_C) + true_NC * ratio_C).sum(1)


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

    def averages(self, part_NC: "Tensor", cases_NC: "Tensor", present_NC: "Tensor", true_NC: "Tensor") -> "Tensor":  # noqa: ARG002
        """Return those of the positive class, [N]."""
        return _linear(part_NC, cases_NC)[:, self.positive]


def of_class(metric: Metric, positive: int) -> None:
    """Say which class of two is the positive one, where a metric asks.

    Args:
        metric: any.
        positive: number of the class.
    """
    if isinstance(metric, Binary):
        metric.positive = positive

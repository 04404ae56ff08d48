"""Coefficient of determination."""

from typing import TYPE_CHECKING

from hpsearch.metrics.base import OutputsMetric

if TYPE_CHECKING:
    from torch import Tensor


class R2(OutputsMetric):
    """Share of the targets' variance that is explained, the mean over outputs; negative below a constant prediction."""

    task = "regression"
    lower_bound = None

    def value(self, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
        """Return the 0-d share."""
        y_NC = y_N.double()
        return (1 - (outputs_NC - y_NC).square().sum(0) / (y_NC - y_NC.mean(0)).square().sum(0)).mean()

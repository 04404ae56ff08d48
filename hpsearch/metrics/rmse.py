"""Root of the mean squared error."""

from typing import TYPE_CHECKING

from hpsearch.metrics.base import OutputsMetric

if TYPE_CHECKING:
    from torch import Tensor


class RootMeanSquaredError(OutputsMetric):
    """Square root of the mean over samples and outputs of the squared error."""

    task = "regression"
    higher_is_better = False
    upper_bound = None

    def value(self, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
        """Return the 0-d error."""
        return (outputs_NC - y_N).square().mean().sqrt()

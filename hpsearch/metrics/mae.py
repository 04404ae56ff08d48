"""Mean absolute error."""

from typing import TYPE_CHECKING

from hpsearch.metrics.base import OutputsMetric

if TYPE_CHECKING:
    from torch import Tensor


class MeanAbsoluteError(OutputsMetric):
    """Mean over samples and outputs of the absolute error."""

    task = "regression"
    higher_is_better = False
    upper_bound = None

    def value(self, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
        """Return the 0-d error."""
        return (outputs_NC - y_N).abs().mean()

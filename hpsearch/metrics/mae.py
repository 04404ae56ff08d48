"""Mean absolute error."""

from typing import TYPE_CHECKING

from hpsearch.metrics.base import ErrorMetric

if TYPE_CHECKING:
    from torch import Tensor


class MeanAbsoluteError(ErrorMetric):
    """Mean over samples and outputs of the absolute error, in the units of the unscaled targets."""

    def error(self, residuals_NC: "Tensor") -> "Tensor":
        """Return the 0-d error."""
        return residuals_NC.abs().mean()

    def errors(self, residuals_NC: "Tensor") -> "Tensor":
        """Return the error of every sample."""
        return residuals_NC.abs().mean(1)

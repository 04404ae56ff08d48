"""Root of the mean squared error."""

from typing import TYPE_CHECKING

from hpsearch.metrics.base import ErrorMetric

if TYPE_CHECKING:
    from torch import Tensor


class RootMeanSquaredError(ErrorMetric):
    """Root of the mean over samples and outputs of the squared error, in the units of the unscaled targets."""

    def error(self, residuals_NC: "Tensor") -> "Tensor":
        """Return the 0-d error."""
        return residuals_NC.square().mean().sqrt()

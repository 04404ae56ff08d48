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

    def errors(self, residuals_NC: "Tensor") -> "Tensor":
        """Return ``r + (e² - r²) / (2 r)`` of the squared error e² of every sample and the root r of their mean."""
        squares_N, root = residuals_NC.square().mean(1), self.error(residuals_NC)
        return root + (squares_N - root.square()) / (2 * root).clamp(min=1e-300)

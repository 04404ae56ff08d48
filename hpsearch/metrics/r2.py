"""Coefficient of determination."""

import math
from typing import TYPE_CHECKING

from hpsearch.metrics.base import OutputsMetric

if TYPE_CHECKING:
    from torch import Tensor


class R2(OutputsMetric):
    """Share of the targets' variance that is explained, the mean over outputs; negative below a constant prediction.

    It has no unit, whatever the targets' is. It is nan where the targets of an output do not vary.
    """

    task = "regression"
    lower_bound = None
    unit_free = True

    def undefined(self, y_N: "Tensor") -> str:
        """Return why targets leave the share undefined; empty where they do not."""
        return f"the {len(y_N)} targets do not vary" if (y_N == y_N[:1]).all(0).any() else ""

    def value(self, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
        """Return the 0-d share."""
        y_NC = y_N.double()
        around_C = (y_NC - y_NC.mean(0)).square().sum(0)
        left_C = (outputs_NC - y_NC).square().sum(0) / around_C.where((y_NC != y_NC[:1]).any(0), math.nan)
        return (1 - left_C).mean()

    def samples(self, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
        """Return ``s - (e² - (1 - s) d²) / v`` of every sample, of the share s, the error e and the variance v of d."""
        y_NC = y_N.double()
        errors_NC, around_NC = (outputs_NC - y_NC).square(), (y_NC - y_NC.mean(0)).square()
        left_C = errors_NC.mean(0) / around_NC.mean(0)
        return (1 - left_C - (errors_NC - left_C * around_NC) / around_NC.mean(0)).mean(1)

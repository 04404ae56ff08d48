"""F1, the mean over classes weighted by how often they occur."""

from typing import TYPE_CHECKING

from hpsearch.metrics.counts import F1

if TYPE_CHECKING:
    from torch import Tensor


class F1Weighted(F1):
    """Mean of F1 over the classes, each weighted by its number of samples."""

    def average(self, twice_hits_C: "Tensor", cases_C: "Tensor", true_C: "Tensor") -> "Tensor":
        """Return the 0-d mean."""
        return (true_C * twice_hits_C / cases_C.clamp(min=1)).sum() / true_C.sum()

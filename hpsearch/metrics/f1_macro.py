"""F1, the mean over classes."""

from typing import TYPE_CHECKING

from hpsearch.metrics.counts import F1

if TYPE_CHECKING:
    from torch import Tensor


class F1Macro(F1):
    """Mean of F1 over the classes that occur or are predicted: every class counts alike."""

    def average(self, twice_hits_C: "Tensor", cases_C: "Tensor", true_C: "Tensor") -> "Tensor":  # noqa: ARG002
        """Return the 0-d mean."""
        return (twice_hits_C / cases_C.clamp(min=1)).sum() / (cases_C > 0).sum()

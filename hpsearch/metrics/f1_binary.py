"""F1 of one class of two."""

from typing import TYPE_CHECKING

from hpsearch.base.errors import ConfigError, check_choice
from hpsearch.metrics.counts import F1

if TYPE_CHECKING:
    from torch import Tensor


class F1Binary(F1):
    """F1 of the positive class of two; 0 where it neither occurs nor is predicted.

    Args:
        positive: number of the class, 0 or 1.
    """

    def __init__(self, positive: int = 1) -> None:
        super().__init__()
        check_choice("metric.f1_binary.positive", positive, (0, 1))
        self._positive = positive

    def check_outputs(self, columns: int) -> None:
        """Refuse more classes than two.

        Args:
            columns: outputs of the model.

        Raises:
            ConfigError: naming the averages that there are.
        """
        if columns > 2:
            raise ConfigError(
                f"metric.f1_binary: is for two classes, there are {columns}; take f1_macro, f1_micro or f1_weighted"
            )

    def average(self, twice_hits_C: "Tensor", cases_C: "Tensor", true_C: "Tensor") -> "Tensor":  # noqa: ARG002
        """Return the 0-d F1 of the positive class."""
        return twice_hits_C[self._positive] / cases_C[self._positive].clamp(min=1)

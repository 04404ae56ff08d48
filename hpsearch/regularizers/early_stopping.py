"""Stopping when a metric no longer improves."""

from collections.abc import Mapping
from dataclasses import dataclass

from hpsearch.regularizers.base import Regularizer


@dataclass(frozen=True, kw_only=True)
class EarlyStopping(Regularizer):
    """End a trial when a metric has not improved for some epochs (Prechelt, Early Stopping - But When?, 1998).

    The trial is COMPLETE, with the fact ``stopped_epoch``.

    Attributes:
        metric: what is watched; None: the objective's.
        patience: epochs, not evaluations, without an improvement after which it ends.
        min_delta: what counts as an improvement is more than this.
        restore_best: end with the weights of the objective's best epoch, which the test split then sees.
    """

    option = "early_stopping"
    metric: str | None = None
    patience: int = 5
    min_delta: float = 0.0
    restore_best: bool = True

    def stops(self, curve: Mapping[float, float], maximize: bool) -> bool:
        """Return whether to end after these evaluations.

        Args:
            curve: the metric by epoch so far, in their order; nan is no improvement.
            maximize: whether larger is better.

        Returns:
            Whether the last improvement is `patience` epochs ago or more.
        """
        best, at, last = float("-inf"), 0.0, 0.0
        for last, value in curve.items():
            signed = value if maximize else -value
            if signed - self.min_delta > best:
                best, at = signed, last
        return last - at >= self.patience

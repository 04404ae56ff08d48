"""Top-k accuracy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpsearch.base.errors import ConfigError, check_int
from hpsearch.metrics.base import OutputsMetric, class_logits

if TYPE_CHECKING:
    from torch import Tensor


class TopK(OutputsMetric):
    """Share of samples whose class is among the k largest outputs, reported as ``top_5`` for a k of 5.

    Args:
        k: a number, or several.

    Attributes:
        names: ``top_K`` of each k.
    """

    task = "classification"

    def __init__(self, k: int | Sequence[int]) -> None:
        super().__init__()
        self._ks = tuple(k) if isinstance(k, list | tuple) and k else (k,)
        for each in self._ks:
            check_int("metric.top_k.k", each, 1)
        self._ks = tuple(dict.fromkeys(self._ks))
        self.names = tuple(f"top_{each}" for each in self._ks)

    def check_outputs(self, columns: int) -> None:
        """Refuse a k above the number of classes.

        Args:
            columns: outputs of the model.

        Raises:
            ConfigError: naming it.
        """
        classes = max(columns, 2)
        if max(self._ks) > classes:
            raise ConfigError(f"metric.top_k.k = {max(self._ks)}: but there are {classes} classes")

    def value(self, outputs_NC: "Tensor", y_N: "Tensor") -> dict[str, "Tensor"]:
        """Return the 0-d share of each k by name."""
        return {name: hits_N.mean() for name, hits_N in self.samples(outputs_NC, y_N).items()}

    def samples(self, outputs_NC: "Tensor", y_N: "Tensor") -> dict[str, "Tensor"]:
        """Return of each k, by name, which samples count, [N]."""
        logits = class_logits(outputs_NC)
        hits = [(logits.topk(k, 1).indices == y_N[:, None]).any(1).double() for k in self._ks]
        return dict(zip(self.names, hits, strict=True))

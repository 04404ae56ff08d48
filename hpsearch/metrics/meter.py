"""Loss and metrics of one pass over a part of the data."""

from collections.abc import Mapping
from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any

from hpsearch.base.errors import ConfigError
from hpsearch.metrics.base import Metric, names_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Meter:
    """Sums that stay on the device until the end of the pass.

    Args:
        metrics: by key; they are copied.
        device: where the outputs are.
    """

    def __init__(self, metrics: Mapping[str, Metric], device: "torch.device") -> None:
        import torch

        self._metrics = {key: _copy(metric, device) for key, metric in metrics.items()}
        self._zero = torch.zeros((), device=device, dtype=torch.float32 if device.type == "mps" else torch.float64)
        self._losses: dict[str, tuple[Tensor, Tensor | int]] = {}

    def update(self, losses: "Mapping[str, tuple[Tensor, Tensor | int]]", outputs_BC: "Tensor", y_B: "Tensor") -> None:
        """Take in a batch, without waiting for the device.

        Args:
            losses: by name, 0-d sums over the batch of a loss and of what it is divided by at the end.
            outputs_BC: [B, C] what the model returned; one column of a classification is the logit of class 1 of two.
            y_B: [B] class numbers, or [B, C] targets.
        """
        for name, (loss, weight) in losses.items():
            total, weights = self._losses.get(name, (self._zero, 0))
            weight = weight if isinstance(weight, int) else weight.to(self._zero.dtype)
            self._losses[name] = total + loss.detach(), weights + weight
        for metric in self._metrics.values():
            metric.update(outputs_BC.detach(), y_B)

    def copy(self) -> "Meter":
        """Return a meter of its own of the same batches."""
        other = copy(self)
        other._metrics, other._losses = deepcopy(self._metrics), dict(self._losses)
        return other

    def compute(self) -> dict[str, float]:
        """Return the means of the losses and the metrics by their names; this waits for the device."""
        found = {name: float(total) / float(weights) for name, (total, weights) in self._losses.items()}
        for key, metric in self._metrics.items():
            found |= _numbers(key, metric)
        return found


def try_out(metrics: Mapping[str, Metric], outputs_BC: "Tensor", y_B: "Tensor") -> None:
    """Compute metrics of a batch, as a rehearsal.

    Args:
        metrics: by key; they are copied.
        outputs_BC: [B, C] what the model returned.
        y_B: [B] class numbers, or [B, C] targets.

    Raises:
        ConfigError: one of them fails.
    """
    for key, metric in metrics.items():
        copy = _copy(metric, outputs_BC.device)
        try:
            copy.update(outputs_BC, y_B)
            found = _numbers(key, copy)
        except Exception as error:
            why = next(iter(str(error).splitlines()), type(error).__name__)
            raise ConfigError(f"metric.{key}: does not fit the model's outputs: {why}") from error
        names = names_of(key, metric)
        if found.keys() != set(names):
            raise ConfigError(f"metric.{key}: computes {', '.join(found)}, and its `names` say {', '.join(names)}")


def _copy(metric: Metric, device: "torch.device") -> Metric:
    copy: Any = deepcopy(metric)
    return copy.to(device) if hasattr(copy, "to") else copy  # type: ignore[no-any-return]


def _numbers(key: str, metric: Metric) -> dict[str, float]:
    value = metric.compute()
    named = value if isinstance(value, Mapping) else {key: value}
    return {name: float(each) for name, each in named.items()}

"""What a metric is: torchmetrics' interface, and two ways to fill it in."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from hpsearch.base.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor


class Metric(Protocol):
    """Measures the outputs of one pass over a part of the data; a metric of torchmetrics is one too.

    Its class may say more: ``higher_is_better`` (whether larger is better), ``task`` (the only one it fits) and its
    range, ``lower_bound`` and ``upper_bound`` (torchmetrics: ``plot_lower_bound``, ``plot_upper_bound``). An object
    that computes several numbers names them in ``names``; the number of another has the name of the metric's key. One
    that cannot measure every model has a method ``check_outputs``, which gets the number of outputs; one that some
    targets leave undefined has a method ``undefined``, which says of them why, or nothing.
    """

    def update(self, outputs_BC: "Tensor", y_B: "Tensor", /) -> Any:
        """Take in the outputs [B, C] for a batch, and its class numbers [B] or targets [B, C]."""

    def compute(self) -> Any:
        """Return the number for all batches so far, or numbers by name."""

    def reset(self) -> None:
        """Forget all batches."""


class TaskMetric(ABC):
    """A metric of ours: it says what it fits, its direction and its range.

    Attributes:
        task: ``classification`` or ``regression``.
        higher_is_better: whether larger is better.
        lower_bound: least value possible, None for no limit.
        upper_bound: largest value possible, None for no limit.
    """

    task: ClassVar[str]
    higher_is_better: ClassVar[bool] = True
    lower_bound: ClassVar[float | None] = 0.0
    upper_bound: ClassVar[float | None] = 1.0

    @abstractmethod
    def update(self, outputs_BC: "Tensor", y_B: "Tensor", /) -> None:
        """Take in a batch."""

    @abstractmethod
    def compute(self) -> Any:
        """Return what all batches so far give."""

    @abstractmethod
    def reset(self) -> None:
        """Forget all batches."""


class SampleMetric(TaskMetric):
    """A mean over samples: sums of batches of any size add up on the device, without waiting for it."""

    def __init__(self) -> None:
        self._total: Tensor | int = 0
        self._samples = 0

    def update(self, outputs_BC: "Tensor", y_B: "Tensor", /) -> None:
        """Add the sum over a batch's samples."""
        self._total = self._total + self.total(outputs_BC, y_B)
        self._samples += len(y_B)

    def compute(self) -> float:
        """Return the mean; this waits for the device."""
        return float(self._total) / self._samples

    def reset(self) -> None:
        """Forget all batches."""
        self._total, self._samples = 0, 0

    @abstractmethod
    def total(self, outputs_BC: "Tensor", y_B: "Tensor") -> "Tensor":
        """Return the 0-d sum over the samples of a batch."""


class OutputsMetric(TaskMetric):
    """A metric that needs all outputs at once; they stay on the device, and become float64 at the end."""

    def __init__(self) -> None:
        self._kept: list[tuple[Tensor, Tensor]] = []

    def update(self, outputs_BC: "Tensor", y_B: "Tensor", /) -> None:
        """Keep a batch."""
        self._kept.append((outputs_BC, y_B))

    def compute(self) -> Any:
        """Return the value of all outputs; this waits for the device."""
        import torch

        outputs_NC, y_N = (torch.cat(parts) for parts in zip(*self._kept, strict=True))
        if outputs_NC.device.type == "mps":  # it has no float64
            outputs_NC, y_N = outputs_NC.cpu(), y_N.cpu()
        return self.value(outputs_NC.double(), y_N)

    def reset(self) -> None:
        """Forget all batches."""
        self._kept = []

    @abstractmethod
    def value(self, outputs_NC: "Tensor", y_N: "Tensor") -> Any:
        """Return the 0-d value of all outputs [N, C], nan where it is not defined; or values by name."""


def predicted_classes(outputs_BC: "Tensor") -> "Tensor":
    """Return the class [B] of the largest output; a single output is the logit of class 1 of two."""
    return outputs_BC.argmax(1) if outputs_BC.shape[1] > 1 else (outputs_BC[:, 0] > 0).long()


def class_logits(outputs_NC: "Tensor") -> "Tensor":
    """Return a column per class: a single output is the logit of a softmax over (0, itself)."""
    import torch

    return outputs_NC if outputs_NC.shape[1] > 1 else torch.cat((torch.zeros_like(outputs_NC), outputs_NC), 1)


def names_of(key: str, metric: "Metric | type[Metric]") -> tuple[str, ...]:
    """Return the names that a metric's numbers have in reports, behind ``train/`` and so on.

    Args:
        key: of the metric in the configuration.
        metric: the object.
    """
    return tuple(getattr(metric, "names", (key,)))


def bounded_by_0_and_1(metric: "Metric | type[Metric]") -> bool:
    """Return whether a metric lies between 0 and 1, as far as its class says."""
    ends = ("lower_bound", "upper_bound")
    low, high = (getattr(metric, end, getattr(metric, f"plot_{end}", None)) for end in ends)
    return (low, high) == (0, 1)


def undefined_on(name: str, metrics: Mapping[str, Metric], part: str, y_N: "Tensor") -> str:
    """Return why a number is not defined on a part of the data; empty where it is.

    Args:
        name: of the number, without its part.
        metrics: what is measured, by key.
        part: of the data, for the message.
        y_N: its targets.
    """
    found = next((metric for key, metric in metrics.items() if name in names_of(key, metric)), None)
    why = found.undefined(y_N) if found is not None and hasattr(found, "undefined") else ""
    return f"{part}/{name} is not defined: {why}" if why else ""


def check_fit(key: str, metric: "Metric", task: str, columns: int) -> None:
    """Refuse a metric that the data or the model does not fit.

    Args:
        key: of the metric in the configuration.
        metric: the object.
        task: ``classification`` or ``regression``.
        columns: outputs of the model.

    Raises:
        ConfigError: naming it.
    """
    if getattr(metric, "task", task) != task:
        raise ConfigError(f"metric.{key}: is for a {metric.task}, and the data is a {task}")  # type: ignore[attr-defined]
    if hasattr(metric, "check_outputs"):
        metric.check_outputs(columns)

"""What a metric is: torchmetrics' interface, and two ways to fill it in."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from hpsearch.base.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Metric(Protocol):
    """Measures the outputs of one pass over a part of the data; a metric of torchmetrics is one too.

    Its class may say more: ``higher_is_better`` (whether larger is better), ``task`` (the only one it fits) and its
    range, ``lower_bound`` and ``upper_bound`` (torchmetrics: ``plot_lower_bound``, ``plot_upper_bound``). An object
    that computes several numbers names them in ``names``; the number of another has the name of the metric's key. One
    that cannot measure every model has a method ``check_outputs``, which gets the number of outputs; one that some
    targets leave undefined has a method ``undefined``, which says of them why, or nothing. Where the targets of a
    regression are scaled, a metric gets outputs and targets in the units of the data, unless ``unit_free`` says that
    these do not matter.
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

    def total(self, outputs_BC: "Tensor", y_B: "Tensor") -> "Tensor":
        """Return the 0-d sum over the samples of a batch."""
        return self.each(outputs_BC, y_B).sum()

    @abstractmethod
    def each(self, outputs_BC: "Tensor", y_B: "Tensor") -> "Tensor":
        """Return the number of every sample of a batch, [B]."""


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

    def samples(self, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor | Mapping[str, Tensor] | None":  # noqa: ARG002
        """Return a number of every sample, [N], or several by name, whose mean is the value; None where there is none.

        Of a value that is no mean it is the value plus the influence of the sample on it (F. R. Hampel, The influence
        curve and its role in robust estimation, Journal of the American Statistical Association 1974), so that the
        variance of the mean of these numbers is, for many samples, that of the value.

        Args:
            outputs_NC: [N, C] all outputs, float64.
            y_N: [N] class numbers, or [N, C] targets.
        """
        return None


class ErrorMetric(OutputsMetric):
    """A metric of a regression's residuals, in the units of the data.

    Residuals are taken of targets as they are scaled for training, and multiplied back in float64: so they neither
    depend on ``data.target_scaling`` nor lose the digits of targets far from 0.
    """

    task = "regression"
    higher_is_better = False
    upper_bound = None

    def __init__(self) -> None:
        super().__init__()
        self._units: Tensor | None = None

    def in_units(self, scale_1C: "Tensor") -> None:
        """Say how much of the data's units one of the scaled targets' is, [1, C]."""
        self._units = scale_1C.double()

    def value(self, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
        """Return the 0-d error."""
        residuals_NC, largest = self._residuals(outputs_NC, y_N)
        return self.error(residuals_NC) * largest

    def samples(self, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
        """Return a number of every sample whose mean is the error."""
        residuals_NC, largest = self._residuals(outputs_NC, y_N)
        return self.errors(residuals_NC) * largest

    def _residuals(self, outputs_NC: "Tensor", y_N: "Tensor") -> "tuple[Tensor, Tensor | float]":
        """Return residuals and what they were divided by: squares of 1e200 or 1e-200 are no float64."""
        residuals_NC = outputs_NC - y_N.double()
        if self._units is None:
            return residuals_NC, 1.0
        units_1C = self._units.to(outputs_NC.device)
        largest = units_1C.max()
        return residuals_NC * (units_1C / largest), largest

    @abstractmethod
    def error(self, residuals_NC: "Tensor") -> "Tensor":
        """Return the 0-d error, which is doubled where all residuals are."""

    @abstractmethod
    def errors(self, residuals_NC: "Tensor") -> "Tensor":
        """Return a number of every sample, [N], whose mean is the error."""


class InUnits:
    """A metric of another library, or of a user's, that gets outputs and targets in the units of the data, float64.

    Args:
        metric: what is asked for everything else.
        scale_1C: [1, C] what targets were divided by.
        shift_1C: [1, C] what was subtracted before.
    """

    def __init__(self, metric: Metric, scale_1C: "Tensor", shift_1C: "Tensor") -> None:
        self._metric, self._scale_1C, self._shift_1C = metric, scale_1C, shift_1C

    def update(self, outputs_BC: "Tensor", y_B: "Tensor", /) -> None:
        """Take in a batch of scaled outputs [B, C] and targets [B, C]."""
        self._metric.update(self._unscaled(outputs_BC), self._unscaled(y_B))

    def to(self, device: "torch.device") -> "InUnits":
        """Return the same metric on a device."""
        moved = self._metric.to(device) if hasattr(self._metric, "to") else self._metric
        return InUnits(moved, self._scale_1C, self._shift_1C)

    def __getattr__(self, name: str) -> Any:
        """Return what the metric says of itself."""
        if name == "_metric" or name.startswith("__"):  # a copy in the making has none, and how to copy it is its own
            raise AttributeError(name)
        return getattr(self._metric, name)

    def _unscaled(self, values_BC: "Tensor") -> "Tensor":
        import torch

        wide = torch.float32 if values_BC.device.type == "mps" else torch.float64  # it has no float64
        scale_1C, shift_1C = (each.to(values_BC.device, wide) for each in (self._scale_1C, self._shift_1C))
        return values_BC.to(wide) * scale_1C + shift_1C


def in_units(metric: Metric, scale_1C: "Tensor", shift_1C: "Tensor") -> Metric:
    """Return a metric that measures in the units of the data whose targets were scaled.

    Args:
        metric: of a regression; one with ``unit_free`` does not depend on units.
        scale_1C: [1, C] what targets were divided by.
        shift_1C: [1, C] what was subtracted before.
    """
    if getattr(metric, "unit_free", False):
        return metric
    if isinstance(metric, ErrorMetric):
        metric.in_units(scale_1C)
        return metric
    return InUnits(metric, scale_1C, shift_1C)


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

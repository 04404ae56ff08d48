"""A metric of the steps of sequences."""

from typing import TYPE_CHECKING, Any

from hpsearch.base.steps import label_counts, labelled
from hpsearch.metrics.base import Metric, OutputsMetric

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class StepMetric:
    """A metric of samples, for labels per step: of all steps that have a label, each counting alike.

    Args:
        metric: gets outputs [M, C] and class numbers [M]; it is asked for everything else.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def update(self, outputs_BTC: "Tensor", y_BT: "Tensor", /) -> None:
        """Take in a batch."""
        self.metric.update(*labelled(outputs_BTC, y_BT))

    def compute(self) -> Any:
        """Return the number for all batches so far, or numbers by name."""
        return self.metric.compute()

    def reset(self) -> None:
        """Forget all batches."""
        self.metric.reset()

    def to(self, device: "torch.device") -> "StepMetric":
        """Return the same metric on a device."""
        return StepMetric(self.metric.to(device)) if hasattr(self.metric, "to") else self

    def __getattr__(self, name: str) -> Any:
        """Return what the metric says of itself."""
        if name == "metric" or name.startswith("__"):  # a copy in the making has none, and how to copy it is its own
            raise AttributeError(name)
        return getattr(self.metric, name)


def of_steps(metric: Metric) -> Metric:
    """Return a metric that gets outputs [B, T, C] and class numbers [B, T].

    Args:
        metric: of samples; or of whole sequences, whose attribute ``of_sequences`` says so.
    """
    return metric if getattr(metric, "of_sequences", False) else StepMetric(metric)


def by_sequence(each_M: "Tensor", labels_N: "Tensor") -> "Tensor":
    """Return a number of every sequence whose mean is that of the numbers of all steps.

    A mean over steps is a ratio r of two sums over sequences, of what they add, a, and of their labels, b; the number
    is ``r + (a - r b) / mean(b)``. The variance of its mean is, for many sequences, that of r, whatever the steps of
    one sequence have in common. Source: Cochran, Sampling Techniques, 1977, chapter 6.

    Args:
        each_M: [M] a number of each labelled step, sequence after sequence.
        labels_N: [N] labels of each sequence.

    Returns:
        [N], float64.
    """
    import torch

    each_M, count_N = each_M.double(), labels_N.double()
    of = torch.repeat_interleave(torch.arange(len(labels_N), device=each_M.device), labels_N)
    sums_N = torch.zeros_like(count_N).index_add(0, of, each_M)
    ratio = sums_N.sum() / count_N.sum()
    return ratio + (sums_N - ratio * count_N) / count_N.mean()


def samples_of(metric: Metric, outputs_NTC: "Tensor", y_NT: "Tensor") -> "dict[str, Tensor] | Tensor | None":
    """Return a number of every sequence, [N], or several by name, whose mean is a metric's value; None: there is none.

    Args:
        metric: of steps or of sequences, that needs all outputs at once.
        outputs_NTC: [N, T, C] all outputs.
        y_NT: [N, T] class numbers.
    """
    if not isinstance(metric, StepMetric):
        return metric.samples(outputs_NTC, y_NT) if isinstance(metric, OutputsMetric) else None  # type: ignore[return-value]
    outputs_MC, y_M = labelled(outputs_NTC, y_NT)
    inner, labels_N = metric.metric, label_counts(y_NT)
    found = inner.samples(outputs_MC.double(), y_M) if isinstance(inner, OutputsMetric) else None
    if found is None or hasattr(found, "double"):
        return None if found is None else by_sequence(found, labels_N)  # type: ignore[arg-type]
    return {name: by_sequence(each, labels_N) for name, each in found.items()}

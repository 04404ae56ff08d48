"""What training reports, and sums of it that stay on the device.

Importing this module loads no torch: a driver checks the objective's metric against `reported`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from hpsearch.base.errors import ConfigError, nearest
from hpsearch.base.types import Objective

if TYPE_CHECKING:
    from torch import Tensor

LOOP = ("lr", "grad_norm", "update_ratio", "epoch_sec", "samples_per_sec")
"""What the loop reports of an epoch besides the metrics of each part of the data."""

CLASSIFICATION = ("f1", "auroc", "top_K")
"""Metrics of a classification that are computed when asked for; K is a number."""

REGRESSION = ("rmse", "mae", "r2")

SMALLER_IS_BETTER = ("loss", "rmse", "mae", "penalty")


def is_share(metric: str) -> bool:
    """Return whether a metric, with or without its part of the data, lies between 0 and 1: acc, f1, auroc, top_K."""
    return re.fullmatch(r"acc|f1|auroc|top_[1-9]\d*", metric.rpartition("/")[2]) is not None


def names(task: str) -> tuple[str, ...]:
    """Return the metrics of one part of the data that are means over its samples.

    Args:
        task: ``classification`` or ``regression``.

    Returns:
        ``loss``, the mean of the configured loss, and for a classification ``acc``, the share of samples whose
        largest output is that of their class.
    """
    return ("loss", "acc") if task == "classification" else ("loss",)


def wholes(task: str, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the metrics of one part that need all its outputs at once.

    Args:
        task: ``classification`` or ``regression``.
        asked: ``trainer.metrics``.

    Returns:
        Those asked for; for a regression `REGRESSION` in any case.

    Raises:
        ConfigError: for one that the task has not got.
    """
    known = CLASSIFICATION if task == "classification" else REGRESSION
    for name in asked:
        if re.sub(r"^top_[1-9]\d*$", "top_K", name) not in known:
            hint = nearest(name, known)
            raise ConfigError(f"trainer.metrics: '{name}' is none of a {task}'s ({', '.join(known)}){hint}")
    return tuple(dict.fromkeys((*(() if task == "classification" else REGRESSION), *asked)))


def reported(
    task: str, test: bool, asked: Sequence[str] = (), penalty: bool = False, gpu: bool = False
) -> tuple[str, ...]:
    """Return the names of everything a trial reports per epoch.

    Args:
        task: ``classification`` or ``regression``.
        test: whether the test part is evaluated.
        asked: ``trainer.metrics``.
        penalty: whether regularizers add to the loss.
        gpu: whether it trains on a GPU.

    Returns:
        ``train/loss``, ``valid/loss`` and so on, then `LOOP`, ``train/penalty`` and ``gpu_memory_mib`` if they are.
    """
    parts = ("train", "valid", "test") if test else ("train", "valid")
    own = (*names(task), *wholes(task, asked))
    more = [name for name, present in (("train/penalty", penalty), ("gpu_memory_mib", gpu)) if present]
    return (*(f"{part}/{name}" for part in parts for name in own), *LOOP, *more)


def followed(metric: str | None, objective: Objective) -> tuple[str, bool]:
    """Return the metric that something follows, and whether larger is better.

    Args:
        metric: its name; None: the objective's.
        objective: what the search optimizes.

    Returns:
        Name and direction.
    """
    if metric is None or metric == objective.metric:
        return objective.metric, objective.maximize
    return metric, metric.rpartition("/")[2] not in SMALLER_IS_BETTER


def batch_sums(task: str, loss: "Tensor", outputs_BC: "Tensor", y_B: "Tensor") -> "Tensor":
    """Sum each metric of `names` over the samples of a batch, without waiting for the device.

    Args:
        task: ``classification`` or ``regression``.
        loss: 0-d mean loss of the batch.
        outputs_BC: [B, C] what the model returned; one column of a classification is the logit of class 1 of two.
        y_B: [B] class numbers, or [B, C] targets.

    Returns:
        [M] float32 sums in the order of `names`; add them up over batches of any size, then call `means`.
    """
    import torch

    sums = [loss.detach().float() * len(y_B)]
    if task == "classification":
        sums.append((_classes(outputs_BC.detach()) == y_B).sum().float())
    return torch.stack(sums)


def means(task: str, sums: "Tensor", count: int) -> dict[str, float]:
    """Turn sums over samples into means; this waits for the device, once.

    Args:
        task: ``classification`` or ``regression``.
        sums: [M] sums of `batch_sums`.
        count: number of samples they are over.

    Returns:
        Mean by name.
    """
    return {name: total / count for name, total in zip(names(task), sums.tolist(), strict=True)}


def of_outputs(asked: Sequence[str], outputs: Iterable["Tensor"], targets: Iterable["Tensor"]) -> dict[str, float]:
    """Compute metrics of a whole part from all its outputs; this waits for the device, once.

    Args:
        asked: names from `wholes`.
        outputs: [B, C] of each batch.
        targets: [B] class numbers or [B, C] targets of each batch.

    Returns:
        Value by name; nan where a metric is not defined.
    """
    import torch

    if not asked:
        return {}
    outputs_NC, y = torch.cat([part.detach() for part in outputs]), torch.cat(list(targets))
    if outputs_NC.device.type == "mps":  # it has no float64
        outputs_NC, y = outputs_NC.cpu(), y.cpu()
    outputs_NC = outputs_NC.double()
    values = [
        _top(int(name[4:]), outputs_NC, y) if name[:4] == "top_" else _WHOLE[name](outputs_NC, y) for name in asked
    ]
    return dict(zip(asked, torch.stack(values).tolist(), strict=True))


def check_outputs(task: str, asked: Sequence[str], columns: int) -> None:
    """Refuse a ``top_K`` of more outputs than there are.

    Args:
        task: ``classification`` or ``regression``.
        asked: ``trainer.metrics``.
        columns: outputs of the model.

    Raises:
        ConfigError: naming it.
    """
    for name in wholes(task, asked):
        if name[:4] == "top_" and int(name[4:]) > max(columns, 2):
            raise ConfigError(f"trainer.metrics: '{name}', but there are {max(columns, 2)} classes")


def _classes(outputs_BC: "Tensor") -> "Tensor":
    return outputs_BC.argmax(1) if outputs_BC.shape[1] > 1 else (outputs_BC[:, 0] > 0).long()


def _logits(outputs_NC: "Tensor") -> "Tensor":
    """Return a column per class: one sigmoid unit is a softmax over (0, its logit)."""
    import torch

    return outputs_NC if outputs_NC.shape[1] > 1 else torch.cat((torch.zeros_like(outputs_NC), outputs_NC), 1)


def _top(k: int, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
    """Share of samples whose class is among the k largest outputs."""
    return (_logits(outputs_NC).topk(k, 1).indices == y_N[:, None]).any(1).double().mean()


def _f1(outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
    """Mean over the classes that occur or are predicted of 2 TP / (2 TP + FP + FN)."""
    import torch

    classes = torch.arange(_logits(outputs_NC).shape[1], device=y_N.device)
    predicted_NC, true_NC = _classes(outputs_NC)[:, None] == classes, y_N[:, None] == classes
    hits = (predicted_NC & true_NC).sum(0).double()
    cases = predicted_NC.sum(0) + true_NC.sum(0)
    return (2 * hits / cases.clamp(min=1)).sum() / (cases > 0).sum()


def _auroc(outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
    """Area under the curve of hits against false alarms, by ranks; of several classes the mean of each.

    Classes that are all or none of the samples are left out.

    Returns:
        0-d area, nan when no class is left.
    """
    import torch

    scores_NC = _logits(outputs_NC).log_softmax(1)
    classes = [1] if scores_NC.shape[1] == 2 else range(scores_NC.shape[1])
    areas = []
    for c in classes:
        score, positive = scores_NC[:, c].contiguous(), (y_N == c).double()
        ordered = score.sort().values
        rank = (torch.searchsorted(ordered, score) + torch.searchsorted(ordered, score, right=True) + 1) / 2
        count = positive.sum()
        pairs = count * (len(y_N) - count)
        areas.append(((rank * positive).sum() - count * (count + 1) / 2) / pairs)
    return torch.stack(areas).nanmean()


def _rmse(outputs_NC: "Tensor", y_NC: "Tensor") -> "Tensor":
    return (outputs_NC - y_NC).square().mean().sqrt()


def _mae(outputs_NC: "Tensor", y_NC: "Tensor") -> "Tensor":
    return (outputs_NC - y_NC).abs().mean()


def _r2(outputs_NC: "Tensor", y_NC: "Tensor") -> "Tensor":
    """Share of the targets' variance that is explained, the mean over outputs."""
    y = y_NC.double()
    return (1 - (outputs_NC - y).square().sum(0) / (y - y.mean(0)).square().sum(0)).mean()


_WHOLE: Mapping[str, Callable[["Tensor", "Tensor"], "Tensor"]] = {
    "f1": _f1,
    "auroc": _auroc,
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
}

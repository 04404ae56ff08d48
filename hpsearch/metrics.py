"""What training reports, and sums of it that stay on the device.

Importing this module loads no torch: a driver checks the objective's metric against `reported`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LOOP = ("lr", "grad_norm", "update_ratio", "epoch_sec", "samples_per_sec")
"""What the loop reports of an epoch besides the metrics of each part of the data."""


def names(task: str) -> tuple[str, ...]:
    """Return the metrics of one part of the data.

    Args:
        task: ``classification`` or ``regression``.

    Returns:
        ``loss``, the mean of the configured loss, and for a classification ``acc``, the share of samples whose
        largest output is that of their class.
    """
    return ("loss", "acc") if task == "classification" else ("loss",)


def reported(task: str, test: bool) -> tuple[str, ...]:
    """Return the names of everything a trial reports per epoch.

    Args:
        task: ``classification`` or ``regression``.
        test: whether the test part is evaluated.

    Returns:
        ``train/loss``, ``valid/loss`` and so on, then `LOOP`.
    """
    parts = ("train", "valid", "test") if test else ("train", "valid")
    return tuple(f"{part}/{name}" for part in parts for name in names(task)) + LOOP


def batch_sums(task: str, loss: "Tensor", outputs_BC: "Tensor", y_B: "Tensor") -> "Tensor":
    """Sum each metric over the samples of a batch, without waiting for the device.

    Args:
        task: ``classification`` or ``regression``.
        loss: 0-d mean loss of the batch.
        outputs_BC: [B, C] what the model returned.
        y_B: [B] class numbers, or [B, C] targets.

    Returns:
        [M] float32 sums in the order of `names`; add them up over batches of any size, then call `means`.
    """
    import torch

    sums = [loss.detach().float() * len(y_B)]
    if task == "classification":
        sums.append((outputs_BC.detach().argmax(1) == y_B).sum().float())
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

"""Losses that torch has not got, or not for class numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hpsearch.base.errors import ConfigError, check_float


class BinaryCrossEntropy(nn.Module):
    """Binary cross-entropy of the sigmoid of each output, the mean over samples and outputs.

    One output is the logit of class 1 of two (logistic regression); C outputs are C questions, class c or not.

    Args:
        label_smoothing: share s of each target spread evenly over yes and no: y becomes y (1 - s) + s / 2.
        pos_weight: factor on the loss of a yes; None is 1.
    """

    def __init__(self, label_smoothing: float = 0.0, pos_weight: float | None = None) -> None:
        super().__init__()
        check_float("loss.label_smoothing", label_smoothing, "[0, 1]")
        if pos_weight is not None:
            check_float("loss.pos_weight", pos_weight, "(0, inf)")
        self.label_smoothing = label_smoothing
        self.pos_weight: Tensor | None
        self.register_buffer("pos_weight", None if pos_weight is None else torch.tensor(pos_weight), persistent=False)

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the 0-d loss of outputs [B, C] for class numbers [B] or shares [B, C]."""
        shares = class_shares(outputs, y)
        if outputs.shape[1] == 1:
            shares = shares[:, 1:]
        smoothed = shares * (1 - self.label_smoothing) + self.label_smoothing / 2
        return functional.binary_cross_entropy_with_logits(outputs, smoothed, pos_weight=self.pos_weight)


class Focal(nn.Module):
    """Focal loss: cross-entropy that looks away from what is easy, the mean over samples.

    With p the softmax of the outputs (of one output: its sigmoid and the rest) and y the shares of the classes::

        sum_c  weight_c * y_c * (1 - p_c) ** gamma * -log p_c

    gamma = 0 is cross-entropy. Source: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.

    Args:
        gamma: focusing parameter.
        weight: factor per class, the alpha of the paper; None is 1 for all.
    """

    def __init__(self, gamma: float = 2.0, weight: Sequence[float] | None = None) -> None:
        super().__init__()
        check_float("loss.gamma", gamma, "[0, inf)")
        for place, each in enumerate(weight or ()):
            check_float(f"loss.weight[{place}]", each, "[0, inf)")
        self.gamma = gamma
        self.weight: Tensor | None
        self.register_buffer("weight", None if weight is None else torch.tensor(weight), persistent=False)

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the 0-d loss of outputs [B, C] for class numbers [B] or shares [B, C]."""
        shares = class_shares(outputs, y)
        logits = outputs if outputs.shape[1] > 1 else torch.cat((torch.zeros_like(outputs), outputs), 1)
        log_p = logits.log_softmax(1)
        terms = shares * (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny) ** self.gamma * -log_p
        return (terms if self.weight is None else terms * self.weight).sum(1).mean()


def class_shares(outputs: Tensor, y: Tensor) -> Tensor:
    """Return targets as a share of every class.

    Args:
        outputs: [B, C] what a model returned; one column stands for two classes.
        y: [B] class numbers, or [B, classes] shares, which are returned as they are.

    Returns:
        [B, classes] in the dtype of `outputs`.
    """
    if y.ndim > 1:
        return y.to(outputs.dtype)
    classes = torch.arange(max(outputs.shape[1], 2), device=y.device)
    return (y[:, None] == classes).to(outputs.dtype)


def check_fit(loss: nn.Module, outputs: Tensor, y: Tensor, task: str, num_outputs: int) -> None:
    """Refuse outputs that do not fit the labels: on a GPU, a loss would bring the process down.

    Args:
        loss: the loss; torch's cross-entropy needs one output per class.
        outputs: what the model returned for a batch.
        y: the batch's targets.
        task: ``classification`` or ``regression``.
        num_outputs: number of classes, or of targets.

    Raises:
        ConfigError: naming both sizes.
    """
    found = tuple(outputs.shape)
    if outputs.ndim != 2 or len(outputs) != len(y):
        raise ConfigError(f"model: gives outputs of shape {found} for {len(y)} samples, must be ({len(y)}, outputs)")
    if task == "regression" and found != tuple(y.shape):
        raise ConfigError(f"model: gives {found[1]} outputs, the data has {num_outputs} targets")
    if task == "regression" and isinstance(loss, nn.CrossEntropyLoss | BinaryCrossEntropy | Focal):
        raise ConfigError(f"loss: {type(loss).__name__} is for classes, the data has numbers to predict: loss=mse")
    if task == "classification" and isinstance(loss, nn.MSELoss | nn.L1Loss | nn.SmoothL1Loss | nn.HuberLoss):
        raise ConfigError(f"loss: {type(loss).__name__} is for numbers, the data has classes: loss=cross_entropy")
    if task == "classification" and found[1] != num_outputs and (found[1], num_outputs) != (1, 2):
        raise ConfigError(f"model: gives {found[1]} outputs, the labels have {num_outputs} classes")
    if task == "classification" and found[1] == 1 and isinstance(loss, nn.CrossEntropyLoss):
        raise ConfigError(
            "loss: cross-entropy needs one output per class, the model gives 1: loss=binary_cross_entropy"
        )
    weight = getattr(loss, "weight", None)
    if task == "classification" and isinstance(weight, Tensor) and len(weight) != num_outputs:
        raise ConfigError(f"loss.weight: {len(weight)} weights, but there are {num_outputs} classes")

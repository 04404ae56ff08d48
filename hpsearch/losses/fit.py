"""Whether a loss, a model's outputs and the labels fit together."""

from collections.abc import Mapping

from torch import Tensor, nn

from hpsearch.base.errors import ConfigError
from hpsearch.base.steps import labelled, per_step
from hpsearch.losses.binary_cross_entropy import BinaryCrossEntropy
from hpsearch.losses.class_weights import plain_loss
from hpsearch.losses.focal import Focal
from hpsearch.losses.hinge import Hinge
from hpsearch.losses.perceptron import Perceptron
from hpsearch.losses.squared_error import SquaredError
from hpsearch.losses.steps import StepLoss

_OF_CLASSES = (nn.CrossEntropyLoss, BinaryCrossEntropy, Focal, Hinge, Perceptron)


def loss_of(loss: nn.Module, model: nn.Module, task: str) -> nn.Module:
    """Return the loss that a model is trained with on data of a task.

    Args:
        loss: as configured.
        model: one that is what it is by its loss says so in ``trained_by``: the class's path by the option's name.
        task: ``classification`` or ``regression``.

    Returns:
        The loss; of the mean squared error that of numbers or that of classes.

    Raises:
        ConfigError: with that loss the model would be another one.
    """
    trained_by: Mapping[str, str] = getattr(model, "trained_by", {})
    if trained_by and f"{type(loss).__module__}.{type(loss).__qualname__}" not in trained_by.values():
        fitting = " or ".join(f"loss={name}" for name in trained_by)
        raise ConfigError(
            f"loss: {type(loss).__name__}, but a {type(model).__name__} is trained with {fitting}; a linear layer with "
            "another loss is model=softmax or model=logistic"
        )
    return loss.of_numbers() if task == "regression" and isinstance(loss, SquaredError) else loss


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
    if per_step(y):
        if outputs.ndim != 3 or outputs.shape[:2] != y.shape:
            shapes = f"{tuple(outputs.shape)} for labels of shape {tuple(y.shape)}"
            raise ConfigError(
                f"model: gives outputs of shape {shapes}, one for each word: must be ({len(y)}, {y.shape[1]}, outputs)"
            )
        outputs, y = labelled(outputs, y)
    loss = loss.loss if isinstance(loss, StepLoss) else loss
    found, plain = tuple(outputs.shape), plain_loss(loss)
    if outputs.ndim != 2 or len(outputs) != len(y):
        raise ConfigError(f"model: gives outputs of shape {found} for {len(y)} samples, must be ({len(y)}, outputs)")
    if task == "regression" and found != tuple(y.shape):
        raise ConfigError(f"model: gives {found[1]} outputs, the data has {num_outputs} targets")
    if task == "regression" and isinstance(plain, _OF_CLASSES):
        raise ConfigError(f"loss: {type(plain).__name__} is for classes, the data has numbers to predict: loss=mse")
    if task == "classification" and isinstance(loss, nn.MSELoss | nn.L1Loss | nn.SmoothL1Loss | nn.HuberLoss):
        instead = "loss=mse" if isinstance(loss, nn.MSELoss) else "loss=cross_entropy"
        raise ConfigError(f"loss: {type(loss).__name__} is for numbers, the data has classes: {instead}")
    if task == "classification" and found[1] != num_outputs and (found[1], num_outputs) != (1, 2):
        raise ConfigError(f"model: gives {found[1]} outputs, the labels have {num_outputs} classes")
    if task == "classification" and found[1] == 1 and isinstance(plain, nn.CrossEntropyLoss):
        raise ConfigError(
            "loss: cross-entropy needs one output per class, the model gives 1: loss=binary_cross_entropy"
        )
    weight = getattr(loss, "weight", None)
    if task == "classification" and isinstance(weight, Tensor) and len(weight) != num_outputs:
        raise ConfigError(f"loss.weight: {len(weight)} weights, but there are {num_outputs} classes")

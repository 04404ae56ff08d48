"""What can be measured of a trial before it is trained: its first loss, what gradients reach, whether it repeats."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from hpsearch.base.errors import ConfigError
from hpsearch.base.steps import labelled, labels
from hpsearch.losses.binary_cross_entropy import BinaryCrossEntropy
from hpsearch.losses.class_weights import plain_loss
from hpsearch.losses.constants import best_margins, constant_outputs, margin_of
from hpsearch.losses.fit import check_fit
from hpsearch.losses.focal import Focal
from hpsearch.losses.squared_error import SIGMOID, SquaredError
from hpsearch.losses.steps import StepLoss
from hpsearch.regularizers import L2
from hpsearch.trial.build import fitting, prepare
from hpsearch.trial.finetune import DIGEST
from hpsearch.trial.job import Job
from hpsearch.trial.updates import take_steps, trained_parameters

MOST_STEPS = 20
"""Batches whose mean the first loss is, at most."""
LOOKED_AT = 256
"""Rows whose outputs are looked at."""
FEW = 8
"""Rows by which it is checked that outputs fit the targets."""
ROUNDING = 1e-4
"""Relative difference of two float32 results that are the same in exact arithmetic."""
PROBE_STRENGTH = 1e-3
"""Of the L2 penalty that is added where no penalty is configured."""


@dataclass(frozen=True, slots=True)
class InitialLoss:
    """The loss before the first update, and what it should be.

    Attributes:
        task: ``classification`` or ``regression``.
        loss: mean over the first batches, as training sees them, without penalties and without any update.
        zero: loss of outputs that are all 0: ln C for cross-entropy; for mean squared error the mean square of targets.
        guess: least loss of a constant output: the entropy of the classes' shares for cross-entropy, the variance of
            the targets for mean squared error.
        loud: of a loss of classes that is not in nats, that of normal outputs of a standard deviation that is too
            large, times the margin if it has one; infinite where it has no scale of its own, as the perceptron's; None
            of other losses.
        outputs_std: standard deviation of the outputs.
        summed: loss of a batch repeated twice over that of the batch: 1 of a mean, 2 of a sum.
        normalized: whether the outputs are probabilities already, while the loss normalizes them itself.
        alike: weights of hidden layers whose units are copies of one another and get equal gradients.
        weights: root mean square of the trained weights.
        penalty: what regularization adds; of an L2 penalty of strength `PROBE_STRENGTH` where none is configured.
        single: batch normalization layers that would be given one sample at a time.
        pretrained: whether the weights come from a checkpoint.
    """

    task: str
    loss: float
    zero: float
    guess: float
    loud: float | None
    outputs_std: float
    summed: float
    normalized: bool
    alike: tuple[str, ...]
    weights: float
    penalty: float
    single: tuple[str, ...]
    pretrained: bool


@dataclass(frozen=True, slots=True)
class Isolation:
    """What reaches what, in evaluation mode.

    Attributes:
        model_leak: largest gradient of an output with respect to another sample's input, over that with respect to its
            own.
        loss_leak: how much the gradient with respect to a sample's output changes with the other samples' outputs,
            relative to it.
        repeat: difference of two evaluations of the same batch, relative to the largest output.
        company: difference of evaluating samples alone and within a larger batch, relative to the largest output.
        frozen: parameters that require no gradient although fine-tuning froze none of their modules.
        unreached: trained parameters that the loss does not depend on.
        forgotten: trained parameters that the optimizer was not given.
        training: modules that stay in training mode when the model is told to evaluate.
        batch_norms: layers of batch normalization, which mix samples in training mode by design.
    """

    model_leak: float
    loss_leak: float
    repeat: float
    company: float
    frozen: tuple[str, ...]
    unreached: tuple[str, ...]
    forgotten: tuple[str, ...]
    training: tuple[str, ...]
    batch_norms: int


def initial_loss(job: Job, samples: int, spread: float = 3**0.5) -> InitialLoss:
    """Measure the loss before any update.

    Args:
        job: the trial.
        samples: the mean is over so many batches that they hold this many samples, at most `MOST_STEPS`.
        spread: standard deviation of outputs that are too large.

    Returns:
        What was measured; the loss is nan where a layer of batch normalization refuses its batches.
    """
    x, y = first_rows(job, LOOKED_AT)
    with torch.no_grad():
        job.model.eval()
        outputs = job.model(x)
        doubled = job.loss(torch.cat([outputs, outputs]), torch.cat([y, y])) / job.loss(outputs, y)
        outputs, _ = labelled(outputs, y)
        zero, guess = _constants(job, outputs)
        loud = _loud(job, outputs, spread)
    single = tuple(_single(job))
    losses = [math.nan] if single else _first_losses(job, samples)
    return InitialLoss(
        task=job.splits.task,
        loss=math.fsum(losses) / len(losses),
        zero=zero,
        guess=guess,
        loud=loud,
        outputs_std=float(outputs.std()),
        summed=float(doubled),
        normalized=_normalized(job, x, outputs),
        alike=() if single else tuple(_alike(job.model)),
        weights=_size(job.model),
        penalty=_penalty(job),
        single=single,
        pretrained=DIGEST in job.facts,
    )


def gradient_isolation(job: Job, samples: int) -> Isolation:
    """Measure which inputs the gradients of an output reach, and whether evaluation is one.

    Everything is done in evaluation mode: batch normalization mixes the samples of a training batch by design.

    Args:
        job: the trial.
        samples: in the batch that is looked at.

    Returns:
        What was measured.
    """
    x, y = first_rows(job, samples)
    job.model.eval()
    with torch.no_grad():
        first, again, alone = job.model(x), job.model(x), job.model(x[: (len(x) + 1) // 2])
    size = float(first.abs().max().clamp_min(torch.finfo(first.dtype).tiny))
    named = dict(job.model.named_parameters())
    given = {id(parameter) for group in job.optimizer.param_groups for parameter in group["params"]}
    meant = {id(parameter) for module in job.frozen for parameter in module.parameters()}
    return Isolation(
        model_leak=_model_leak(job.model, x),
        loss_leak=_loss_leak(job.loss, first, y),
        repeat=float((first - again).abs().max()) / size,
        company=float((first[: len(alone)] - alone).abs().max()) / size,
        frozen=tuple(name for name, p in named.items() if not p.requires_grad and id(p) not in meant),
        unreached=tuple(_unreached(job, x, y)),
        forgotten=tuple(name for name, p in named.items() if p.requires_grad and id(p) not in given),
        training=tuple(name for name, module in job.model.named_modules() if name and module.training),
        batch_norms=sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in job.model.modules()),
    )


def determinism(config: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """Build and train a configuration twice.

    Args:
        config: a trial's resolved configuration.
        steps: updates of each run.

    Returns:
        ``losses`` of both runs by step, ``same_weights`` after them, ``passes`` over the training split, ``device``.
    """
    with fitting():
        job, again = prepare(config), prepare(config)
        losses, weights = zip(trace(job, steps), trace(again, steps), strict=True)
    same, passes = weights[0] == weights[1], 2 * steps / job.steps_per_epoch
    return {"losses": losses, "same_weights": same, "passes": passes, "device": job.device.type}


def trace(job: Job, steps: int) -> tuple[list[float], str]:
    """Train some steps at the rates of the schedule.

    Args:
        job: the trial; its model and its optimizer are changed.
        steps: updates.

    Returns:
        The loss of each step, and the SHA-256 of the weights after them.
    """
    first_rows(job, FEW)
    table = job.table.lr.tolist()
    losses = take_steps(job, [table[min(step, len(table) - 1)] for step in range(steps)], lambda _: False)
    digest = hashlib.sha256()
    for value in job.model.state_dict().values():
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes() if value.ndim else b"")
    return losses, digest.hexdigest()


def first_rows(job: Job, count: int) -> tuple[Tensor, Tensor]:
    """Return the first rows of the training split, after checking that the outputs fit the targets.

    Raises:
        ConfigError: no parameter is trained, or the inputs are dicts of tensors.
    """
    if isinstance(job.splits.in_shape, dict):
        raise ConfigError(
            "data: its inputs are dicts of tensors, which no stage of the recipe looks at; train or search"
        )
    if not trained_parameters(job):
        raise ConfigError(f"model: {type(job.model).__name__} has no parameter to train")
    rows = torch.arange(min(count, len(job.splits.train)), device=job.device)
    ((x, y),) = job.splits.train.batches(rows, len(rows), job.seed)
    with torch.no_grad():
        job.model.eval()
        check_fit(job.loss, job.model(x), y, job.splits.task, job.splits.num_outputs)
    return x, y


def plain(job: Job) -> Job:
    """Return a trial without penalties, constraints, mixing and augmentation."""
    return replace(job, regularizers={}, constraints=(), mixing=None, augment=None)


def _first_losses(job: Job, samples: int) -> list[float]:
    steps = min(MOST_STEPS, math.ceil(samples / job.batching.size))
    return take_steps(plain(job), [0.0] * steps, lambda _: False)


def _constants(job: Job, outputs: Tensor) -> tuple[float, float]:
    """Return the loss of outputs that are 0, and the least loss of a constant output."""
    y = labels(job.splits.train.y[:10_000].to(job.device))
    zeros = outputs.new_zeros(len(y), outputs.shape[1])
    constants = constant_outputs(y, zeros.shape[1], job.splits.task) + best_margins(job.loss, y, zeros.shape[1])
    zero, *others = (float(job.loss(zeros + each, y)) for each in constants)
    return zero, min(zero, *others)


def _loud(job: Job, outputs: Tensor, spread: float) -> float | None:
    """Return the loss of outputs that are large and know nothing; None of a loss in nats, or of numbers."""
    margin = margin_of(job.loss)
    if margin is None and not isinstance(_inner(job.loss), SquaredError):
        return None
    if margin == 0:
        return math.inf
    y = labels(job.splits.train.y[:10_000].to(job.device))
    drawn = torch.randn((len(y), outputs.shape[1]), generator=torch.Generator().manual_seed(0)).to(outputs)
    return float(job.loss(spread * (margin or 1.0) * drawn, y))


def _inner(loss: nn.Module) -> nn.Module:
    """Return the loss of a sample or a step, without what only training is told."""
    return plain_loss(loss.loss if isinstance(loss, StepLoss) else loss)


def _normalized(job: Job, x: Tensor, outputs: Tensor) -> bool:
    """Whether outputs are probabilities although the loss takes logits."""
    loss = _inner(job.loss)
    sigmoids = isinstance(loss, SquaredError) and loss.outputs == SIGMOID
    if isinstance(loss, nn.CrossEntropyLoss | Focal | SquaredError) and outputs.shape[1] > 1 and not sigmoids:
        return bool((outputs >= 0).all() and ((outputs.sum(1) - 1).abs() < 1e-3).all())
    if not isinstance(loss, BinaryCrossEntropy) and not sigmoids:
        return False
    with torch.no_grad():
        wider = [job.model(1000 * x), job.model(-1000 * x)] if x.is_floating_point() else []
    stretched = torch.cat([outputs, *wider])
    return bool((stretched >= 0).all() and (stretched <= 1).all() and stretched.std() > 0)


def _alike(model: nn.Module) -> Iterator[str]:
    """Yield the weights of hidden layers whose rows are equal, and have equal gradients and biases."""
    for name, module, weight in _weights(model)[:-1]:
        bias = getattr(module, "bias", None)
        apart = isinstance(bias, Tensor) and bias.ndim == 1 and not _same_rows(bias)
        if len(weight) == 1 or weight.grad is None or apart:
            continue
        if _same_rows(weight.detach()) and _same_rows(weight.grad):
            yield name


def _weights(model: nn.Module) -> list[tuple[str, nn.Module, Tensor]]:
    return [
        (f"{path}.{name}".lstrip("."), module, parameter)
        for path, module in model.named_modules()
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.ndim > 1 and parameter.requires_grad
    ]


def _size(model: nn.Module) -> float:
    values = [weight.detach().flatten() for _, _, weight in _weights(model)]
    return float(torch.cat(values).square().mean().sqrt()) if values else 0.0


def _same_rows(values: Tensor) -> bool:
    return bool((values - values[:1]).abs().max() <= ROUNDING * values.abs().max())


def _penalty(job: Job) -> float:
    regularizers = job.regularizers or {"l2": L2(strength=PROBE_STRENGTH, bias_and_norm=True)}
    with torch.no_grad():
        return math.fsum(float(each.penalty(trained_parameters(job))) for each in regularizers.values())


def _single(job: Job) -> Iterator[str]:
    """Yield the layers of batch normalization that a batch of one sample is given to."""
    still = {id(inner) for module in job.frozen for inner in module.modules()}
    rest = job.batching.rows % job.batching.size
    for name, module in job.model.named_modules():
        if not isinstance(module, nn.modules.batchnorm._BatchNorm) or id(module) in still:
            continue
        if job.batching.size == 1 or (rest == 1 and isinstance(module, nn.BatchNorm1d)):
            yield name


def _model_leak(model: nn.Module, x: Tensor) -> float:
    worst = 0.0
    with torch.backends.cudnn.flags(enabled=False):  # its recurrent layers have no gradient in evaluation mode
        outputs, inputs = _outputs_and_inputs(model, x)
        for row in {0, len(x) // 2}:
            (gradient,) = torch.autograd.grad(outputs[row].sum(), inputs, retain_graph=True, allow_unused=True)
            if gradient is None:
                break
            size = gradient.abs().flatten(1).amax(1)
            own, others = float(size[row]), float(torch.cat([size[:row], size[row + 1 :], size.new_zeros(1)]).max())
            worst = max(worst, others / own if own else math.inf if others else 0.0)
    return worst


def _outputs_and_inputs(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the outputs, and what gradients are taken with respect to: the inputs, or the vectors of words."""
    if x.is_floating_point():
        inputs = x.clone().requires_grad_()
        return model(inputs), inputs
    vectors: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        vectors.append(output.detach().requires_grad_())
        return vectors[-1]

    handles = [module.register_forward_hook(keep) for module in model.modules() if isinstance(module, nn.Embedding)]
    try:
        outputs = model(x)
    finally:
        for handle in handles:
            handle.remove()
    return outputs, vectors[0] if vectors else x.double().requires_grad_()


def _loss_leak(loss: nn.Module, outputs: Tensor, y: Tensor) -> float:
    """Compare the gradient of the first sample's output before and after the others' outputs change."""
    noise = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(0)).to(outputs)
    noise[0] = 0
    before, after = (_output_gradient(loss, each, y)[0] for each in (outputs, outputs + noise))
    return float((before - after).abs().max() / before.abs().max().clamp_min(torch.finfo(before.dtype).tiny))


def _output_gradient(loss: nn.Module, outputs: Tensor, y: Tensor) -> Tensor:
    at = outputs.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(at, y), at)
    return gradient


def _unreached(job: Job, x: Tensor, y: Tensor) -> Sequence[str]:
    named = trained_parameters(job)
    with torch.backends.cudnn.flags(enabled=False):
        loss = job.loss(job.model(x), y)
        gradients = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True)
    return [name for (name, _), gradient in zip(named, gradients, strict=True) if gradient is None]

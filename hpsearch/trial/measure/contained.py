"""A small sample learnt by models that a model contains: where one learns it better, the model could, and does not.

A larger model can do what each of them does (identities in the layers that these lack), so a higher training loss is a
failure of the optimization, not of what the model can express (He et al., Deep residual learning, CVPR 2016, figure 1).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.trial.build import prepare
from hpsearch.trial.measure.short_runs import overfit_small, small_sample

OURS = "hpsearch.models."
LINEAR = f"{OURS}linear."
"""The module of models that are one linear layer."""
_NOT_LINEAR = ("mlp_of_size", "pretrained", "torchvision", "timm", "transformers", "polynomial")
"""Modules of models of which nothing is known to be contained: a shallower one of a given size is wider."""
_CONVEX = ("CrossEntropyLoss", "BinaryCrossEntropy", "L1Loss", "HuberLoss", "Hinge", "Perceptron")
"""Classes of losses that are convex in the outputs; the squared error is one of numbers, not of probabilities."""


@dataclass(frozen=True, slots=True)
class Form:
    """How well a contained model learns the sample.

    Attributes:
        words: what makes it, as on a command line.
        loss: the lowest at the end of a run, in evaluation mode; infinite where every run diverged.
        fitted: whether the goal was reached.
    """

    words: str
    loss: float
    fitted: bool


@dataclass(frozen=True, slots=True)
class Contained:
    """What models learn of the sample that a model contains.

    Attributes:
        forms: the larger first, up to the first that reaches the goal.
        convex: whether the model is one linear layer and its loss convex: training has no minimum but the lowest.
        contradicting: samples with the inputs of another one and another target.
        passes: over as many samples as the training split has, of all runs together.
    """

    forms: tuple[Form, ...]
    convex: bool
    contradicting: int
    passes: float


def contained(config: Mapping[str, Any], samples: int, steps: int, factors: Sequence[float], goal: float) -> Contained:
    """Train what a trial's model contains on the small sample of `hpsearch.trial.measure.short_runs.overfit_small`.

    Args:
        config: the trial's resolved configuration.
        samples: see `overfit_small`, as the others.
        steps: updates at most, at each rate.
        factors: on the configured rate.
        goal: share of the guess's loss below which a regression is fitted.

    Returns:
        What they learn; no forms where none is known to be contained.
    """
    job = prepare(config)
    small = small_sample(job, samples)
    found: list[Form] = []
    passes = 0.0
    of_words, of_weights = bool(job.splits.vocabulary), config["finetune"].get("source") is not None
    known = [] if of_weights else forms(config["model"], job.splits.in_shape, job.splits.num_outputs, of_words)
    for words, model in known:
        learnt = overfit_small(prepare({**config, "model": model}), samples, steps, factors, goal)
        passes += learnt.passes
        finals = [run.final for run in learnt.runs if not run.diverged]
        found.append(Form(words, min(finals, default=math.inf), learnt.runs[-1].fitted))
        if found[-1].fitted:
            break
    loss = str(config["loss"]["_target_"]).rpartition(".")[2]
    is_convex = loss in _CONVEX or (loss == "SquaredError" and job.splits.task == "regression")
    is_linear = str(config["model"]["_target_"]).startswith(LINEAR)
    return Contained(tuple(found), is_linear and is_convex, _contradicting(*small), passes)


def forms(
    model: Mapping[str, Any], in_shape: Sequence[int] | Mapping[str, Any], num_outputs: int, of_words: bool = False
) -> list[tuple[str, dict[str, Any]]]:
    """Return the models that a model contains: one about half as deep, and one linear layer on the inputs.

    A multilayer perceptron contains one with fewer of its layers where none of those left out is narrower than what
    reaches it; a linear layer where no hidden layer is narrower than twice the inputs or the outputs, whichever are
    fewer (``x = relu(x) - relu(-x)``). Convolutional and other networks of ours contain the linear layer nearly, where
    their hidden layers are wide enough.

    Args:
        model: its options.
        in_shape: shape of one input; of inputs of several parts, which no linear layer reads, by name.
        num_outputs: number of outputs.
        of_words: whether the inputs are words, which no linear layer reads.

    Returns:
        For each, what to say of it and its options; empty for a linear model and for one that is not of ours.
    """
    target = str(model["_target_"])
    if not target.startswith(OURS) or target.startswith(LINEAR) or target.split(".")[2] in _NOT_LINEAR:
        return []
    found: list[tuple[str, dict[str, Any]]] = []
    hidden = model.get("hidden")
    widths = [hidden] if isinstance(hidden, int) else [*(hidden or ())]
    change = shallower(model)
    kept = change.get("model.hidden")
    if change and (kept is None or (kept and min(widths[len(kept) :]) >= kept[-1])):
        ((key, value),) = change.items()
        options = {**model, key.removeprefix("model."): value}
        if isinstance(options.get("dropout"), list):
            options["dropout"] = 0.0  # nothing is dropped here, and a list has the rate of every layer
        found.append((f"{key}={value}".replace(" ", ""), options))
    if of_words or isinstance(in_shape, Mapping):
        return found
    if all(width >= 2 * min(math.prod(in_shape), num_outputs) for width in widths):
        found.append(("one linear layer", {"_target_": f"{LINEAR}LinearRegression", "_partial_": True}))
    return found


def shallower(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the key and the value that make a model about half as deep.

    Args:
        model: its options.

    Returns:
        The change, under the first of ``hidden`` (a list of widths), ``layers``, ``depth`` (numbers), ``blocks`` (a
        list of counts) that can be made smaller; empty where none can.
    """
    for key in ("hidden", "layers", "depth", "blocks"):
        value = model.get(key)
        if key == "hidden" and isinstance(value, Sequence) and len(value):
            return {f"model.{key}": list(value[: len(value) // 2])}
        if isinstance(value, int) and value > 1 and key != "hidden":
            return {f"model.{key}": value // 2}
        if key == "blocks" and isinstance(value, Sequence) and any(each > 1 for each in value):
            return {f"model.{key}": [max(1, each // 2) for each in value]}
    return {}


def _contradicting(x: Any, y: Any) -> int:
    """Return how many samples have the inputs of another one and another target."""
    targets: dict[bytes, set[bytes]] = {}
    keys = [row.numpy().tobytes() for row in x.cpu().contiguous()]
    for key, target in zip(keys, y.cpu().contiguous(), strict=True):
        targets.setdefault(key, set()).add(target.numpy().tobytes())
    return sum(len(targets[key]) > 1 for key in keys)

"""Whether a state that was read is one of an optimizer."""

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


def unlike(state: Any, optimizer: Optimizer) -> str:
    """Return why a state is none of an optimizer: of other parameters, another class, or another shape; else nothing.

    An optimizer keeps nothing larger than the parameter that it is for, and a file may say that a few bytes are many.
    """
    try:
        if not isinstance(state, Mapping) or not isinstance(state["param_groups"], list):
            return "it is damaged"
        groups, own = optimizer.param_groups, optimizer.state_dict()["param_groups"]
        if [group["params"] for group in own] != [group["params"] for group in state["param_groups"]]:
            return "it has other parameters"
        if [group.keys() for group in groups] != [group.keys() for group in state["param_groups"]]:
            return "it has other hyperparameters"
        if not all(map(_alike, groups, state["param_groups"])):
            return "it has hyperparameters of other kinds"
        sizes = [each.numel() for group in groups for each in group["params"]]
        kept = [(number, each) for number, held in state["state"].items() for each in held.values()]
        if any(isinstance(each, Tensor) and each.numel() > max(sizes[number], 1) for number, each in kept):
            return "it has parameters of other shapes"
        usual = _kept_after_a_step(optimizer, state["param_groups"])
        if not all(_like_usual(held, usual[number]) for number, held in state["state"].items() if number in usual):
            return "it keeps something else of a parameter"
    except (KeyError, IndexError, TypeError, AttributeError, RuntimeError):
        return "it is damaged"
    return ""


def _like_usual(held: Mapping[str, Any], usual: Mapping[str, Any]) -> bool:
    """Return whether something that is kept of a parameter is all there, tensors of the same shape and kind."""

    def kind(value: Any) -> Any:
        return (value.shape, value.is_floating_point()) if isinstance(value, Tensor) else None

    return not held or all(name in held and kind(held[name]) == kind(value) for name, value in usual.items())


def _alike(group: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether the hyperparameters of two groups of parameters are of the same kinds, numbers all being one."""

    def kind(value: Any) -> Any:
        if isinstance(value, tuple | list):
            return [kind(each) for each in value]
        return float if type(value) is int else type(value)

    return all(kind(value) == kind(other[name]) for name, value in group.items() if name != "params")


def _kept_after_a_step(optimizer: Optimizer, groups: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """Return what an optimizer keeps of each parameter after its first step.

    The step is done by a copy, on parameters of the same shapes that hold no numbers.

    Args:
        optimizer: stays as it is.
        groups: hyperparameters of each group of its parameters.

    Returns:
        What is kept, by name, by the number of the parameter; empty where the optimizer cannot work without numbers.
    """
    probe = copy.copy(optimizer)
    shapes = [[torch.empty_like(each, device="meta") for each in group["params"]] for group in optimizer.param_groups]
    parameters = [each.requires_grad_() for inner in shapes for each in inner]
    try:
        probe.state = defaultdict(dict)
        probe.param_groups = [{**group, "params": inner} for group, inner in zip(groups, shapes, strict=True)]
        for each in parameters:
            each.grad = torch.zeros_like(each)
        probe.step()
    except Exception:  # an optimizer of anybody's, or hyperparameters of a damaged file
        return {}
    return {number: dict(probe.state[each]) for number, each in enumerate(parameters)}

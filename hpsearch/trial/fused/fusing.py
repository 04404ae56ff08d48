"""Which trials are trained as one program: those that share everything a program is made of."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import TypeAlias
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from hpsearch.data.part import Split
from hpsearch.nn import stacked
from hpsearch.optim import rules
from hpsearch.trial.checkpoint import Progress
from hpsearch.trial.engine import Engine
from hpsearch.trial.fused.group import Group
from hpsearch.trial.fused.member import Member, Single
from hpsearch.trial.job import Job
from hpsearch.trial.layers import LayerWatch
from hpsearch.trial.updates import first_batches

Key: TypeAlias = tuple[Hashable, ...]
_groups: WeakValueDictionary[Key, Group] = WeakValueDictionary()
_faults: dict[Key, str] = {}


def group_of(job: Job, most: int, convolution: str = "auto") -> Callable[[Job, Progress, LayerWatch], Engine]:
    """Return what trains a trial with the others of its batching key in this process.

    Args:
        job: the trial, one without a `fault`.
        most: widest group.
        convolution: how it computes its convolutions, see `hpsearch.trial.fused.choosing.Choice`.
    """
    key = key_of(job)
    group = _groups.get(key) or Group(most, convolution=convolution)
    _groups[key] = group
    return partial(Member, group)


def group_of_one() -> Callable[[Job, Progress, LayerWatch], Engine]:
    """Return what trains a trial by itself, in the way of groups."""
    return partial(Single, Group(1))


def group_again(widths: Sequence[int]) -> Callable[[Job, Progress, LayerWatch], Engine]:
    """Return what trains a recorded trial by the path that it took.

    Args:
        widths: how many were trained together in each epoch.
    """
    return partial(Member, Group(1, widths))


def key_of(job: Job) -> Key:
    """Return what trials must have in common to be trained as one program.

    Everything else may differ: rates, coefficients of the optimizer, schedule, strengths of penalties, smoothing of
    labels, blending, rates of dropout, limits of the gradient, seed, initialization, augmentation, order, fold and
    number of epochs.
    """
    splits, trainer, batching = job.splits, job.trainer, job.batching
    parts = tuple(None if part is None else len(part) for part in (splits.train, splits.valid, splits.test))
    penalties = tuple(sorted((name, type(each).__qualname__) for name, each in job.regularizers.items()))
    return (
        _frozen(stacked.architecture(job.model)),
        rules.structure_of(job.optimizer),
        (batching.rows, batching.size, str(splits.train.device), splits.train.in_shape, parts),
        (trainer.precision, trainer.eval_batch_size, trainer.deterministic, trainer.channels_last, trainer.graph),
        (f"{type(job.loss).__module__}.{type(job.loss).__qualname__}", splits.task, job.mixing is not None),
        penalties,
    )


def fault(job: Job) -> str:
    """Return why a trial is trained by itself; empty: it can be trained with others.

    Args:
        job: the trial, whose model stays as it is.
    """
    if reason := _shape_fault(job) or rules.fault(job.optimizer, _momenta(job)):
        return reason
    key = key_of(job)
    if key not in _faults:
        x, _ = next(first_batches(job, 1))
        _faults[key] = stacked.fault(job.model, x) or _precision_fault(job, x)
    return _faults[key]


def _shape_fault(job: Job) -> str:
    """Return what of a trial the fused loop has no form for."""
    plain = {
        "data.loader_workers": not all(
            part is None or isinstance(part, Split) for part in (job.splits.train, job.splits.valid, job.splits.test)
        ),
        "inputs by name": isinstance(job.splits.in_shape, dict),
        "an average of weights": job.averaging is not None,
        "frozen layers": bool(job.frozen),
        "data.micro_batch": job.batching.micro is not None or job.batching.auto,
        "trainer.compile": job.trainer.compile,
        "float64, which Apple's GPU lacks": job.device.type == "mps",
        "nothing is trained": not job.epochs,
    }
    return next((reason for reason, found in plain.items() if found), "")


def _precision_fault(job: Job, x: Tensor) -> str:
    """Return why two copies of a model do not train together in the precision of its trial; empty: they do."""
    if job.trainer.precision == "float32":
        return ""
    reason = stacked.fault(job.model, x, torch.bfloat16)
    return reason and f"{job.trainer.precision}: {reason}"


def _momenta(job: Job) -> list[float]:
    momenta: Tensor | None = job.table.momentum
    return [] if momenta is None else momenta[:1].tolist()


def _frozen(described: object) -> Hashable:
    return repr(described)

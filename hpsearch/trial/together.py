"""Whether a trial is trained together with others. Importing this module loads no torch."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.base import current
from hpsearch.base.errors import ConfigError
from hpsearch.base.types import TrialSpec
from hpsearch.base.widths import FUSE, widths_of

if TYPE_CHECKING:
    from hpsearch.trial.checkpoint import Progress
    from hpsearch.trial.engine import Engine
    from hpsearch.trial.job import Job
    from hpsearch.trial.layers import LayerWatch


def engine_of(spec: TrialSpec, job: "Job") -> "Callable[[Job, Progress, LayerWatch], Engine]":
    """Return what trains a trial: its worker's group of those like it, where that was chosen.

    Args:
        spec: the trial.
        job: the same, built.

    Raises:
        ConfigError: it is to be trained as it was together with others, and cannot be.
    """
    if spec.width == 1 and not spec.replayed:
        return _alone(job)
    from hpsearch.trial.fused import choosing, fusing

    if spec.replayed:
        if reason := fusing.fault(job):
            raise ConfigError(f"{FUSE} = {spec.replayed}: a trial like this is trained by itself: {reason}")
        return fusing.group_again(widths_of(spec.replayed, job.epochs))
    choice = choosing.choice_of(job, Path(spec.folder).parents[1], spec.width, current.process.fuse == "auto")
    return _alone(job) if choice.width == 1 else fusing.group_of(job, min(choice.width, spec.width), choice.convolution)


def _alone(job: "Job") -> "Callable[[Job, Progress, LayerWatch], Engine]":
    """Return what trains a trial by itself: the plain loop, or a group of one where the device is to repeat its steps.

    Raises:
        ConfigError: it is to, and its steps cannot be repeated.
    """
    from hpsearch.trial.engine import Alone
    from hpsearch.trial.fused import fusing

    if job.trainer.graph is not True:
        return Alone
    if reason := fusing.fault(job):
        raise ConfigError(f"trainer.graph = True: the steps of a trial like this cannot be repeated: {reason}")
    return fusing.group_of_one()

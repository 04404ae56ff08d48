"""The average of a trial's weights: kept beside the weights that are trained, evaluated in their place."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.nn.dropout import advance
from hpsearch.trial.checkpoint import Averaged
from hpsearch.trial.groups import Groups
from hpsearch.trial.job import Job
from hpsearch.trial.updates import outputs_of, torch_state, trained_parameters, training_batches, training_mode


def with_averaging(job: Job) -> Job:
    """Return a trial with the rates of its averaging, and the fact that says which weights its numbers are of.

    Args:
        job: the trial.

    Raises:
        ConfigError: it is too short for its averaging, or has two rates.
    """
    if job.averaging is None or not job.epochs:
        return job
    rule, lr = job.averaging.rule(job.extent), job.averaging.rates(job.table.lr, job.extent)
    if job.plateau is not None and lr is not job.table.lr:
        raise ConfigError(
            f"regularizer.{job.averaging.option}.lr: the schedule's rate follows {job.plateau.metric}; use null"
        )
    return replace(job, table=replace(job.table, lr=lr), facts={**job.facts, "weights": f"averaged ({rule})"})


class Average:
    """What `hpsearch.regularizers.Averaging` says, done: the trained parameters are averaged after updates.

    Buffers are not averaged. Those of batch normalization, whose statistics do not fit averaged weights, are renewed
    before an evaluation by a pass over the training part in the order of the epoch they are averaged in last, as
    `torch.optim.swa_utils.update_bn` does: the mean of the statistics of all batches, of inputs augmented but not
    mixed, with dropout. Frozen layers keep theirs, and all other buffers are those of the weights that are trained.

    Args:
        job: the trial; without an averaging nothing is done.
        groups: how many samples go through its model at once.
        kept: the average so far, of a trial that is gone on with; one by another rule begins anew.

    Attributes:
        kept: the average so far; None without an averaging.
    """

    def __init__(self, job: Job, groups: Groups, kept: Averaged | None) -> None:
        self._job, self._groups, self.kept = job, groups, None
        if job.averaging is None or not job.epochs:
            return
        rule = job.averaging.rule(job.extent)
        self.kept = kept if kept is not None and kept.rule == rule else Averaged(rule)
        for name, value in self.kept.weights.items():
            self.kept.weights[name] = value.to(job.device)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the present weights into the average, as far as its rule says.

        Args:
            step: updates so far.
        """
        kept, job = self.kept, self._job
        if kept is None or job.averaging is None:
            return
        share = job.averaging.share(step, kept.count, job.extent)
        if not share:
            return
        named = dict(trained_parameters(job))
        if kept.count:
            torch._foreach_lerp_([kept.weights[name] for name in named], list(named.values()), share)
        else:
            kept.weights = {name: value.detach().clone() for name, value in named.items()}
        kept.count += 1
        kept.epoch = -(-step // job.steps_per_epoch)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Have the averaged weights in the model inside the block, if there are any yet."""
        kept, model = self.kept, self._job.model
        if kept is None or not kept.count:
            yield
            return
        live = {**dict(trained_parameters(self._job)), **dict(model.named_buffers())}
        trained = {name: value.detach().clone() for name, value in live.items()}
        try:
            _copy(kept.weights, live)
            if kept.renewed != kept.count:
                kept.weights |= self._renewed(kept.epoch)
                kept.renewed = kept.count
                _copy(trained, {name: live[name] for name in live.keys() - kept.weights.keys()})
            yield
        finally:
            _copy(trained, live)

    def _renewed(self, epoch: int) -> dict[str, torch.Tensor]:
        """Renew the statistics of batch normalization for the weights in the model, and return them."""
        job = self._job
        training_mode(job)
        norms = {
            name: module
            for name, module in job.model.named_modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training and module.track_running_stats
        }
        if not norms:
            return {}
        momenta = {module: module.momentum for module in norms.values()}
        try:
            for module in momenta:
                module.reset_running_stats()
                module.momentum = None
            with torch_state(job, epoch), torch.no_grad():
                for step, (x, y) in enumerate(training_batches(job, epoch)):
                    advance(job.model, step)
                    self._groups.train(partial(outputs_of, job, x, len(y)))
        finally:
            for module, momentum in momenta.items():
                module.momentum = momentum
        return {
            f"{name}.{buffer}" if name else buffer: value.clone()
            for name, module in norms.items()
            for buffer, value in module.named_buffers()
        }


@torch.no_grad()
def _copy(values: dict[str, torch.Tensor], into: dict[str, torch.Tensor]) -> None:
    for name, tensor in into.items():
        if name in values:
            tensor.copy_(values[name])

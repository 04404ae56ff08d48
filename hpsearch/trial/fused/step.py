"""One optimizer update of every member of a group at once.

Axes: K member, B sample, C output.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hpsearch.base.errors import out_of_memory
from hpsearch.losses.class_weights import plain_loss
from hpsearch.losses.members import MemberLosses, member_losses
from hpsearch.nn.dropout import Dropout
from hpsearch.nn.stacked import EVERYONE, Stacked
from hpsearch.optim.clipping import member_clipping, member_norms
from hpsearch.optim.rules import rule_of
from hpsearch.regularizers.max_norm import member_constraints
from hpsearch.regularizers.penalties import member_penalties
from hpsearch.trial.groups import free_memory
from hpsearch.trial.job import Job


@dataclass(frozen=True, slots=True)
class JointStep:
    """What a step of all members gave, on the device.

    Attributes:
        y: [K, B] class numbers or [K, B, C] targets, before any mixing.
        outputs: [K, B, C], before the update.
        loss: [K], the one that is trained on, without penalties.
        plain: [K], without weights and smoothing.
        penalty: [K] of the regularizers; None where there are none.
    """

    y: Tensor
    outputs: Tensor
    loss: Tensor
    plain: Tensor
    penalty: Tensor | None


class _PartFailed(Exception):
    """Memory does not suffice for the members from `start` on."""

    def __init__(self, start: int, error: Exception) -> None:
        super().__init__(start)
        self.start, self.error = start, error


class Update:
    """Forward pass, backward pass and optimizer update of K trials of one architecture.

    The loss is the sum over members of their own mean losses and penalties, so that the gradient of each is what it is
    alone. Where memory runs out, members go through the model in parts, and stay so; a single one for which it does not
    suffice fails, and the others do not notice.

    Args:
        jobs: the trials, of one batching key.
        stack: their models.

    Attributes:
        at_once: members that go through the model together.
        failed: members for which memory does not suffice even alone, and the error; they are not trained.
    """

    def __init__(self, jobs: Sequence[Job], stack: Stacked) -> None:
        self.at_once = len(jobs)
        self.failed: dict[int, Exception] = {}
        self._jobs, self._stack = jobs, stack
        self._named = [(name, each) for name, each in stack.parameters.items() if each.requires_grad]
        self._parameters = [each for _, each in self._named]
        models = [dict(job.model.named_parameters()) for job in jobs]
        self._own = [[(name, model[name]) for name, _ in self._named] for model in models]
        own = [[parameter for _, parameter in each] for each in self._own]
        self._rule = rule_of([job.optimizer for job in jobs], own, self._parameters)
        plain = [plain_loss(job.loss) for job in jobs]
        weighted = any(each is not job.loss for each, job in zip(plain, jobs, strict=True))
        self._plain = member_losses(plain) if weighted else None
        self._constrain = member_constraints([job.constraints for job in jobs])
        self._losses: dict[int, MemberLosses] = {}
        self._penalties = [member_penalties([job.regularizers[name] for job in jobs]) for name in jobs[0].regularizers]
        norms, values = zip(*((job.trainer.clip_norm, job.trainer.clip_value) for job in jobs), strict=True)
        self._clip = member_clipping(norms, values, jobs[0].device)
        self._bf16 = jobs[0].trainer.precision == "bf16"
        self._drops = any(isinstance(each, Dropout) for each in jobs[0].model.modules())
        moving = (each for each in jobs[0].model.named_modules() if not isinstance(each[1], Dropout))
        names = [f"{name}.{own}" if name else own for name, each in moving for own, _ in each.named_buffers("", False)]
        self._moving = [stack.buffers[name] for name in names]

    def forward(self, x: Tensor, members: slice = EVERYONE, shared: bool = False) -> Tensor:
        """Return the outputs [K, B, C] of some members, in float32 whatever the precision.

        Args:
            x: [K, B, ...] inputs of these members; `shared`: [B, ...], the same ones for all.
            members: which.
            shared: see `x`.
        """
        if not self._bf16:
            return self._stack(x, members, shared)
        with torch.autocast(x.device.type, torch.bfloat16):
            outputs = self._stack(x, members, shared)
        return outputs.float()

    def backward(self, x: Tensor, y: Tensor, targets: Tensor, done_K: Tensor) -> JointStep | None:
        """Put the gradient of every member's penalized loss into the stacked parameters.

        Args:
            x: [K, B, ...] inputs.
            y: [K, B] class numbers or [K, B, C] targets.
            targets: the same, after any mixing.
            done_K: updates of each member so far.

        Returns:
            What it gave; None where memory suffices for none of the members.
        """
        if self._drops:
            self._stack.advance(done_K)
        while True:
            try:
                return self._in_parts(x, y, targets)
            except _PartFailed as failure:
                if self.at_once == 1:
                    self.failed[failure.start] = failure.error
                if len(self.failed) == len(x):
                    return None
                self.at_once = (self.at_once + 1) // 2
            free_memory()

    def _in_parts(self, x: Tensor, y: Tensor, targets: Tensor) -> JointStep:
        for each in self._parameters:
            each.grad = None
        penalty = self._penalty()
        if penalty is not None and penalty.requires_grad:
            torch.autograd.backward(penalty.sum())
        with self._restored_on_error():
            given = [self._part(x, targets, start) for start in range(0, len(x), self.at_once)]
        outputs, loss = (torch.cat(each) if len(each) > 1 else each[0] for each in _whole(given))
        with torch.no_grad():
            plain = loss if self._plain is None else self._plain(outputs, targets)
        return JointStep(y, outputs, loss, plain, None if penalty is None else penalty.detach())

    def _part(self, x: Tensor, targets: Tensor, start: int) -> tuple[Tensor, Tensor] | None:
        """Return outputs and losses of members from `start` on, whose gradients are added; None of one that failed."""
        if self.at_once == 1 and start in self.failed:
            return None
        members = slice(start, start + self.at_once) if self.at_once < len(x) else EVERYONE
        try:
            outputs = self.forward(x[members], members)
            loss = self._loss_of(start)(outputs, targets[members])
            torch.autograd.backward(loss.sum())
        except Exception as error:
            if out_of_memory(error):
                raise _PartFailed(start, error) from error
            raise
        return outputs.detach(), loss.detach()

    def _loss_of(self, start: int) -> MemberLosses:
        """Return the losses of the members that go through the model together, from the first of them."""
        key = start * (len(self._jobs) + 1) + self.at_once
        if key not in self._losses:
            self._losses[key] = member_losses([job.loss for job in self._jobs[start : start + self.at_once]])
        return self._losses[key]

    def _penalty(self) -> Tensor | None:
        """Return [K] the sum of the penalties."""
        total = None
        for penalty in self._penalties:
            each = penalty(self._named)
            total = each if total is None else total + each
        return total

    @contextmanager
    def _restored_on_error(self) -> Iterator[None]:
        """Put back what a forward pass moves, such as the running statistics of normalization layers."""
        before = [each.clone() for each in self._moving]
        try:
            yield
        except Exception:
            for buffer, value in zip(self._moving, before, strict=True):
                buffer.copy_(value)
            raise

    @torch.no_grad()
    def update(self, lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Clip the gradients, let the optimizers step, and apply the constraints.

        Args:
            lr_K: learning rates, float64.
            momentum_K: momenta, where schedules move them.
        """
        self._clip([each.grad for each in self._parameters if each.grad is not None])
        self._rule.step(lr_K, momentum_K)
        if self._constrain is not None:
            self._constrain(self._named)
            return
        for job, own in zip(self._jobs, self._own, strict=True):
            for constraint in job.constraints:
                constraint.apply_(own)

    @torch.no_grad()
    def measured(self, lr_K: Tensor, momentum_K: Tensor | None) -> Tensor:
        """Update, and return [K, 3] what `hpsearch.trial.watch.measured` does of each member."""
        return self._measured_by(self.update, lr_K, momentum_K)

    def _measured_by(
        self, update: Callable[[Tensor, Tensor | None], None], lr_K: Tensor, momentum_K: Tensor | None
    ) -> Tensor:
        gradients = member_norms([each.grad for each in self._parameters if each.grad is not None])
        before = [each.clone() for each in self._parameters]
        update(lr_K, momentum_K)
        changes = torch._foreach_sub([each.detach() for each in self._parameters], before)
        return torch.stack((gradients, member_norms(list(changes)), member_norms(before)), 1)

    def lend_gradients(self, member: int) -> None:
        """Give the parameters of a member's own model their gradients, for whoever looks at them there."""
        for (_, own), stacked in zip(self._own[member], self._parameters, strict=True):
            own.grad = None if stacked.grad is None else stacked.grad[member]


def _whole(given: Sequence[tuple[Tensor, Tensor] | None]) -> Iterator[list[Tensor]]:
    """Yield the outputs and the losses of all parts; of members that failed, zeros and nan."""
    outputs, loss = next(each for each in given if each is not None)
    failed = torch.zeros_like(outputs[:1]), torch.full_like(loss[:1], torch.nan)
    for place in range(2):
        yield [(each or failed)[place] for each in given]


def copied(job: Job) -> Job:
    """Return a trial with a model and an optimizer of its own, as they are now."""
    model, optimizer = copy.deepcopy((job.model, job.optimizer))
    return replace(job, model=model, optimizer=optimizer)

"""Updates of a group that its device repeats by itself, so that Python and kernel launches take no time."""

from collections.abc import Hashable, Sequence
from functools import partial

import torch
from torch import Tensor

from hpsearch.nn.stacked import Stacked, architecture
from hpsearch.trial.accelerator import Accelerator, Graphs, Tensors, accelerator
from hpsearch.trial.fused.step import JointStep, Update
from hpsearch.trial.job import Job


def update_of(jobs: Sequence[Job], stack: Stacked) -> Update:
    """Return what trains the members of a group: by graphs where the trainer and the device say so.

    Args:
        jobs: the trials, of one batching key.
        stack: their models.
    """
    device = accelerator(jobs[0].device)
    return GraphedUpdate(jobs, stack, device) if jobs[0].trainer.graph and device.captures else Update(jobs, stack)


class GraphedUpdate(Update):
    """Updates of a group, the first of each size of batch as `Update` makes them, the others captured and repeated.

    A graph reads inputs and rates from places of its own and leaves the gradients in places of its own. The backward
    pass and the update are graphs apart, so that somebody may look at the gradients between them. Rates and momenta
    are tensors: a schedule leads to no second capture. Groups are made anew when members come or go, and their graphs
    with them: of an architecture that the device knows that costs one update as `Update` makes it, and the captures.

    Args:
        jobs: the trials, of one batching key.
        stack: their models.
        device: what captures.
    """

    def __init__(self, jobs: Sequence[Job], stack: Stacked, device: Accelerator) -> None:
        super().__init__(jobs, stack)
        self._device = device
        alike, strict = repr(architecture(jobs[0].model)), jobs[0].trainer.graph is True
        self._backwards, self._updates, self._measurements = (
            Graphs(device, each, (each.__name__, alike), strict)
            for each in (self._backward_once, self._update_once, self._measure_once)
        )
        self._gradients: dict[Hashable, list[Tensor | None]] = {}
        self._at: Hashable = None

    def backward(self, x: Tensor, y: Tensor, targets: Tensor, done_K: Tensor) -> JointStep | None:
        """Put the gradient of every member's penalized loss into the stacked parameters, see `Update.backward`."""
        key = self.at_once, x.shape, targets.shape
        graph = None if self.failed else self._backwards.of(key, x, targets, done_K)
        if graph is None:
            self._at = None
            return self._device.aside(partial(super().backward, x, y, targets, done_K))
        self._at = key
        given = graph(x, targets, done_K)
        for weight, gradient in zip(self._parameters, self._gradients[key], strict=True):
            weight.grad = gradient
        return JointStep(y, *given)  # type: ignore[arg-type]  # in the order of its fields

    def _backward_once(self, x: Tensor, targets: Tensor, done_K: Tensor) -> Tensors:
        if self._drops:
            self._stack.advance(done_K)
        step = self._in_parts(x, targets, targets)
        self._gradients[self.at_once, x.shape, targets.shape] = [weight.grad for weight in self._parameters]
        return step.outputs, step.loss, step.plain, step.penalty

    @torch.no_grad()
    def update(self, lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Clip the gradients, let the optimizers step, and apply the constraints, see `Update.update`."""
        graph = None if self._at is None else self._updates.of(self._at, lr_K, momentum_K)
        if graph is None:
            self._device.aside(partial(super().update, lr_K, momentum_K))
        else:
            graph(lr_K, momentum_K)

    def _update_once(self, lr_K: Tensor, momentum_K: Tensor | None) -> Tensors:
        super().update(lr_K, momentum_K)
        return ()

    @torch.no_grad()
    def measured(self, lr_K: Tensor, momentum_K: Tensor | None) -> Tensor:
        """Update, and return [K, 3] what `hpsearch.trial.watch.measured` does of each member."""
        graph = None if self._at is None else self._measurements.of(self._at, lr_K, momentum_K)
        if graph is None:
            (norms,) = self._device.aside(partial(self._measure_once, lr_K, momentum_K))
        else:
            (norms,) = graph(lr_K, momentum_K)
        assert norms is not None, "it is measured"
        return norms

    def _measure_once(self, lr_K: Tensor, momentum_K: Tensor | None) -> Tensors:
        return (self._measured_by(super().update, lr_K, momentum_K),)

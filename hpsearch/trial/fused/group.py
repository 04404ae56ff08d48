"""The members of a group: who is trained together, from one place at which one of them is evaluated to the next.

Axes: K member, B sample, C output.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from hpsearch.base.errors import out_of_memory
from hpsearch.nn.stacked import EVERYONE, Stacked
from hpsearch.trial.engine import part_of
from hpsearch.trial.fused.graphed import update_of
from hpsearch.trial.fused.joint import Joint
from hpsearch.trial.fused.member import Member
from hpsearch.trial.fused.step import Update, copied
from hpsearch.trial.groups import free_memory
from hpsearch.trial.job import Job
from hpsearch.trial.layers import LayerWatch
from hpsearch.trial.updates import torch_state, training_mode

EVALUATED = {False: 2**13, True: 2**17}
"""Samples of all members together that are evaluated at once, on the host and on a GPU."""


class Group:
    """Trials of one batching key that are trained as one program.

    Whoever leaves makes room where the next epoch begins, and whoever joined enters there, so that the width stays
    full. What a member becomes does not depend on the others.

    Args:
        most: widest it may be; further members wait for room.
        widths: of each epoch of a single member, which is trained beside copies of itself: so it takes the same path
            again. None: of whoever is there.
        convolution: how convolutions are computed, a key of `hpsearch.nn.stacked_rules.CONVOLUTIONS`.
    """

    def __init__(self, most: int, widths: Sequence[int] | None = None, convolution: str = "auto") -> None:
        self.most, self._widths, self._convolution = most, widths, convolution
        self._members: list[Member] = []
        self._jobs: list[Job] = []
        self._joined: list[Member] = []
        self._built: tuple[Stacked, Update]
        self._joint: Joint | None = None
        self._outputs: dict[str, list[tuple[Tensor, Sequence[Tensor]]] | None] = {}

    def join(self, member: Member) -> None:
        """Take a member in where the next epoch begins."""
        self._joined.append(member)

    def advance(self) -> None:
        """Train until a member that waits can go on; not while one does something itself."""
        active = self._active
        if any(member.target is None for member in active):
            return
        if not active or self._joint is None or self._joint.place == self._joint.steps:
            self._begin()
        if self._joint is not None:
            self._train(self._joint)

    def _train(self, joint: Joint) -> None:
        targets = {k: member.target for k, member in enumerate(self._members) if member in self._active}
        place = min(target for target in targets.values() if target is not None)
        self._outputs = {}
        first = self._members[0].job
        training_mode(first)
        self._built[0].follow(first.model)
        with torch_state(first, 1):
            joint.train_to(place, [k for k, target in targets.items() if target == place])

    @property
    def _active(self) -> list[Member]:
        """The members that are trained further."""
        return [member for member in self._members if member.present and member.current.error is None]

    def _begin(self) -> None:
        """Let whoever left make room for whoever joined, and begin an epoch."""
        active, joined = self._active, [member for member in self._joined if member.present]
        room = max(0, self.most - len(active))
        members, self._joined = [*active, *joined[:room]], joined[room:]
        width = self._width(members)
        if members != self._members or width != len(self._jobs):
            self._members, self._jobs, self._joint = members, [member.job for member in members], None
            if members:
                self._jobs += [copied(members[0].job) for _ in range(width - len(members))]
                stack = Stacked([job.model for job in self._jobs], self._convolution)
                self._built = stack, update_of(self._jobs, stack)
        if members:
            self._joint = self._joined_passes(width)

    def _joined_passes(self, width: int) -> Joint:
        """Return the passes of all members, and of copies of the first where there are more places."""
        first, copies = self._members[0], range(width - len(self._members))
        watch = LayerWatch(first.job.model, first.job.folder, 0, None, active=False)
        passes = [member.current for member in self._members]
        for each in passes:
            each.width = width
        passes += [passes[0].copied(self._jobs[len(self._members) + place], watch) for place in copies]
        layers = [*(member.layers for member in self._members), *(watch for _ in copies)]
        return Joint(self._jobs, passes, layers, self._built[1])

    def _width(self, members: Sequence[Member]) -> int:
        """Return how many are trained together: the members, or as many as there were when one of them was recorded."""
        if self._widths is None or not members:
            return len(members)
        return self._width_in(members[0].current.number)

    def _width_in(self, epoch: int) -> int:
        assert self._widths is not None, "only a recorded trial knows"
        return self._widths[epoch - 1] if epoch <= len(self._widths) else 0

    def is_plain(self, epoch: int) -> bool:
        """Return whether a recorded trial was trained by the plain loop in an epoch."""
        return self._widths is not None and self._width_in(epoch) == 0

    def part(self, member: Member) -> None:
        """Go on without a member, until it joins again."""
        self._members = [each for each in self._members if each is not member]
        self._jobs, self._joint = [], None

    def outputs(self, member: Member, part: str) -> Iterator[tuple[Tensor, Tensor]] | None:
        """Return outputs [B, C] and targets of each batch of a part of the data, for a member that stands still.

        Args:
            member: which.
            part: of the data.

        Returns:
            None where memory does not suffice for every single one of the members.
        """
        k = self._members.index(member)
        if part not in self._outputs:
            self._outputs[part] = self._tried(part)
        given = self._outputs[part]
        return None if given is None else ((outputs_KBC[k], y[k]) for outputs_KBC, y in given)

    def _tried(self, part: str) -> list[tuple[Tensor, Sequence[Tensor]]] | None:
        try:
            return list(self._evaluated(part))
        except Exception as error:
            if not out_of_memory(error):
                raise
        free_memory()
        return None

    @torch.no_grad()
    def _evaluated(self, part: str) -> Iterator[tuple[Tensor, Sequence[Tensor]]]:
        """Yield outputs [K, B, C] of all members, and their targets."""
        stack, update = self._built
        splits = [part_of(job, part) for job in self._jobs]
        shared, size = all(split is splits[0] for split in splits), self._jobs[0].trainer.eval_batch_size
        stack.train(False)
        if shared:
            for x, y in splits[0].in_order(size):
                yield _in_parts(update, x, len(splits), True), [y] * len(splits)
        else:
            for batches in zip(*(split.in_order(size) for split in splits), strict=True):
                x = torch.stack([each for each, _ in batches])
                yield _in_parts(update, x, len(splits), False), [y for _, y in batches]


def _in_parts(update: Update, x: Tensor, width: int, shared: bool) -> Tensor:
    """Return outputs [K, B, C], of so many members at once as `EVALUATED` allows, of fewer where memory runs out."""
    at_once = max(1, EVALUATED[x.device.type == "cuda"] // (len(x) if shared else x.shape[1]))
    while True:
        starts = range(0, width, at_once)
        parts = [slice(start, start + at_once) for start in starts] if at_once < width else [EVERYONE]
        try:
            return torch.cat([update.forward(x if shared else x[part], part, shared) for part in parts])
        except Exception as error:
            if at_once == 1 or not out_of_memory(error):
                raise
        at_once = (at_once + 1) // 2
        free_memory()

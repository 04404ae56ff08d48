"""A device that captures, without a GPU: what a CUDA graph would do, on the processor."""

from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from hpsearch.trial.accelerator import Host, Result

aten = torch.ops.aten
HOST_COPIES = {aten.lift_fresh.default, aten.lift_fresh_copy.default}
BATCH_NORM = {aten.native_batch_norm.default, aten.cudnn_batch_norm.default}


class Tape(TorchDispatchMode):
    """Keeps every operation with the tensors and the numbers that it was called with.

    As in a capture nothing changes: what works in place waits for the first replay. What reads a number back, or makes
    a tensor of numbers of Python, which a GPU would have to be sent, is refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if _waits(func, args):
            raise RuntimeError(f"{func} while a graph is captured")
        if func._schema.is_mutable:
            self.calls.append((func, args, kwargs, None))
            return _written(func, args, kwargs) if func._schema.returns else None
        kept = [args[place].clone() for place in (3, 4)] if func in BATCH_NORM and args[3] is not None else []
        result = func(*args, **kwargs)
        for place, value in zip((3, 4), kept, strict=False):  # its schema does not say that it changes these
            args[place].copy_(value)
        self.calls.append((func, args, kwargs, result))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        """Compute everything again, from and into the same places."""
        for func, args, kwargs, before in self.calls:
            after = func(*args, **kwargs)
            if before is None or any(each.alias_info for each in func._schema.returns):
                continue
            for old, new in zip(tree_flatten(before)[0], tree_flatten(after)[0], strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def _waits(func, args):
    """Whether the host would wait for a GPU: for a value, how many there are, or numbers of Python's."""
    sized = torch.Tag.dynamic_output_shape in func.tags
    if func is aten.index.Tensor:
        sized = any(each is not None and each.dtype == torch.bool for each in args[1])
    return sized or torch.Tag.data_dependent_output in func.tags or func in HOST_COPIES


def _written(func, args, kwargs):
    """Return the argument that an operation changes."""
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            return kwargs[argument.name] if argument.name in kwargs else args[place]
    raise AssertionError(func)


class Recording(Host):
    """The processor as a device that captures.

    Attributes:
        asides: calls of `aside`.
        captures_made: calls of `capture`.
        replays: what was replayed, by the number of its capture.
    """

    captures = True

    def __init__(self) -> None:
        super().__init__()
        self.asides, self.captures_made = 0, 0
        self.replays: list[int] = []
        self.fails: Exception | None = None

    def aside(self, run: Callable[[], Result]) -> Result:
        """Count, and compute at once."""
        self.asides += 1
        return run()

    def capture(self, run: Callable[[], Result]) -> tuple[Result, Callable[[], None]]:
        """Record."""
        number, tape = self.captures_made, Tape()
        self.captures_made += 1
        if self.fails is not None:
            raise self.fails
        with tape:
            result = run()

        def replay() -> None:
            self.replays.append(number)
            tape.replay()

        return result, replay

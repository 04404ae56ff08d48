"""What a kind of device does beside computing: generators, waiting, memory, and work that it repeats by itself."""

import gc
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Protocol, TypeAlias, TypeVar
from warnings import warn

import torch
from torch import Tensor

from hpsearch.base.errors import first_line, out_of_memory

Result = TypeVar("Result")
Tensors: TypeAlias = tuple[Tensor | None, ...]


class Accelerator(Protocol):
    """What a device does beside computing.

    Attributes:
        captures: whether it repeats work by itself that it was shown once.
        warm: what it has captured before, by name.
    """

    captures: bool
    warm: set[Hashable]

    def synchronize(self) -> None:
        """Wait until everything is computed that was asked for."""
        ...

    def seed(self, seed: int) -> None:
        """Begin the device's own generator anew."""
        ...

    def drawn(self) -> Tensor | None:
        """Return where its own generator stands; None of a device that has none."""
        ...

    def go_on(self, drawn: Tensor | None) -> None:
        """Put its own generator where it stood."""
        ...

    def begin_peak(self) -> None:
        """Measure from here on how much of its memory tensors take."""
        ...

    def peak_mib(self) -> float | None:
        """Return the most that tensors took of its memory; None where that is not known."""
        ...

    def aside(self, run: Callable[[], Result]) -> Result:
        """Compute what will be captured, as it will be: on a stream of its own."""
        ...

    def capture(self, run: Callable[[], Result]) -> tuple[Result, Callable[[], None]]:
        """Take in what `run` computes, without computing it.

        Returns:
            What it returns, whose tensors get their values, always in the same place, when it is repeated; and what
            repeats it.
        """
        ...


class Host:
    """The processor, which computes at once and whose generator is torch's global one."""

    captures = False

    def __init__(self) -> None:
        self.warm: set[Hashable] = set()

    def synchronize(self) -> None:
        """Nothing is pending."""

    def seed(self, seed: int) -> None:
        """There is no second generator."""

    def drawn(self) -> Tensor | None:
        """There is no second generator."""
        return None

    def go_on(self, drawn: Tensor | None) -> None:
        """There is no second generator."""

    def begin_peak(self) -> None:
        """Nothing is measured."""

    def peak_mib(self) -> float | None:
        """Nothing is measured."""
        return None

    def aside(self, run: Callable[[], Result]) -> Result:
        """Compute at once."""
        return run()

    def capture(self, run: Callable[[], Result]) -> tuple[Result, Callable[[], None]]:  # noqa: ARG002
        """Nothing is captured here.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("this device captures nothing")


class Metal(Host):
    """Apple's GPU."""

    def synchronize(self) -> None:
        """Wait until everything is computed."""
        torch.mps.synchronize()

    def seed(self, seed: int) -> None:
        """Begin its generator anew."""
        torch.mps.manual_seed(seed)

    def drawn(self) -> Tensor | None:
        """Return where its generator stands."""
        return torch.mps.get_rng_state()

    def go_on(self, drawn: Tensor | None) -> None:
        """Put its generator where it stood."""
        if drawn is not None:
            torch.mps.set_rng_state(drawn)


class Cuda(Host):
    """A GPU of NVIDIA's. What is captured are CUDA graphs, each with memory of its own."""

    captures = True

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device
        self._stream: torch.cuda.Stream | None = None

    def synchronize(self) -> None:
        """Wait until everything is computed."""
        torch.cuda.synchronize(self._device)

    def seed(self, seed: int) -> None:
        """Begin its generator anew."""
        with torch.cuda.device(self._device):
            torch.cuda.manual_seed(seed)

    def drawn(self) -> Tensor | None:
        """Return where its generator stands."""
        return torch.cuda.get_rng_state(self._device)

    def go_on(self, drawn: Tensor | None) -> None:
        """Put its generator where it stood."""
        if drawn is not None:
            torch.cuda.set_rng_state(drawn, self._device)

    def begin_peak(self) -> None:
        """Measure from here on."""
        torch.cuda.reset_peak_memory_stats(self._device)

    def peak_mib(self) -> float | None:
        """Return the most that tensors took of its memory."""
        return float(torch.cuda.max_memory_allocated(self._device) / 2**20)

    def aside(self, run: Callable[[], Result]) -> Result:
        """Compute on the stream that captures."""
        with self._own_stream():
            return run()

    def capture(self, run: Callable[[], Result]) -> tuple[Result, Callable[[], None]]:
        """Capture a CUDA graph; no garbage is collected meanwhile, which might free what a capture may not."""
        graph, collects = torch.cuda.CUDAGraph(), gc.isenabled()
        self.synchronize()
        gc.disable()
        try:
            with self._own_stream():
                graph.capture_begin()
                try:
                    result = run()
                except BaseException:
                    with suppress(RuntimeError):  # which says that the capture failed
                        graph.capture_end()
                    raise
                graph.capture_end()
        finally:
            if collects:
                gc.enable()
        return result, graph.replay

    @contextmanager
    def _own_stream(self) -> Iterator[None]:
        self._stream = self._stream or torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        outside = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(outside)
        with torch.cuda.stream(self._stream):
            yield
        outside.wait_stream(self._stream)


@cache
def accelerator(device: torch.device) -> Accelerator:
    """Return what a device does beside computing; of a device without abilities of its own what the processor does."""
    if device.type == "cuda":
        return Cuda(device)
    return Metal() if device.type == "mps" else Host()


@dataclass(frozen=True, slots=True)
class Graph:
    """A captured call of a function of tensors.

    Attributes:
        inputs: what it was captured with, always read from the same place.
        outputs: what it returned, always written to the same place.
        replay: computes these from those.
    """

    inputs: Tensors
    outputs: Tensors
    replay: Callable[[], None]

    def __call__(self, *inputs: Tensor | None) -> Tensors:
        """Return what the function returns for other values of the inputs, as tensors of the caller's own."""
        for own, given in zip(self.inputs, inputs, strict=True):
            if own is not None and given is not None:
                own.copy_(given, non_blocking=True)
        self.replay()
        return tuple(None if each is None else each.clone() for each in self.outputs)


WARM_UP, WARM = 3, 1
"""Calls before one is captured: in the first ones libraries choose kernels and take memory, in each a table of ours may
be filled; and of a function by a name that was captured before."""


class Graphs:
    """Captured calls of a function of tensors: one for each shape of its inputs, and whatever else it depends on.

    Args:
        device: where it computes.
        function: maps tensors to tensors; what else it reads must stay as it is, and what it changes are tensors.
        name: the same for functions that compute alike.
        strict: whether a function that cannot be captured is an error.
    """

    def __init__(
        self, device: Accelerator, function: Callable[..., Tensors], name: Hashable, strict: bool = False
    ) -> None:
        self._device, self._function, self._name, self._strict = device, function, name, strict
        self._graphs: dict[Hashable, Graph] = {}
        self._calls: Counter[Hashable] = Counter()
        self._fits = True

    def of(self, key: Hashable, *inputs: Tensor | None) -> Graph | None:
        """Return the captured call; None where the function is to be called by `Accelerator.aside`.

        That is so in its first calls, and when it cannot be captured or memory does not suffice for that.

        Args:
            key: of what else the function depends on.
            inputs: of this call.
        """
        key = key, tuple(None if each is None else (each.shape, each.dtype) for each in inputs)
        if key not in self._graphs and self._fits:
            self._calls[key] += 1
            if self._calls[key] > (WARM if self._name in self._device.warm else WARM_UP):
                self._capture(key, inputs)
        return self._graphs.get(key) if self._fits else None

    def _capture(self, key: Hashable, inputs: Sequence[Tensor | None]) -> None:
        own = tuple(None if each is None else torch.empty_like(each).copy_(each) for each in inputs)
        try:
            outputs, replay = self._device.capture(lambda: self._function(*own))
        except Exception as error:
            if self._strict and not out_of_memory(error):
                raise
            self._fits = False
            self._graphs.clear()
            warn(f"no graph of a step: {first_line(error)}", stacklevel=2)
            return
        self._graphs[key] = Graph(own, outputs, replay)
        self._device.warm.add(self._name)

"""What a loop computes with besides its own variables, kept apart for each of the loops that share a process.

Loops that wait and loops that run take turns in a process. Each finds the global generators, the working folder and
the rest as it left them, and none finds what another left.
"""

import importlib.machinery
import locale
import logging
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

from hpsearch.base import rng
from hpsearch.trial.process_settings import ProcessSettings

P = ParamSpec("P")
T = TypeVar("T")
State = dict[str, Any]

_TORCH = (
    ("get_rng_state", "set_rng_state"),
    ("get_default_dtype", "set_default_dtype"),
    ("is_grad_enabled", "_C._set_grad_enabled"),
    ("get_deterministic_debug_mode", "set_deterministic_debug_mode"),
    ("get_num_threads", "set_num_threads"),
)
"""What reads a state of torch, and what sets it."""
_AUTOCAST_DEVICES = ("cpu", "cuda")


class Surroundings:
    """The state of the process that one loop computes with: its own while it runs, kept while others do.

    The global generators of Python, NumPy and torch; working folder, environment variables, standard streams, umask,
    locale, what warnings and loggers say, and `sys.argv`, which has no arguments at first, whoever trains: a worker or
    the program that searches or replays; context variables, NumPy's handling of floating-point errors among them; of
    torch the default dtype and device, modes that are entered (gradients, inference, autocast), deterministic kernels
    and the number of threads; how signals are handled, timers, soft limits and built-in names (`ProcessSettings`).

    Args:
        seed: of the trial; the generators are seeded with addresses of it, torch's when it is imported, however late.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._state: State = {}
        self._context = copy_context()
        self._out_of_inference: Any = None
        self._settings = ProcessSettings()

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in these surroundings; afterwards the process is as it was.

        Args:
            function: what to call.
            *args: its arguments.
            **kwargs: its arguments by name.

        Returns:
            What it returns; what it raises is raised.
        """
        outside, settings = _state(), self._settings.enter()
        with _at_import("torch", lambda torch: self._meet(torch, outside)):
            try:
                self._enter()
                return self._context.run(function, *args, **kwargs)
            finally:
                self._settings.leave(settings)
                self._leave()
                _set(outside)

    @property
    def generators(self) -> State:
        """Where the global generators stand, as JSON holds it; `set_generators` takes it."""
        name, *numbers = self._state["numpy"]
        torch = self._state.get("torch", {})
        cuda = torch.get("cuda") or ()
        return {
            "python": self._state["python"],
            "numpy": [name, numbers[0].tolist(), *numbers[1:]],
            "torch": torch["settings"][0].tolist() if torch else None,
            "cuda": [each.tolist() for each in cuda],
        }

    def _enter(self) -> None:
        if self._out_of_inference is not None:
            self._out_of_inference.__exit__(None, None, None)
            self._out_of_inference = None
        if not self._state:
            random.seed(rng.address(self._seed, "python"))
            _numpy().random.seed(rng.address(self._seed, "numpy") % 2**32)
            sys.argv[1:] = []
        _set(self._state)
        if "torch" in sys.modules and "torch" not in self._state:
            self._seed_torch(sys.modules["torch"])

    def _leave(self) -> None:
        self._state = _state()
        torch = sys.modules.get("torch")
        if torch is not None and torch.is_inference_mode_enabled():
            self._out_of_inference = torch.inference_mode(False)
            self._out_of_inference.__enter__()

    def _meet(self, torch: ModuleType, outside: State) -> None:
        """Seed torch, which a loop has just imported; others find it as it was before that."""
        outside["torch"] = _torch_state(torch)
        self._seed_torch(torch)

    def _seed_torch(self, torch: Any) -> None:
        torch.manual_seed(rng.address(self._seed, "torch", 0))


def set_generators(generators: Mapping[str, Any]) -> None:
    """Set the global generators of this process to where they stood; torch's where it is loaded."""
    version, numbers, gauss = generators["python"]
    random.setstate((version, tuple(numbers), gauss))
    _numpy().random.set_state(tuple(generators["numpy"]))
    torch: Any = sys.modules.get("torch")
    if torch is not None and generators["torch"] is not None:
        torch.set_rng_state(torch.tensor(generators["torch"], dtype=torch.uint8, device="cpu"))
        for device, numbers in enumerate(generators["cuda"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(torch.tensor(numbers, dtype=torch.uint8, device="cpu"), device)


def _numpy() -> Any:
    """Return numpy, which the driver does without: it names what trains, and imports it for that."""
    import numpy as np

    return np


def _state() -> State:
    """Return the present state of the process; of torch only where it is loaded."""
    state: State = {
        "python": random.getstate(),
        "numpy": _numpy().random.get_state(),
        "environment": dict(os.environ),
        "argv": list(getattr(sys, "argv", [])),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "folder": None,
        "umask": _umask(),
        "locale": locale.setlocale(locale.LC_ALL),
        "warnings": list(warnings.filters),
        "logging": logging.root.manager.disable,
    }
    with suppress(OSError):  # somebody removed it
        state["folder"] = Path.cwd()
    return state | ({"torch": _torch_state(sys.modules["torch"])} if "torch" in sys.modules else {})


def _umask() -> int:
    """Return the umask, which no call tells without setting it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _set(state: Mapping[str, Any]) -> None:
    """Bring the process into a state that it had; an empty one changes nothing."""
    if not state:
        return
    random.setstate(state["python"])
    _numpy().random.set_state(state["numpy"])
    if state["environment"] != dict(os.environ):
        for name in os.environ.keys() - state["environment"].keys():
            del os.environ[name]
        os.environ.update(state["environment"])
    sys.argv[:] = state["argv"]
    sys.stdin, sys.stdout, sys.stderr = state["streams"]
    os.umask(state["umask"])
    if locale.setlocale(locale.LC_ALL) != state["locale"]:
        locale.setlocale(locale.LC_ALL, state["locale"])
    if warnings.filters != state["warnings"]:
        warnings.filters[:] = state["warnings"]  # type: ignore[index]  # a list, though it is declared otherwise
    if logging.root.manager.disable != state["logging"]:
        logging.disable(state["logging"])
    if state["folder"] is not None:
        os.chdir(state["folder"])
    if "torch" in state:
        _set_torch(sys.modules["torch"], state["torch"])


def _torch_state(torch: Any) -> State:
    return {
        "modes": _modes(torch),
        "autocast": _autocast(torch),
        "settings": [_found(torch, get)() for get, _ in _TORCH],
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None,
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def _set_torch(torch: Any, state: State) -> None:
    _set_modes(torch, *state["modes"])
    _set_autocast(torch, *state["autocast"])
    for (get, put), value in zip(_TORCH, state["settings"], strict=True):
        if get == "get_rng_state" or _found(torch, get)() != value:
            _found(torch, put)(value)
    if state["cuda"] is not None:
        torch.cuda.set_rng_state_all(state["cuda"])
    if state["mps"] is not None:
        torch.mps.set_rng_state(state["mps"])


def _found(torch: Any, name: str) -> Any:
    found = torch
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _modes(torch: Any) -> tuple[Sequence[Any], Any, Any]:
    """Return the modes that torch's functions are called in: ``with torch.device``, `torch.set_default_device`."""
    from torch.utils import _device

    stack = torch.overrides._get_current_function_mode_stack()
    given = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return stack, given, _device.CURRENT_DEVICE


def _set_modes(torch: Any, stack: Sequence[Any], given: Any, device: Any) -> None:
    from torch.utils import _device

    present = torch.overrides._get_current_function_mode_stack()
    if list(present) != list(stack):
        for _ in present:
            torch.overrides._pop_mode()
        for mode in stack:
            torch.overrides._push_mode(mode)
    torch._GLOBAL_DEVICE_CONTEXT.device_context = given
    _device.CURRENT_DEVICE = device


def _autocast(torch: Any) -> tuple[Sequence[tuple[bool, Any]], int]:
    """Return what autocast does by device, and how deep it is entered: at 0 it forgets the weights that it cast."""
    torch.autocast_increment_nesting()
    kinds = [(torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in _AUTOCAST_DEVICES]
    return kinds, torch.autocast_decrement_nesting()


def _set_autocast(torch: Any, kinds: Sequence[tuple[bool, Any]], depth: int) -> None:
    present, present_depth = _autocast(torch)
    if (present, present_depth) == (kinds, depth):
        return
    torch.clear_autocast_cache()
    for kind, (enabled, dtype) in zip(_AUTOCAST_DEVICES, kinds, strict=True):
        torch.set_autocast_enabled(kind, enabled)
        torch.set_autocast_dtype(kind, dtype)
    for _ in range(present_depth, depth):
        torch.autocast_increment_nesting()
    for _ in range(depth, present_depth):
        torch.autocast_decrement_nesting()


class _Watch(MetaPathFinder):
    """Finds a module as all others do, and calls back when it has been executed."""

    def __init__(self, name: str, then: Callable[[ModuleType], None]) -> None:
        self._name, self._then = name, then

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._name:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        loader: Any = spec and spec.loader
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self._then(module)

            loader.exec_module = exec_module
        return spec


@contextmanager
def _at_import(name: str, then: Callable[[ModuleType], None]) -> Iterator[None]:
    """Call back when a module that is not loaded yet is imported inside."""
    if name in sys.modules:
        yield
        return
    watch = _Watch(name, then)
    sys.meta_path.insert(0, watch)
    try:
        yield
    finally:
        if watch in sys.meta_path:
            sys.meta_path.remove(watch)

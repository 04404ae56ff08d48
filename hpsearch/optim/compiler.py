"""Optimizers without torch's compiler, which every torch optimizer imports to say that it is not to be compiled.

That import, `torch._dynamo`, takes as long as torch itself, in every process that trains, and nothing is compiled
unless `trainer.compile` or code of the user's asks for it. A stand-in answers the two questions of an optimizer that is
not compiled, and gives way to the real module at any other.
"""

import functools
import importlib
import sys
import threading
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_loader
from types import ModuleType
from typing import Any

NAME = "torch._dynamo"


class _StandIn(ModuleType):
    """`torch._dynamo` until somebody needs more of it than an optimizer does."""

    def disable(self, fn: Any = None, recursive: bool = True, **options: Any) -> Any:
        """Return a function that is not compiled; as long as there is no compiler, that is the function itself."""
        if fn is None or options.get("wrapping", True):
            return _real().disable(fn, recursive, **options)
        return _disabled(fn, lambda: _real().disable(fn, recursive, **options))

    def graph_break(self, *_: Any, **__: Any) -> None:
        """Do nothing, as the real one does where nothing is compiled."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_real(), name)


class _Finder(MetaPathFinder):
    """Loads the real package before one of its modules."""

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        """Return what gives the module that came with the package, None for another and for every other module."""
        if not name.startswith(f"{NAME}.") or not isinstance(sys.modules.get(NAME), _StandIn):
            return None
        _real()
        module = sys.modules.get(name)
        if module is None:
            return None
        spec = spec_from_loader(name, _Loaded(module))
        vars(module)["__spec__"] = spec  # of a module that is loaded meanwhile, Python takes its own
        return spec


class _Loaded(Loader):
    """Gives a module that is loaded."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, _: ModuleSpec) -> ModuleType:
        """Return it."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Leave it as it was."""
        vars(module)["__spec__"] = self._spec


_lock, _finder = threading.RLock(), _Finder()


def postpone_compiler() -> None:
    """Put the stand-in where `torch._dynamo` would be, unless that is loaded."""
    with _lock:
        spec = None if NAME in sys.modules else find_spec(NAME)
        if spec is None:
            return
        stand_in = _StandIn(NAME)
        stand_in.__file__, stand_in.__path__ = spec.origin, spec.submodule_search_locations or []
        sys.modules[NAME] = sys.modules["torch"]._dynamo = stand_in  # type: ignore[attr-defined]  # torch is a module
        sys.meta_path.insert(0, _finder)


def _real() -> ModuleType:
    with _lock:
        if isinstance(sys.modules.get(NAME), _StandIn):
            del sys.modules[NAME], sys.modules["torch"]._dynamo
            sys.meta_path.remove(_finder)
        return importlib.import_module(NAME)


def _disabled(function: Callable[..., Any], disabled: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    by_compiler = functools.cache(disabled)

    def call(*args: Any, **kwargs: Any) -> Any:
        there = not isinstance(sys.modules.get(NAME), _StandIn)
        return (by_compiler() if there else function)(*args, **kwargs)

    return call

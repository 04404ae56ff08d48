"""Functions that no other process can import, of scripts, notebooks and other functions, and their way into workers.

A configuration names such a function by a module that is in memory only, `hpsearch.base.commands.LOCAL_MODULE`. A
worker is sent the function itself: the script that it stands in is not run again.
"""

import inspect
import pickle
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from hpsearch.base.commands import LOCAL_MODULE
from hpsearch.base.errors import ConfigError, first_line
from hpsearch.base.types import Execute, TrialRun, TrialSpec, WaitingRun


def path_of(function: Callable[..., Any]) -> str:
    """Return the dotted path by which a configuration names a function; one that cannot be imported is kept for it.

    Args:
        function: to be found by that path, in this process at least.

    Returns:
        The path.

    Raises:
        ConfigError: a process that a trial started imports the script again, as `multiprocessing` does.
    """
    if getattr(function, "__module__", None) == "__mp_main__":
        raise ConfigError(
            "the script is imported again by a process that a trial started, and would search again: write "
            "`if __name__ == '__main__':` above the call of run_search"
        )
    if _is_importable(function):
        return f"{function.__module__}.{function.__name__}"
    name = name_of(function)
    setattr(sys.modules.setdefault(LOCAL_MODULE, ModuleType(LOCAL_MODULE)), name, function)
    return f"{LOCAL_MODULE}.{name}"


def name_of(function: Callable[..., Any]) -> str:
    """Return what a function is called; a partial as its function, an object as its class."""
    called = _called(function)
    name = getattr(called, "__name__", type(called).__name__)
    return name if name.isidentifier() else "function"


def _called(function: Callable[..., Any]) -> Callable[..., Any]:
    return function.func if isinstance(function, partial) else function


def _is_importable(function: Callable[..., Any]) -> bool:
    from hpsearch.trial.packing import is_only_here

    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if module is None or not name.isidentifier() or is_only_here(module):
        return False
    return getattr(import_module(module), name, None) is function


def carried(execute: Execute, path: str) -> Execute:
    """Return what trains such that a worker that it is sent to gets the user's function with it.

    Args:
        execute: what trains.
        path: of the function, see `path_of`.

    Returns:
        `execute` itself for a function that workers import.
    """
    module, _, name = path.rpartition(".")
    return Carried(execute, name, getattr(sys.modules[LOCAL_MODULE], name)) if module == LOCAL_MODULE else execute


class Carried:
    """Trains; when it is sent to another process a function goes along.

    Args:
        execute: what trains, importable there.
        name: of the function.
        function: that cannot be imported there.
    """

    def __init__(self, execute: Execute, name: str, function: Callable[..., Any]) -> None:
        self._execute, self._name, self._function = execute, name, function

    def __call__(self, specs: tuple[TrialSpec, ...]) -> TrialRun | WaitingRun:
        """Train in this process."""
        return self._execute(specs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Take the function along; a ConfigError names what of it cannot be sent."""
        from hpsearch.trial.packing import is_only_here, packed

        module = getattr(_called(self._function), "__module__", None) or ""
        home = module if is_only_here(module) else ""
        return _arrived, (self._execute, self._name, packed(self._name, self._function), home)


def _arrived(execute: Execute, name: str, content: bytes, home: str) -> Execute:
    """Keep a function that came along until it is asked for: an error is then that of whoever asks."""
    module = ModuleType(LOCAL_MODULE)

    def unpacked(wanted: str) -> Any:
        if wanted != name:
            raise AttributeError(wanted)
        function = _unpacked(name, content, home)
        setattr(module, name, function)
        return function

    vars(module)["__getattr__"] = unpacked  # asked for what the module does not have
    sys.modules[LOCAL_MODULE] = module
    return execute


def _unpacked(name: str, content: bytes, home: str) -> Callable[..., Any]:
    try:
        function: Callable[..., Any] = pickle.loads(content)
    except Exception as error:
        raise ConfigError(
            f"{name} cannot be made again in a worker process ({type(error).__name__}: {first_line(error)}); put what "
            "it needs into a module of its own, or use launcher=inline"
        ) from error
    called = _called(inspect.unwrap(function))
    used = getattr(called if hasattr(called, "__globals__") else type(called).__call__, "__globals__", {})
    if home and used.get("__name__") == home:  # processes that it starts look for the names of its module there
        vars(sys.modules.setdefault(home, ModuleType(home))).update(used)
    return function

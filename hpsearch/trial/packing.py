"""A function as bytes, with all that it refers to; what of it cannot be packed is named."""

import io
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, TypeAlias

import cloudpickle

from hpsearch.base.errors import ConfigError, first_line

SCRIPT = "__main__"
"""The module of a script, and of a notebook."""
_Part: TypeAlias = tuple[str, Any]


def packed(name: str, function: Callable[..., Any]) -> bytes:
    """Return a function with all that it refers to, as bytes.

    Args:
        name: of the function.
        function: what to pack.

    Returns:
        What `pickle.loads` makes the function of.

    Raises:
        ConfigError: it refers to something that no other process can be given, such as a lock or an open file.
    """
    with _by_value(getattr(function, "__module__", SCRIPT)):
        try:
            return _dumped(function)
        except Exception as error:
            why = first_line(error) or type(error).__name__
            raise ConfigError(
                f"{name}: {_at_fault(function)} cannot be sent to worker processes ({why}); make it inside the "
                "function, or use launcher=inline"
            ) from error


def is_only_here(module: str) -> bool:
    """Return whether other processes cannot import a module.

    It is the script, or has no file, or is still being imported: imported again it would come to the same place again.
    """
    loaded = sys.modules.get(module)
    if loaded is None or module == SCRIPT:
        return True
    file = getattr(loaded, "__file__", None)
    return file is None or not Path(file).exists() or getattr(loaded.__spec__, "_initializing", False)


@contextmanager
def _by_value(module: str) -> Iterator[None]:
    """Pack what stands in a module that is only here as cloudpickle packs what stands in the script."""
    loaded = sys.modules.get(module)
    if loaded is None or module == SCRIPT or not is_only_here(module):
        yield
        return
    cloudpickle.register_pickle_by_value(loaded)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(loaded)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # its package has no types
    """Refuses what would come to lie in the memory of a device twice."""

    def reducer_override(self, obj: Any) -> Any:
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(obj, torch.Tensor) and obj.device.type not in ("cpu", "meta"):
            raise pickle.PicklingError(f"it lies in the memory of {obj.device}")
        return super().reducer_override(obj)


def _dumped(value: Any) -> bytes:
    with io.BytesIO() as buffer:
        _Pickler(buffer).dump(value)
        return buffer.getvalue()


def _at_fault(value: Any) -> str:
    """Say what of a value cannot be packed: the innermost part that has a name."""
    path: list[str] = []
    seen = [value]
    while (found := _unpackable(seen[-1], seen)) is not None:
        path.append(found[0])
        seen.append(found[1])
    of = f" of {' of '.join(reversed(path[:-1]))}" if path[1:] else ""
    return f"`{path[-1]}`{of}, a {type(seen[-1]).__name__}," if path else "it"


def _unpackable(value: Any, seen: list[Any]) -> _Part | None:
    for name, part in _parts(value):
        if any(part is other for other in seen):
            continue
        try:
            _dumped(part)
        except Exception:
            return name, part
    return None


def _parts(value: Any) -> Iterator[_Part]:
    """Yield what a value refers to, by name."""
    match value:
        case partial():
            yield from (("its function", value.func), *_numbered(value.args), *value.keywords.items())
        case MethodType():
            yield from (("self", value.__self__), (value.__name__, value.__func__))
        case FunctionType():
            yield from _used_by(value)
        case Mapping():
            yield from ((str(key), part) for key, part in value.items())
        case list() | tuple() | set() | frozenset():
            yield from _numbered(value)
        case type():
            yield from vars(value).items() if value.__module__ == SCRIPT else ()
        case _ if not isinstance(value, ModuleType):
            yield from (*getattr(value, "__dict__", {}).items(), (type(value).__name__, type(value)))


def _numbered(values: Any) -> Iterator[_Part]:
    return ((f"[{place}]", part) for place, part in enumerate(values))


def _used_by(function: FunctionType) -> Iterator[_Part]:
    """Yield what a function refers to: of the functions around it, of its module, and as defaults."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # nothing is assigned to it yet
            yield name, cell.cell_contents
    for name in _names(function.__code__):
        if name in function.__globals__:
            yield name, function.__globals__[name]
    yield from _numbered(function.__defaults__ or ())
    yield from (function.__kwdefaults__ or {}).items()
    yield from vars(function).items()


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)

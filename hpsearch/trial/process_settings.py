"""What a loop sets in its process beside what it computes with: how signals are handled, timers, limits, names.

A later loop must not be ended by an alarm of an earlier one, nor lack the files or the built-in functions that one took
away. Only differences are kept and undone, so that what is set outside a loop meanwhile, such as a timer that runs on,
is left alone.
"""

import _signal  # type: ignore[import-not-found]  # the functions of `signal` look every number up in an enumeration
import builtins
import gc
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from hpsearch.base.process_limits import limits, set_limit

Settings = dict[str, dict[Any, Any]]
"""Values by kind and name."""
Kind = tuple[Callable[[], Mapping[Any, Any]], Callable[[Any, Any], object]]
"""What reads all values of a kind by name, and what sets one."""

_MISSING = object()
_SIGNALS = tuple(int(number) for number in _signal.valid_signals())
_TIMERS = tuple(
    getattr(_signal, name) for name in dir(_signal) if name in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF")
)


class ProcessSettings:
    """What one loop has set, kept while others run."""

    def __init__(self) -> None:
        self._own: Settings = {}

    def enter(self) -> Settings:
        """Set again what the loop had set; return what is set outside."""
        outside = {kind: dict(read()) for kind, (read, _) in _kinds().items()}
        for kind, own in self._own.items():
            _put(kind, own)
        return outside

    def leave(self, outside: Settings) -> None:
        """Keep what the loop has set, and set what is set outside."""
        self._own = {}
        for kind, (read, _) in _kinds().items():
            before = outside.get(kind, {})
            if own := _changes(kind, before, read()):
                self._own[kind] = own
                _put(kind, {name: before.get(name, _MISSING) for name in own})


def _kinds() -> Mapping[str, Kind]:
    if threading.current_thread() is threading.main_thread():
        return _KINDS
    return {kind: calls for kind, calls in _KINDS.items() if kind not in _OF_MAIN_THREAD}


def _changes(kind: str, before: Mapping[Any, Any], after: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return what was changed, with the value it has now."""
    changed = {name: now for name, now in after.items() if _differs(kind, before.get(name, _MISSING), now)}
    return changed | dict.fromkeys(before.keys() - after.keys(), _MISSING)


def _differs(kind: str, before: Any, after: Any) -> bool:
    """Return whether a value is another one; what is called, and what bears a name, may not be comparable."""
    if before is after:
        return False
    if kind == "timer":
        return not _runs_on(before, after)
    return kind in ("handler", "name") or before != after


def _runs_on(before: tuple[float, float], after: tuple[float, float]) -> bool:
    """Return whether a timer is as it was, seconds left and interval, but for the time that has passed."""
    return before == after or (before[1] == after[1] and 0 < after[0] <= max(before))


def _put(kind: str, values: Mapping[Any, Any]) -> None:
    for name, value in values.items():
        with suppress(OSError, ValueError, TypeError):  # a handler that is not Python's, a limit of another system
            _KINDS[kind][1](name, value)


def _handlers() -> Mapping[int, Any]:
    return {number: _signal.getsignal(number) for number in _SIGNALS}


def _timers() -> Mapping[int, Any]:
    return {timer: _signal.getitimer(timer) for timer in _TIMERS}


def _mask() -> Mapping[str, Any]:
    return {"blocked": _signal.pthread_sigmask(_signal.SIG_BLOCK, ())} if hasattr(_signal, "pthread_sigmask") else {}


def _set_name(name: str, value: object) -> None:
    if value is _MISSING:
        delattr(builtins, name)
    else:
        setattr(builtins, name, value)


def _interpreter() -> Mapping[str, Any]:
    return {"recursion": sys.getrecursionlimit(), "collector": gc.isenabled()}


def _set_interpreter(name: str, value: Any) -> None:
    if name == "recursion":
        sys.setrecursionlimit(value)
    else:
        (gc.enable if value else gc.disable)()


_KINDS: Mapping[str, Kind] = {
    "limit": (limits, set_limit),
    "handler": (_handlers, lambda number, handler: _signal.signal(number, handler)),
    "timer": (_timers, lambda timer, value: _signal.setitimer(timer, *value)),
    "mask": (_mask, lambda _, blocked: _signal.pthread_sigmask(_signal.SIG_SETMASK, blocked)),
    "name": (lambda: vars(builtins), _set_name),
    "interpreter": (_interpreter, _set_interpreter),
}
"""In order: the rest may need the memory that a limit takes away, and a timer the handler of its signal."""
_OF_MAIN_THREAD = ("handler", "timer", "mask")

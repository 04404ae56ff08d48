"""Work done by processes beside this one, which puts numbers and page together meanwhile.

Importing matplotlib or scikit-learn and what they are for take as long as everything else that a report needs. A
process that is forked before anything is imported shares that work between two cores.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from hpsearch.base.forks import forks_safely, has_one_thread

if TYPE_CHECKING:
    from hpsearch.reports.kit.figure import Figure

T = TypeVar("T")
Pictures: TypeAlias = Mapping[str, Mapping[str, Any]]
PICTURES, FORESTS = "hpsearch.reports.kit.still", "sklearn.tree"
"""What a process beside this one can be for: the module that it imports at once."""
_WAIT_SEC = 10.0  # for a process that has nothing left to do
_HELPERS = ContextVar[Mapping[str, Connection]]("helpers", default=MappingProxyType({}))


@contextmanager
def working_beside(*modules: str) -> Iterator[None]:
    """Do what is begun for a module in a process beside this one while the block runs, one process for each module.

    Only on Linux, in a process with one thread and two cores; elsewhere it is done here. The processes end with the
    block, and with this one however it ends.

    Args:
        *modules: among `PICTURES` and `FORESTS`.

    Yields:
        Nothing.
    """
    if not (forks_safely() and has_one_thread() and len(os.sched_getaffinity(0)) > 1):
        yield
        return
    helpers: dict[str, Connection] = {}
    started = [_start(module, helpers) for module in modules]
    token = _HELPERS.set(helpers)
    try:
        yield
    finally:
        _HELPERS.reset(token)
        for connection in helpers.values():
            connection.close()
        for process in started:
            process.join(_WAIT_SEC)
            if process.is_alive():
                process.kill()


def _start(module: str, helpers: dict[str, Connection]) -> BaseProcess:
    """Fork the helper for a module and enter our end of its pipe."""
    forks = multiprocessing.get_context("fork")
    helpers[module], theirs = forks.Pipe()
    process = forks.Process(target=_help, args=(module, theirs, [*helpers.values()]), daemon=True, name=module)
    process.start()
    theirs.close()
    return process


def begin(module: str, work: Callable[..., T], *given: Any) -> Callable[[], T]:
    """Begin to work beside this process.

    Args:
        module: that the helper is for.
        work: a function of a module; what it is given and returns is handed on between processes.
        *given: its arguments.

    Returns:
        Waits for the result and returns it. What is begun for a module is waited for before more is begun.
    """
    helper = _HELPERS.get().get(module)
    if helper is None or not _sent(helper, (work, given)):
        return lambda: work(*given)

    def waited_for() -> T:
        found = _received(helper)
        return work(*given) if found is None else found[0]

    return waited_for


def begin_stills(figures: "Mapping[str, Figure]") -> Callable[[], dict[str, str]]:
    """Begin to draw figures as SVG, see `hpsearch.reports.kit.still.still`.

    Args:
        figures: by name.

    Returns:
        Waits for the pictures and returns them by name.
    """
    return begin(PICTURES, _drawn, {name: figure.parts for name, figure in figures.items()})


def _drawn(pictures: Pictures) -> dict[str, str]:
    from hpsearch.reports.kit.still import drawn_as_svg

    return {name: drawn_as_svg(parts) for name, parts in pictures.items()}


def _sent(helper: Connection, order: tuple[Callable[..., Any], tuple[Any, ...]]) -> bool:
    try:
        helper.send(order)
    except OSError:
        return False
    return True


def _received(helper: Connection) -> tuple[Any] | None:
    """Return what was found; None where that failed: done here, it says why."""
    try:
        found: tuple[Any] | None = helper.recv()
    except (EOFError, OSError):
        return None
    return found


def _help(module: str, orders: Connection, parents: list[Connection]) -> None:
    """Do what is asked for until nobody asks any more."""
    for connection in parents:
        connection.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process hears it, and closes its end
    with suppress(Exception):  # it is said where the work is done instead
        import_module(module)
    while True:
        try:
            work, given = orders.recv()
            orders.send(_done(work, given))
        except (EOFError, OSError):
            return


def _done(work: Callable[..., T], given: tuple[Any, ...]) -> tuple[T] | None:
    try:
        return (work(*given),)
    except Exception:
        return None

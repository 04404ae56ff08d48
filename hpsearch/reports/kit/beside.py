"""Still pictures drawn by a process beside this one, which puts numbers and page together meanwhile.

Importing matplotlib and drawing take as long as everything else that a report needs. A process that is forked before
anything is imported shares that work between two cores.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, TypeAlias

from hpsearch.base.forks import forks_safely, has_one_thread

if TYPE_CHECKING:
    from hpsearch.reports.kit.figure import Figure

Pictures: TypeAlias = Mapping[str, Mapping[str, Any]]
_WAIT_SEC = 10.0  # for a process that has nothing left to do
_PAINTER = ContextVar[Connection | None]("painter", default=None)


@contextmanager
def drawing_beside() -> Iterator[None]:
    """Draw the pictures of `begin_stills` in a process beside this one while the block runs.

    Only on Linux, in a process with one thread and two cores; elsewhere they are drawn here. The process ends with the
    block, and with this one however it ends.

    Yields:
        Nothing.
    """
    if not (forks_safely() and has_one_thread() and len(os.sched_getaffinity(0)) > 1):
        yield
        return
    forks = multiprocessing.get_context("fork")
    ours, theirs = forks.Pipe()
    painter = forks.Process(target=_paint, args=(theirs, ours), daemon=True, name="pictures")
    painter.start()
    theirs.close()
    token = _PAINTER.set(ours)
    try:
        yield
    finally:
        _PAINTER.reset(token)
        ours.close()
        painter.join(_WAIT_SEC)
        if painter.is_alive():
            painter.kill()


def begin_stills(figures: "Mapping[str, Figure]") -> Callable[[], dict[str, str]]:
    """Begin to draw figures as SVG, see `hpsearch.reports.kit.still.still`.

    Args:
        figures: by name.

    Returns:
        Waits for the pictures and returns them by name. What is begun is waited for before more is begun.
    """
    painter = _PAINTER.get()
    if painter is None or not _sent(painter, {name: figure.parts for name, figure in figures.items()}):
        return lambda: _drawn_here(figures)
    return lambda: _received(painter) or _drawn_here(figures)


def _sent(painter: Connection, pictures: Pictures) -> bool:
    try:
        painter.send(pictures)
    except OSError:
        return False
    return True


def _received(painter: Connection) -> dict[str, str] | None:
    """Return what was drawn; None where that failed: drawn here, it says why."""
    try:
        found: dict[str, str] | None = painter.recv()
    except (EOFError, OSError):
        return None
    return found


def _drawn_here(figures: "Mapping[str, Figure]") -> dict[str, str]:
    from hpsearch.reports.kit.still import still

    return {name: still(figure) for name, figure in figures.items()}


def _paint(orders: Connection, parents: Connection) -> None:
    """Draw what is asked for until nobody asks any more."""
    parents.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process hears it, and closes its end
    from hpsearch.reports.kit.still import drawn_as_svg

    while True:
        try:
            asked: Pictures = orders.recv()
            orders.send(_all_drawn(asked, drawn_as_svg))
        except (EOFError, OSError):
            return


def _all_drawn(asked: Pictures, draw: Callable[[Mapping[str, Any]], str]) -> dict[str, str] | None:
    try:
        return {name: draw(parts) for name, parts in asked.items()}
    except Exception:
        return None

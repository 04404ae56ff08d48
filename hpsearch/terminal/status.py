"""What `hpsearch status` prints: once, again and again on a terminal, a line per change elsewhere, or for programs."""

import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Group
from rich.live import Live
from rich.text import Text

from hpsearch.base.observer import StudyStatus
from hpsearch.base.passwords import without_password
from hpsearch.base.printed import say
from hpsearch.base.streams import has_reader
from hpsearch.progress.console import is_fancy, make_console
from hpsearch.progress.status import change, lines, screen

if TYPE_CHECKING:
    from hpsearch.study.status import Onlooker

EVERY_SEC = 1.0
"""How often a study is looked at again."""
_NOTES, _LISTED = 12, 20
"""Lines of a study beside its running trials, and the most of these where the screen is not redrawn."""


def status(name: str | None, *, follow: bool, as_json: bool) -> int:
    """Print how studies stand.

    Args:
        name: of the study; None: all that run in this folder, else the last one.
        follow: look again until they end, or whoever reads leaves.
        as_json: print it for programs; followed, a line per change.

    Returns:
        The exit code.
    """
    from hpsearch.study.status import Onlooker

    onlooker = Onlooker(name)
    if not follow:
        show_status(onlooker.look(time.time()), time.time(), as_json=as_json)
        return 0
    with suppress(KeyboardInterrupt):
        _follow(onlooker, as_json)
    return 0


def _follow(onlooker: "Onlooker", as_json: bool) -> None:
    console = make_console()
    if as_json or not is_fancy(console):
        _each(onlooker, Changes(as_json).show)
        return
    with Live(console=console, auto_refresh=False) as live:

        def show(found: Sequence[StudyStatus], now: float) -> None:
            live.update(_screens(found, *console.size, now), refresh=True)

        _each(onlooker, show)


def _each(onlooker: "Onlooker", show: Callable[[Sequence[StudyStatus], float], None]) -> None:
    """Show how studies stand, again and again, until none of them goes on or nobody reads it."""
    while True:
        now = time.time()
        found = onlooker.look(now)
        show(found, now)
        if not any(each.goes_on for each in found) or not has_reader(sys.stdout):
            return
        time.sleep(EVERY_SEC)


class Changes:
    """Prints a line for each study that has changed.

    Args:
        as_json: for programs.
        stream: where to; None: standard output.
    """

    def __init__(self, as_json: bool = False, stream: TextIO | None = None) -> None:
        self._as_json, self._stream = as_json, stream
        self._said: dict[str, str] = {}

    def show(self, found: Sequence[StudyStatus], now: float) -> None:
        """Print what has changed of some studies."""
        for each in found:
            if self._said.get(each.progress.study) != (news := change(each)):
                self._said[each.progress.study] = news
                line = json.dumps(plain_status(each, now)) if self._as_json else news.replace("\n", " ")
                (self._print if self._as_json else say)(line, self._stream)

    def _print(self, line: str, stream: TextIO | None) -> None:
        print(line, file=stream or sys.stdout, flush=True)


def show_status(
    found: Sequence[StudyStatus], now: float, *, as_json: bool = False, stream: TextIO | None = None
) -> None:
    """Print how studies stand, once.

    Args:
        found: the studies.
        now: seconds since the Unix epoch.
        as_json: for programs.
        stream: where to; None: standard output.
    """
    console = make_console(stream)
    if as_json:
        print(json.dumps({"studies": [plain_status(each, now) for each in found]}, indent=2), file=stream)
    elif is_fancy(console):
        console.print(_screens(found, console.width, 0, now))
    else:
        for each in found:
            for line in lines(each, now):
                say(line, stream)


def _screens(found: Sequence[StudyStatus], width: int, height: int, now: float) -> Group:
    """Return several studies below each other; `height` is what they share, 0 where they may take any."""
    rows = max(1, height // len(found) - _NOTES) if height else _LISTED
    parts: list[Any] = []
    for each in found:
        parts += [screen(each, width, rows, now), Text()]
    return Group(*parts[:-1])


def plain_status(status: StudyStatus, now: float) -> dict[str, Any]:
    """Return how a study stands for programs, without secrets; numbers that are none are texts.

    Args:
        status: of the study.
        now: seconds since the Unix epoch.
    """
    progress, left = status.progress, status.left_sec
    told: dict[str, Any] = {
        **{"study": progress.study, "folder": str(status.folder), "state": status.state, "why": status.why},
        "driver": asdict(status.driver) if status.driver else None,
        "heard_sec": status.heard_sec,
        "total": progress.total,
        "counts": dict(progress.counts),
        "running": [{**asdict(each), "id": str(each.id)} for each in progress.running],
        "best": asdict(progress.best) if progress.best else None,
        "failed": [{"trials": each.trials, "first": each.trial, "reason": each.reason} for each in status.failures],
        "again": [{"id": str(trial), "reason": reason} for trial, reason in status.retried],
        "cut_off": [str(trial) for trial in status.cut_off],
        **{"elapsed_sec": progress.elapsed_sec, "left_sec": left, "ends": None if left is None else now + left},
        **{"unsent": status.unsent, "unreadable": list(status.unreadable), "stages": dict(status.stages)},
    }
    plain: dict[str, Any] = _plain(told)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {without_password(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return without_password(value) if isinstance(value, str) else value

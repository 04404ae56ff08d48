"""What failed trials have to say: those that failed alike are told once."""

import re
import site
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

_CHAINED = re.compile(r"\n(?:The above exception was the direct cause|During handling of the above exception)[^\n]*\n")
_FRAME = re.compile(
    r'^  File "(?P<file>.+)", line (?P<line>\d+), in (?P<name>.+)\n(?:    (?P<code>.*)\n)?', re.MULTILINE
)
_MOST = 5
_FOLDERS = (
    str(Path(__file__).parents[1]),
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    *site.getsitepackages(),
)
_LIBRARIES = frozenset(path for folder in _FOLDERS for path in (Path(folder), Path(folder).resolve()))


@dataclass(frozen=True, slots=True)
class Failure:
    """Trials that failed alike: by the same type of error at the same line, or in the same words.

    Attributes:
        trial: the first of them, as ``POINT/SEED``.
        reason: of its last attempt, in a line.
        traceback: in full; of a trial whose worker died the last lines that it printed.
        log: the file with what that trial printed, None where it printed nothing or trained in the driver's process.
        trials: how many there are.
    """

    trial: str
    reason: str
    traceback: str
    log: Path | None = None
    trials: int = 1

    @property
    def where(self) -> tuple[str, ...]:
        """The lines of the user's own code that led to the error, the outermost first; else the last printed lines."""
        frames = list(_FRAME.finditer(_CHAINED.split(self.traceback)[-1]))
        if not frames:
            return tuple(line.strip() for line in self.traceback.splitlines() if line.strip())[-_MOST:]
        own = [_frame(found) for found in frames if _is_own(found["file"])]
        return tuple(own[-_MOST:])

    def __str__(self) -> str:
        """Return the reason under the lines that led to it."""
        return "\n".join([*self.where, self.reason])


def _frame(found: re.Match[str]) -> str:
    at = f"{Path(found['file']).name}, line {found['line']}, in {found['name']}"
    return f"{at}: {found['code'].strip()}" if found["code"] else at


def _is_own(file: str) -> bool:
    path = Path(file)
    return not file.startswith("<frozen ") and not any(path.is_relative_to(folder) for folder in _LIBRARIES)


def alike(failed: Iterable[tuple[str, Failure]]) -> tuple[Failure, ...]:
    """Return the first failure of each kind with the number of its kind, the most frequent first.

    Args:
        failed: what one that is alike shares, and the failure, in order.
    """
    found: dict[str, Failure] = {}
    for kind, failure in failed:
        first = found.get(kind)
        found[kind] = failure if first is None else replace(first, trials=first.trials + 1)
    return tuple(sorted(found.values(), key=lambda failure: -failure.trials))

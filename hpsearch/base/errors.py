"""The errors that hpsearch raises on purpose: one clear line each, without a traceback on the command line."""

import errno
import re
import traceback
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from hpsearch.base.near import nearest_keys, nearest_names, nearest_values
from hpsearch.base.passwords import without_password
from hpsearch.base.readable import readable, representation
from hpsearch.base.real import is_finite

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A full disk, a quota that is used up, a file larger than a process may write."""

_LACKS = {errno.ENOMEM: "memory", errno.EAGAIN: "processes or threads", errno.EMFILE: "files", errno.ENFILE: "files"}
_STARVED = {"can't start new thread": "threads or memory", "failed to map segment": "memory"}
"""What other errors say where a thread or a library's memory is refused."""


class Correction(NamedTuple):
    """What a word of the command line should have said.

    Attributes:
        where: the group or key that the word is about.
        old: what it says.
        new: what it means.
    """

    where: str
    old: str
    new: str


LONGEST_LINE = 2000
"""Characters of a line of an error: a value in it may be a whole file."""


class HpsearchError(Exception):
    """Something the user can mend; the message says what is wrong, the value, what is allowed, where it came from.

    Each argument is a line: the line feeds of a value that it quotes are shown, and the middle of a long one is not.

    Attributes:
        exit_code: what the command line exits with.
        correction: of the word that is wrong, where there is but one.
    """

    exit_code = 2
    correction: Correction | None = None

    def with_correction(self, correction: Correction | None) -> Self:
        """Return the error, which now knows what would be right."""
        self.correction = correction
        return self

    def __str__(self) -> str:
        return "\n".join(_line(without_password(str(each))) for each in self.args)


def _line(text: str) -> str:
    """Return a text on one line, with its beginning and its end."""
    text = text.replace("\n", "\\n")
    half = LONGEST_LINE // 2 - len(" ... ")
    return text if len(text) <= LONGEST_LINE else f"{text[:half]} ... {text[-half:]}"


class ConfigError(HpsearchError):
    """A configuration that cannot be used: an unknown option, a misspelt key, a value out of range."""


class SpaceError(ConfigError):
    """A search space that cannot be searched."""


class DataError(HpsearchError):
    """A data set that is missing, damaged or does not fit the configuration."""


class StorageError(HpsearchError):
    """A study folder, journal or tracking store that cannot be used."""


class DamageError(StorageError):
    """A file of a study that does not hold what was written to it."""


class BusyError(StorageError):
    """A study that another driver is running."""


class MachineError(HpsearchError):
    """Something of the machine that no other input would mend: workers that die while they start."""

    exit_code = 1


_PARTS = {"val": "valid", "validation": "valid", "dev": "valid", "eval": "valid", "training": "train"}
"""What the parts of the data are called elsewhere."""


def hint(found: Sequence[str]) -> str:
    """Return ``", did you mean 'x' or 'y'?"`` of suggestions; empty where there are none."""
    *first, last = [f"'{each}'" for each in found] or [""]
    return f", did you mean {' or '.join([', '.join(first), last] if first else [last])}?" if last else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the known word that means what `word` does, else for the nearest to it.

    Args:
        word: that is not known; of a dotted key its last part is what may go by another name.
        known: words, dotted keys, or metrics such as ``valid/acc``.

    Returns:
        The hint; the empty string when none is near.
    """
    words = list(known)
    of_a_part = sorted((each for each in words if each.endswith(f"/{word}")), reverse=True)  # valid/ before train/
    if of_a_part:
        return hint(of_a_part[:1])
    if any("/" in each for each in words):
        return hint(_nearest_metric(word, words))
    return hint(nearest_keys(word, words) or nearest_names(word, words))


def _nearest_metric(word: str, words: Sequence[str]) -> list[str]:
    """Return the metric that another name may be: ``val_accuracy`` is ``valid/acc``."""
    part, _, name = re.sub(r"^([a-z]+)[/_]", r"\1/", word.lower()).rpartition("/")
    of_part = f"{_PARTS.get(part, part)}/"
    names = [each.removeprefix(of_part) for each in words if each.startswith(of_part)] if part else []
    found = [f"{of_part}{each}" for each in nearest_values("metric", name, names)]
    return found or nearest_values("metric", word, words)


def message_of(error: BaseException) -> str:
    """Return an error's message; empty where it cannot be made, as may be with an error of a user's own."""
    try:
        return str(error)
    except BaseException:  # what it raises may be an exit, which would end more than the message
        return ""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message that says something, `readable`; empty where there is none."""
    return readable(next((line.strip() for line in message_of(error).splitlines() if line.strip()), ""))


def exit_error(error: BaseException) -> str:
    """Return in a line why a trial exits whose error says no more than that, or what `argparse` refused; else empty."""
    if not isinstance(error, SystemExit):
        return ""
    calls = (frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_name == "error")
    refused = next((frame.f_locals["message"] for frame in calls if "message" in frame.f_locals), None)
    known = "the function of a trial has no command line: it takes its arguments, or parse_args([]) the defaults"
    if refused is not None:
        return f"argparse: {refused}; {known}"
    said = representation(error.code)
    return "" if isinstance(error.code, str) else f"sys.exit({said}): return from the function of a trial instead"


def out_of_memory(error: BaseException | None) -> bool:
    """Return whether memory ran out, on a GPU or here; torch has no class of its own for the latter."""
    if error is None:
        return False
    lacking = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return lacking or "DefaultCPUAllocator" in message_of(error) or out_of_memory(error.__cause__)


def no_room(error: BaseException | None) -> str:
    """Return what the system says of a full disk, a quota or a limit behind an error; empty where it is something else.

    torch hides it behind an error of its own, as it closes the file that it could not write.
    """
    if error is None:
        return ""
    if isinstance(error, OSError) and error.errno in _FULL:
        return str(error)
    return no_room(error.__cause__ or error.__context__)


def lacking(error: BaseException | None) -> str:
    """Return what the machine gives no more of, as an error or what is behind it says; empty where it is no such error.

    That is memory, threads, open files or room on a disk: no fault of the program or of its input.
    """
    if error is None:
        return ""
    said = first_line(error)
    what = "memory" if isinstance(error, MemoryError) else ""
    what = what or next((lack for words, lack in _STARVED.items() if words in said), "")
    if isinstance(error, OSError):
        what = what or _LACKS.get(error.errno or 0, "") or ("room to write" if error.errno in _FULL else "")
    if what:
        return f"the machine gives this process no more {what} ({said or type(error).__name__})"
    return lacking(error.__cause__ or error.__context__)


def check_int(key: str, value: object, low: int, high: int | None = None) -> None:
    """Refuse a value that is no whole number in range.

    Args:
        key: dotted key of the configuration.
        value: what was given; True and False are not numbers.
        low: least value allowed.
        high: greatest value allowed, None for no limit.

    Raises:
        ConfigError: naming the key, the value and the range.
    """
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= (value if high is None else high):
        return
    limit = f">= {low}" if high is None else f"from {low} to {high}"
    raise ConfigError(f"{key} = {value!r}: must be a whole number {limit}")


def check_float(key: str, value: object, interval: str) -> None:
    """Refuse a value that is no finite number in an interval.

    Args:
        key: dotted key of the configuration.
        value: what was given; True and False are not numbers.
        interval: as mathematics writes it, a round bracket excludes its end: ``(0, inf)``, ``[0, 1)``.

    Raises:
        ConfigError: naming the key, the value and the interval.
    """
    low, high = (float(end) for end in interval[1:-1].split(","))
    if is_finite(value):
        above = value >= low if interval[0] == "[" else value > low
        if above and (value <= high if interval[-1] == "]" else value < high):
            return
    raise ConfigError(f"{key} = {value!r}: must be a number in {interval}")


def check_choice(key: str, value: object, allowed: Iterable[object]) -> None:
    """Refuse a value that is not one of those allowed, by an error that names them, and the nearest.

    Args:
        key: dotted key of the configuration.
        value: what was given.
        allowed: the values to choose from.
    """
    options = list(allowed)
    if any(value == option and type(value) is type(option) for option in options):
        return
    found = nearest_values(key, str(value), [str(option) for option in options])
    error = ConfigError(f"{key} = {value!r}: must be one of {', '.join(map(str, options))}{hint(found)}")
    raise error.with_correction(Correction(key, str(value), found[0]) if len(found) == 1 else None)

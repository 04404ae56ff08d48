"""What the doctor says of one thing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from hpsearch.base.errors import first_line

_LONGEST = 500


class Level(StrEnum):
    """How it is."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one thing.

    Attributes:
        level: whether somebody has to do something.
        subject: what was looked at, in a word or a study's name.
        text: what was found, in a sentence; it may quote what others wrote.
        way: a command that mends it, or what to do; empty where nothing is to be done, or the text says it.
    """

    level: Level
    subject: str
    text: str
    way: str = ""


Check: TypeAlias = Callable[[], Iterable[Finding]]


def ok(subject: str, text: str) -> Finding:
    """Return that all is well."""
    return Finding(Level.OK, subject, text)


def note(subject: str, text: str, way: str = "") -> Finding:
    """Return what somebody may want to know."""
    return Finding(Level.NOTE, subject, text, way)


def problem(subject: str, text: str, way: str) -> Finding:
    """Return what needs a hand."""
    return Finding(Level.PROBLEM, subject, text, way)


def checked(subject: str, check: Check) -> Iterator[Finding]:
    """Yield what a check finds; where it breaks down, that is a finding too.

    What is looked at may be damaged or a stranger's in ways that nobody thought of, and the doctor goes on.
    """
    try:
        yield from check()
    except Exception as error:
        said = f"{type(error).__name__}: {first_line(error)}"[:_LONGEST]
        yield problem(subject, f"cannot be looked at ({said})", "move aside what it names, or report this as a fault")

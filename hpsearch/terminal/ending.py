"""How a command ends that was stopped, or whose output was lost."""

import sys

from hpsearch.base import streams
from hpsearch.base.printed import say
from hpsearch.base.stopping import INTERRUPTED


def stopped(command: str) -> int:
    """Say how to go on with what was stopped.

    Args:
        command: goes on with it.

    Returns:
        The exit code.
    """
    say(f"hpsearch: stopped; go on with: {command}", sys.stderr)
    return INTERRUPTED


def told(code: int, answers: bool) -> int:
    """Say where what was printed could not be written; a reader that left, and a stream that was closed, miss nothing.

    Args:
        code: the exit code of what was done.
        answers: whether a command is for what it prints, and keeps it nowhere.

    Returns:
        The exit code; 1 where an answer was lost.
    """
    why = streams.why_lost()
    if why:
        say(f"hpsearch: what it prints could not be written: {why}", sys.stderr)
    return code or int(answers and bool(why))

"""What a command line is told that is refused."""

import argparse
import re
import shlex
from collections.abc import Callable, Sequence

from hpsearch.base.errors import HpsearchError
from hpsearch.terminal.help import COMMANDS, PROGRAM

_KNOWN = re.compile(r" \((?:known|commands): [^()]*; [^()]*\)$")
"""The list of what there is, for which one line has no room beside a whole command."""


def refusal(
    arguments: Sequence[str], error: HpsearchError, parse: Callable[[Sequence[str]], argparse.Namespace]
) -> str:
    """Return why a command line is refused, and what to write instead where that is one and would be accepted.

    Args:
        arguments: its words.
        error: that refuses them.
        parse: takes words apart, or refuses them.

    Returns:
        One line.
    """
    instead = _instead(arguments, error, parse)
    said = re.sub(_KNOWN, "", str(error))
    return f"{said}; write: {PROGRAM} {shlex.join(instead)}" if instead else str(error)


def _instead(
    arguments: Sequence[str], error: HpsearchError, parse: Callable[[Sequence[str]], argparse.Namespace]
) -> Sequence[str]:
    if not arguments or arguments[0] in COMMANDS:
        return ()  # what commands take is checked only when they begin
    from hpsearch.study.corrected import as_overrides, corrected, refusal_of

    def refused(words: Sequence[str]) -> HpsearchError | None:
        try:
            parsed = parse(words)
        except HpsearchError as other:
            return other
        return None if parsed.help else refusal_of(parsed.words, parsed.config_dir)

    given = arguments if error.correction else as_overrides(arguments)
    first = error if error.correction else refused(given)
    return corrected(given, first, refused) or () if given else ()

"""Hydra's parser of overrides, which refuses by one kind of error whatever it cannot read."""

from itertools import accumulate
from typing import Any

from hydra.core.override_parser import overrides_visitor
from hydra.core.override_parser.overrides_parser import OverridesParser, create_functions
from hydra.errors import HydraException

from hpsearch.base.asserts import with_asserts

_DEEPEST = 200
"""Brackets in one another; the parser takes seconds for thousands, and Python's own stack ends before."""
_BRACKETS = {"[": 1, "{": 1, "(": 1, "]": -1, "}": -1, ")": -1}


class UnreadableError(HydraException):
    """A word that the grammar allows and Python cannot hold."""


class Parser(OverridesParser):
    """Hydra's parser with its assertions; its functions may be replaced.

    Raises:
        HydraException: where a word is not parsed; an `UnreadableError` where Hydra lets an error of Python's pass: a
            number has too many digits, or lists are nested too deeply.
    """

    def __init__(self) -> None:
        with_asserts(overrides_visitor)
        super().__init__(create_functions())

    def parse_rule(self, s: str, rule_name: str) -> Any:
        """Parse a text by a rule of the grammar, see the class."""
        if _depth(s) > _DEEPEST:
            raise UnreadableError("it is nested too deeply")
        try:
            return super().parse_rule(s, rule_name)
        except RecursionError:
            raise UnreadableError("it is nested too deeply") from None
        except ValueError as error:
            raise UnreadableError(str(error).partition(";")[0]) from None


def _depth(text: str) -> int:
    """Return how many brackets stand open at once at most, those in quotes counted too."""
    return max(accumulate(_BRACKETS.get(sign, 0) for sign in text), default=0)

"""What points of a search space must meet: arithmetic and comparisons of searched keys.

``model.width % model.heads == 0``. The text is read by Python's own parser, and everything else than numbers, texts,
keys, arithmetic (``+ - * / // % **``) and comparisons (``== != < <= > >=``, ``in`` and ``not in`` with a list) is
refused; what is left is computed here, so that nothing of a text is ever run as a program.
"""

import ast
import operator
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hpsearch.base.arithmetic import ARITHMETIC, ORDERS
from hpsearch.base.conditions import Condition
from hpsearch.base.errors import SpaceError
from hpsearch.base.grammar import value_text

MAX_POWER_BITS = 2**16
"""A power that is longer is out of range: it would take too long to compute."""

_TOKEN = re.compile(
    r"(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<key>(?<![\w.])[A-Za-z_]\w*(?:\.\w+|\[\d+\])*)"
)
_WORDS = {"in", "not", "and", "or", "is", "if", "else", "for", "lambda", "True", "False", "None"}
_CONSTANTS = {"true": "True", "false": "False", "null": "None"}
_COMPARISONS: Mapping[type[ast.AST], Callable[[Any, Any], bool]] = {
    **ORDERS,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda one, others: one in others,
    ast.NotIn: lambda one, others: one not in others,
}
_LISTS = (ast.In, ast.NotIn)
_ALLOWED = "a constraint compares arithmetic of keys, as model.width % model.heads == 0"


@dataclass(frozen=True)
class Constraint:
    """One comparison that every point must meet where all of its keys are active.

    Attributes:
        text: as written.
        condition: under which it applies.

    Raises:
        SpaceError: the text is no such comparison.
    """

    text: str
    condition: Condition = ()
    _names: dict[str, str] = field(init=False, repr=False, compare=False)
    _tree: ast.Compare = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names: dict[str, str] = {}
        code = _substituted(self.text, lambda key: names.setdefault(key, f"_{len(names)}"))
        try:
            with warnings.catch_warnings(action="ignore"):  # about 1in, which Python takes, on the terminal
                tree = ast.parse(code.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise SpaceError(f"{self.text}: it does not parse; {_ALLOWED}") from None
        if not isinstance(tree, ast.Compare):
            raise SpaceError(f"{self.text}: nothing is compared; {_ALLOWED}")
        _check(tree, self.text)
        known = {*names.values(), *_CONSTANTS.values()}
        if strange := [each.id for each in ast.walk(tree) if isinstance(each, ast.Name) and each.id not in known]:
            raise SpaceError(f"{self.text}: {strange[0]} is no key of a configuration")
        object.__setattr__(self, "_names", {name: key for key, name in names.items()})
        object.__setattr__(self, "_tree", tree)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it names, in order."""
        return tuple(self._names.values())

    @cached_property
    def numeric(self) -> tuple[str, ...]:
        """The keys of which it takes a number: in arithmetic, or compared by order."""
        found = (name for node in ast.walk(self._tree) for name in _calculated(node))
        return tuple(dict.fromkeys(self._names[name] for name in found))

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether values by dotted key meet it.

        Args:
            values: of a point; where one of the keys is missing the constraint does not apply.

        Returns:
            Whether it holds or does not apply; what has no value (a division by zero) does not hold.
        """
        if not all(key in values for key in self.keys) or not all(
            clause.key in values and clause.holds(values[clause.key]) for clause in self.condition
        ):
            return True
        try:
            return _compare(self._tree, {name: values[key] for name, key in self._names.items()})
        except (ArithmeticError, TypeError):
            return False

    def renamed(self, name: Callable[[str], str]) -> "Constraint":
        """Return the same with other names of its keys, its condition as it is."""
        return Constraint(_substituted(self.text, name), self.condition)

    def filled(self, values: Mapping[str, Any]) -> "Constraint":
        """Return the same with values in place of some of its keys.

        Args:
            values: by dotted key: numbers, texts, booleans or None.

        Returns:
            The constraint on the other keys.

        Raises:
            SpaceError: one of the values is a list or a table.
        """
        for key in self.keys:
            if isinstance(values.get(key), list | dict):
                raise SpaceError(f"{self.text}: {key} = {value_text(values[key])} cannot be compared")
        return Constraint(
            _substituted(self.text, lambda key: repr(values[key]) if key in values else key), self.condition
        )


def _substituted(text: str, name: Callable[[str], str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        word = match["key"]
        if word is None or word in _WORDS:
            return match[0]
        return _CONSTANTS.get(word) or name(word)

    return _TOKEN.sub(replaced, text)


def _check(node: ast.expr, text: str) -> None:
    """Refuse what is neither arithmetic nor a comparison."""
    match node:
        case ast.Compare(left=left, ops=operations, comparators=others):
            operands = [left, *others]
            for operation, other in zip(operations, others, strict=True):
                if type(operation) not in _COMPARISONS or isinstance(operation, _LISTS) != isinstance(
                    other, ast.List | ast.Tuple
                ):
                    raise SpaceError(f"{text}: {_said(operation)} is not allowed here; {_ALLOWED}")
        case ast.List(elts=operands) | ast.Tuple(elts=operands):
            pass
        case ast.BinOp(left=left, op=operation, right=right):
            operands = [left, right]
            if type(operation) not in ARITHMETIC and not isinstance(operation, ast.Pow):
                raise SpaceError(f"{text}: {_said(operation)} is not allowed; {_ALLOWED}")
        case ast.UnaryOp(op=operation, operand=operand):
            operands = [operand]
            if type(operation) not in ARITHMETIC:
                raise SpaceError(f"{text}: {_said(operation)} is not allowed; {_ALLOWED}")
        case ast.Constant() | ast.Name():
            operands = []
        case _:
            raise SpaceError(f"{text}: {_said(node)} is not allowed; {_ALLOWED}")
    for operand in _parts(node):
        if isinstance(operand, ast.Constant) and not isinstance(operand.value, int | float):
            raise SpaceError(f"{text}: {operand.value!r} is no number")
    for operand in operands:
        if isinstance(operand, ast.Compare):
            raise SpaceError(f"{text}: a comparison inside another is not allowed; {_ALLOWED}")
        _check(operand, text)


def _said(node: ast.AST) -> str:
    """Return what a kind of node is called."""
    return {"BoolOp": "and/or", "Call": "a call", "Attribute": "an attribute", "Subscript": "an index"}.get(
        type(node).__name__, type(node).__name__.lower()
    )


def _parts(node: ast.AST) -> list[ast.expr]:
    """Return the operands of a node that must be numbers."""
    match node:
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.Compare(left=left, ops=operations, comparators=others):
            pairs = zip([left, *others], others, operations, strict=False)
            return [each for *both, operation in pairs if type(operation) in ORDERS for each in both]
        case _:
            return []


def _calculated(node: ast.AST) -> Iterator[str]:
    return (operand.id for operand in _parts(node) if isinstance(operand, ast.Name))


def _compare(node: ast.Compare, values: Mapping[str, Any]) -> bool:
    left = _value(node.left, values)
    for operation, right_node in zip(node.ops, node.comparators, strict=True):
        right = _value(right_node, values)
        if not _COMPARISONS[type(operation)](left, right):
            return False
        left = right
    return True


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return values[name]
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item, values) for item in items]
        case ast.UnaryOp(op=operation, operand=operand):
            return ARITHMETIC[type(operation)](_value(operand, values))
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left, values), _value(right, values))
        case ast.BinOp(left=left, op=operation, right=right):
            return ARITHMETIC[type(operation)](_value(left, values), _value(right, values))
    raise AssertionError(f"{type(node).__name__} was not refused")


def _power(base: Any, exponent: Any) -> Any:
    bits = base.bit_length() if isinstance(base, int) else 1
    if bits * abs(exponent) > MAX_POWER_BITS:
        raise OverflowError
    return base**exponent

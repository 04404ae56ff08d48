"""Arithmetic written as text, computed without running any code of the text."""

import ast
import math
from collections.abc import Callable, Mapping

from hpsearch.base.arithmetic import ARITHMETIC, ORDERS
from hpsearch.base.errors import ConfigError

FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "abs": abs,
    "ceil": math.ceil,
    "cos": math.cos,
    "exp": math.exp,
    "floor": math.floor,
    "log": math.log,
    "max": max,
    "min": min,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tanh": math.tanh,
}
CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e}

_OPERATORS: Mapping[type[ast.AST], Callable[..., float]] = {**ARITHMETIC, **ORDERS, ast.Pow: math.pow}

Formula = Callable[[Mapping[str, float]], float]


def parse(key: str, text: object, names: tuple[str, ...]) -> Formula:
    """Return the function that an arithmetic expression describes.

    It may hold numbers, `names`, `CONSTANTS`, `FUNCTIONS`, ``+ - * / // % **``, comparisons and ``a if b else c``.

    Args:
        key: dotted key of the configuration, for messages.
        text: the expression.
        names: its variables.

    Returns:
        A function from the variables' values to the expression's value.

    Raises:
        ConfigError: for anything else in the text.
    """
    allowed = f"allowed: {', '.join((*names, *CONSTANTS, *FUNCTIONS))}, numbers, + - * / // % **, < > and if-else"
    try:
        tree = ast.parse(str(text), mode="eval")
        return _formula(tree.body, names)
    except (SyntaxError, RecursionError, MemoryError):
        raise ConfigError(f"{key} = {text!r}: is no expression ({allowed})") from None
    except _NotAllowed as error:
        raise ConfigError(f"{key} = {text!r}: {error} may not be used ({allowed})") from None


class _NotAllowed(Exception):
    pass


def _formula(node: ast.expr, names: tuple[str, ...]) -> Formula:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return lambda _: float(value)
        case ast.Name(id=name) if name in names:
            return lambda values: values[name]
        case ast.Name(id=name) if name in CONSTANTS:
            return lambda _: CONSTANTS[name]
        case ast.BinOp(op=op) if type(op) in _OPERATORS:
            return _applied(_OPERATORS[type(op)], (node.left, node.right), names)
        case ast.UnaryOp(op=op) if type(op) in _OPERATORS:
            return _applied(_OPERATORS[type(op)], (node.operand,), names)
        case ast.Compare(ops=[op]) if type(op) in _OPERATORS:
            return _applied(_OPERATORS[type(op)], (node.left, *node.comparators), names)
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in FUNCTIONS:
            return _applied(FUNCTIONS[name], tuple(node.args), names)
        case ast.IfExp():
            test, yes, no = (_formula(part, names) for part in (node.test, node.body, node.orelse))
            return lambda values: yes(values) if test(values) else no(values)
        case _:
            raise _NotAllowed(ast.unparse(node))


def _applied(function: Callable[..., float], arguments: tuple[ast.expr, ...], names: tuple[str, ...]) -> Formula:
    parts = [_formula(argument, names) for argument in arguments]
    return lambda values: function(*(part(values) for part in parts))

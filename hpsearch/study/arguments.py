"""The arguments of a user's function: values as Python has them in, and the best setting out."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial, update_wrapper
from types import FunctionType
from typing import Any

from optuna.distributions import BaseDistribution

from hpsearch.base.conditions import WHERE, flat_name, split_name, where_parts, where_text
from hpsearch.base.constraint import Constraint
from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.base.grammar import value_text
from hpsearch.base.keys import ARGS
from hpsearch.search import distributions

PREFIX = f"{ARGS}."
"""Before the names of arguments in a configuration."""


def as_function(given: Any) -> Callable[..., Any]:
    """Return a function for what can be called like one: a partial, a bound method, an object.

    Args:
        given: a function, or one of these.

    Returns:
        The function itself, or one that does the same and has its name.

    Raises:
        ConfigError: it is a class, a coroutine, or cannot be called.
    """
    if isinstance(given, type):
        made = "that makes one, trains it, and returns, reports or yields what it measured"
        raise ConfigError(f"trial_fn = {given!r}: is a class: pass a function {made}")
    if not callable(given):
        raise ConfigError(f"trial_fn = {given!r:.200}: is no function: pass the function itself, not what it returns")
    if inspect.iscoroutinefunction(given) or inspect.isasyncgenfunction(given):
        raise ConfigError(f"trial_fn = {given!r:.200}: is async: pass a function that calls asyncio.run on it")
    if isinstance(given, FunctionType):
        return given

    def function(*args: Any, **kwargs: Any) -> Any:
        return given(*args, **kwargs)

    named = given
    while isinstance(named, partial):
        named = named.func
    update_wrapper(function, given, updated=())
    function.__name__ = function.__qualname__ = getattr(named, "__name__", type(named).__name__)
    return function


def in_args(name: str) -> str:
    """Return the flat name in a configuration of what is searched: an argument, its conditions on others too."""
    key, condition = split_name(name)
    condition = tuple(replace(clause, key=_key(clause.key)) for clause in condition)
    return flat_name(key if key == WHERE else _key(key), condition)


def _key(argument: str) -> str:
    """Return the key of an argument; a key as it is."""
    return argument if argument.startswith(PREFIX) else f"{PREFIX}{argument}"


def setting_in_args(setting: Any) -> Any:
    """Return a setting by the keys of a configuration; what is no table as it is, to be refused."""
    if not isinstance(setting, Mapping):
        return setting
    return {in_args(name): _plain(value) for name, value in setting.items()}


def written(what: str, value: Any) -> str:
    """Return a value as a word of a command has it.

    Args:
        what: is given it.
        value: a scalar of Python or numpy, a text, or lists and mappings of them.

    Raises:
        ConfigError: it is of another type.
    """
    try:
        return value_text(_plain(value))
    except TypeError:
        allowed = "None, true or false, numbers, texts, lists and mappings of them"
        other = "let the function make it, or search functools.partial(function, ...)"
        raise ConfigError(f"{what}: holds a {type(_foreign(value)).__name__}: must be {allowed}; {other}") from None


def _foreign(value: Any) -> Any:
    """Return the part of a value that no configuration holds."""
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for part in parts:
        try:
            value_text(part)
        except TypeError:
            return _foreign(part)
    return value


def check_tables(**given: object) -> None:
    """Check arguments of `run_search` that are tables by the function's arguments.

    Args:
        given: by name.

    Raises:
        ConfigError: one is no mapping.
    """
    for name, value in given.items():
        if not isinstance(value, Mapping):
            raise ConfigError(f"{name} = {value!r}: must be a mapping by the function's arguments, as {{'lr': ...}}")


def check_lists(**given: object) -> None:
    """Check arguments of `run_search` that are lists.

    Args:
        given: by name.

    Raises:
        ConfigError: one is neither a list nor a tuple.
    """
    for name, value in given.items():
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{name} = {value!r}: must be a list")


def expression_of(name: str, given: Any) -> Any:
    """Return the search expression of an argument: of a list or tuple the choice of its values.

    Args:
        name: of the argument, with its conditions; ``where`` for constraints.
        given: an expression, values or an Optuna distribution; one constraint or several.

    Returns:
        The expression; constraints as one text, on the keys of a configuration.

    Raises:
        SpaceError: a value has a type that no configuration holds, or a constraint makes no sense.
    """
    if split_name(name)[0] == WHERE:
        return _constraints(name, given)
    if not isinstance(given, list | tuple | BaseDistribution):
        return given
    try:
        if isinstance(given, BaseDistribution):
            return distributions.expression_of(given)
        return f"choice({', '.join(value_text(_plain(value)) for value in given)})"
    except TypeError as error:
        raise SpaceError(f"space {name}: {error}") from None


def _constraints(name: str, given: Any) -> str:
    texts = where_parts(given) if isinstance(given, str) else given
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise SpaceError(f"space {name} = {given!r}: must be a list of constraints, as ['width % heads == 0']")
    try:
        return where_text([Constraint(text).renamed(_key).text for text in texts])
    except SpaceError as error:
        raise SpaceError(f"space {name}: {error}") from None


def _plain(value: Any) -> Any:
    """Return a scalar of numpy as Python's; anything else as it is."""
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "shape", None) == () else value


def arguments_of(params: Mapping[str, Any], searched: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the function is called with for a point, by the names of its arguments.

    Args:
        params: the point's active hyperparameters by dotted key.
        searched: names in the space, with their conditions.
        given: arguments that are not searched; of lists of which elements are, the others.

    Returns:
        A value for every argument that is searched; None for one that is not active, lists whole.
    """
    found: dict[str, Any] = {}
    for key in dict.fromkeys(split_name(name)[0] for name in searched):
        argument, is_element, place = key.removesuffix("]").partition("[")
        if key == WHERE:
            continue
        if not is_element:
            argument = argument.removeprefix(PREFIX)
            found[argument] = params.get(f"{PREFIX}{argument}")
            continue
        values = list(found.get(argument, given.get(argument, ())))
        values += [None] * (int(place) + 1 - len(values))
        values[int(place)] = params.get(f"{PREFIX}{key}", values[int(place)])
        found[argument] = values
    return found

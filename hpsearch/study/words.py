"""The words of a command line that a search of arguments is, called from Python."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from hpsearch.base.conditions import flat_entries, space_word
from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.base.grammar import value_text
from hpsearch.base.types import Objective
from hpsearch.study.arguments import PREFIX, check_lists, check_tables, expression_of, in_args, setting_in_args, written

VALUE = "value"
"""What an objective of Optuna returns is called where it is not given a name."""
MAXIMIZE = "maximize"


def search_words(
    trainer: Sequence[str],
    *,
    space: Mapping[str, Any] | None,
    arguments: Mapping[str, Any] | None,
    options: Mapping[str, str],
    first: Sequence[Mapping[str, Any]],
    prior: str | None,
    budget: Mapping[str, float | None],
    objective: Objective,
    seeds: int,
    seed: int,
    name: str,
    grow: str | None,
    overrides: Sequence[str],
    suggests: bool = False,
) -> list[str]:
    """Return the words that search the arguments of a function.

    Args:
        trainer: the words that say what trains.
        space: as for `hpsearch.run_search`.
        arguments: that are not searched.
        options: by group.
        first: settings to try first.
        prior: name of an earlier study.
        budget: limits by the last part of their key; None for none.
        objective: what is searched for.
        seeds: trials of each setting.
        seed: of the search.
        name: of the study.
        grow: name of the study to go on with in another space.
        overrides: further words.
        suggests: whether the function says itself what is searched, where no space is given.

    Returns:
        The words. What cannot be searched raises one of the errors of `hpsearch.base.errors`.

    Raises:
        SpaceError: the space is empty.
    """
    arguments = {} if arguments is None else arguments
    check_tables(**({} if space is None and suggests else {"space": space}), arguments=arguments)
    space = space or {}
    check_lists(first=first, overrides=overrides)
    if not space and not suggests:
        raise SpaceError("space = {}: nothing to search; give an expression for at least one argument")
    searched = {key: expression_of(key, given) for key, given in flat_entries(space)}
    return [
        *("+study=search", *trainer),
        *(f"{group}={option}" for group, option in options.items()),
        *(f"seed={seed}",),
        *((f"sampler.first={written('first', [setting_in_args(setting) for setting in first])}",) if first else ()),
        *((f"sampler.prior={value_text(prior)}",) if prior else ()),
        *(f"+{PREFIX}{key}={written(f'arguments.{key}', value)}" for key, value in arguments.items()),
        *(space_word(in_args(key), given) for key, given in searched.items()),
        *_objective_words(objective),
        *(f"budget.{key}={value_text(value)}" for key, value in budget.items() if value is not None),
        *(f"study.seeds={seeds}", f"study.name={value_text(name)}"),
        *((f"study.grow={value_text(grow)}",) if grow else ()),
        *overrides,
    ]


def named_objective(
    named: str | Objective | Sequence[str | Objective] | None,
    direction: str | None,
    directions: Sequence[str] | None,
    limits: Mapping[str, float] | None,
    suggests: bool,
) -> Objective:
    """Return what is searched for, as `hpsearch.run_search` was told.

    Args:
        named: an objective or several, or their names.
        direction: of one that is given by its name.
        directions: of several.
        limits: largest values by metric, for such ones.
        suggests: whether it is an objective of Optuna: its number has no name, and no direction unless one is given.

    Returns:
        The objective.

    Raises:
        ConfigError: the direction of an objective of Optuna is missing, or the lists do not go together.
    """
    if isinstance(named, Objective):
        return named
    given = [direction] if directions is None and direction else list(directions or ())
    if direction is not None and directions is not None:
        raise ConfigError(f"direction = {direction!r} and directions = {directions!r}: give one of both")
    names: list[str | Objective]
    if named is None:
        names = ["valid/acc"] if not suggests else [VALUE] if len(given) < 2 else [*numbered(len(given))]
    else:
        names = [named] if isinstance(named, str) else [*named]
    if not given and suggests and not any(isinstance(name, Objective) for name in names):
        raise ConfigError(
            "direction: an objective of Optuna says nothing of it: give direction='minimize' or 'maximize' (directions "
            "of several), and objective='valid/acc' to give what it returns a name"
        )
    given = given or [MAXIMIZE] * len(names)
    if len(given) != len(names) or not names:
        raise ConfigError(f"directions = {given}: must be one for each objective ({', '.join(map(str, names))})")
    each = [
        name if isinstance(name, Objective) else Objective(name, way) for name, way in zip(names, given, strict=True)
    ]
    return replace(each[0], others=tuple(each[1:]), limits=limits or each[0].limits)


def numbered(several: int) -> list[str]:
    """Return the names of the values that an objective of Optuna returns, so many of them."""
    return [f"{VALUE}_{place}" for place in range(several)]


def _objective_words(objective: Objective) -> list[str]:
    fields = asdict(objective)
    others = [{"_target_": "hpsearch.base.types.Objective", **_plain(other)} for other in fields.pop("others")]
    return [f"objective.{key}={value_text(value)}" for key, value in (*fields.items(), ("others", others))]


def _plain(objective: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in objective.items() if key != "others"}

"""The words of a command line that a search of arguments is, called from Python."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hpsearch.base.conditions import flat_entries, space_word
from hpsearch.base.errors import SpaceError
from hpsearch.base.grammar import value_text
from hpsearch.base.types import Objective
from hpsearch.study.arguments import PREFIX, check_lists, check_tables, expression_of, in_args, setting_in_args, written


def search_words(
    trainer: Sequence[str],
    *,
    space: Mapping[str, Any],
    arguments: Mapping[str, Any] | None,
    options: Mapping[str, str],
    first: Sequence[Mapping[str, Any]],
    prior: str | None,
    budget: Mapping[str, float | None],
    objective: str | Objective,
    direction: str,
    limits: Mapping[str, float] | None,
    seeds: int,
    seed: int,
    name: str,
    grow: str | None,
    overrides: Sequence[str],
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
        objective: what is searched for, or a metric by its name.
        direction: of such a metric.
        limits: by metric, for such a one.
        seeds: trials of each setting.
        seed: of the search.
        name: of the study.
        grow: name of the study to go on with in another space.
        overrides: further words.

    Returns:
        The words. What cannot be searched raises one of the errors of `hpsearch.base.errors`.

    Raises:
        SpaceError: the space is empty.
    """
    arguments = {} if arguments is None else arguments
    check_tables(space=space, arguments=arguments)
    check_lists(first=first, overrides=overrides)
    if not space:
        raise SpaceError("space = {}: nothing to search; give an expression for at least one argument")
    wanted = objective if isinstance(objective, Objective) else Objective(objective, direction, limits=limits or {})
    searched = {key: expression_of(key, given) for key, given in flat_entries(space)}
    return [
        *("+study=search", *trainer),
        *(f"{group}={option}" for group, option in options.items()),
        *(f"seed={seed}",),
        *((f"sampler.first={written('first', [setting_in_args(setting) for setting in first])}",) if first else ()),
        *((f"sampler.prior={value_text(prior)}",) if prior else ()),
        *(f"+{PREFIX}{key}={written(f'arguments.{key}', value)}" for key, value in arguments.items()),
        *(space_word(in_args(key), given) for key, given in searched.items()),
        *_objective_words(wanted),
        *(f"budget.{key}={value_text(value)}" for key, value in budget.items() if value is not None),
        *(f"study.seeds={seeds}", f"study.name={value_text(name)}"),
        *((f"study.grow={value_text(grow)}",) if grow else ()),
        *overrides,
    ]


def _objective_words(objective: Objective) -> list[str]:
    fields = asdict(objective)
    others = [{"_target_": "hpsearch.base.types.Objective", **_plain(other)} for other in fields.pop("others")]
    return [f"objective.{key}={value_text(value)}" for key, value in (*fields.items(), ("others", others))]


def _plain(objective: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in objective.items() if key != "others"}

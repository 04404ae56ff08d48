"""What an ablation compares: the cells of the grid of its factors, checked before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.base.conditions import split_name
from hpsearch.base.errors import ConfigError, SpaceError, nearest
from hpsearch.base.grammar import value_text
from hpsearch.base.keys import PER_SEED, RETUNED
from hpsearch.config.compose import Composition
from hpsearch.config.words import COMMAND_LINE
from hpsearch.reports.ablation.arms import name_of
from hpsearch.search.space import Space


@dataclass(frozen=True, slots=True)
class Factorial:
    """The design of an ablation.

    Attributes:
        factors: expressions of what is compared, by flat name.
        nuisance: expressions of what is retuned for every arm, by flat name.
        retuned: whether it is; else every arm has the values of the configuration.
        keys: dotted keys of the factors.
        arms: levels of every arm by its name, in the order of the grid; inactive conditional factors are left out.
        reference: name of the arm that the others are compared with.
        replicates: seeds of every arm.
        points: values per interval of the search over the nuisance.
        seeds: of that search, of its own.
        epochs: of that search; None: as many as the arms train.
    """

    factors: Mapping[str, str]
    nuisance: Mapping[str, str]
    retuned: bool
    keys: tuple[str, ...]
    arms: Mapping[str, Mapping[str, Any]]
    reference: str
    replicates: int
    points: int
    seeds: int
    epochs: int | None

    @property
    def words(self) -> list[str]:
        """The words that tell the study of a stage what is compared, and with what."""
        levels = {key: self.arms[self.reference].get(key) for key in self.keys}
        return [f"ablation.factors={value_text(list(self.keys))}", f"ablation.reference={value_text(levels)}"]


def factorial_of(composition: Composition) -> Factorial | None:
    """Return the design that a configuration describes.

    Args:
        composition: the configuration.

    Returns:
        The design; None where ``ablation.nuisance`` is null.

    Raises:
        ConfigError: each seed has a split of its own, there is nothing to retune, the reference is no arm, or factors
            are named apart from the space.
    """
    options, nuisance = composition.config["ablation"], composition.config["nuisance"]
    if options["nuisance"] is None:
        return None
    if options["factors"]:
        raise ConfigError(
            f"ablation.factors = {value_text(list(options['factors']))}: the factors of an ablation are the keys of "
            f"its space; take the others out of it (from {composition.where('ablation.factors')})"
        )
    if dict(composition.config.get("data") or {}).get("split_seed") == PER_SEED:
        raise ConfigError(
            "data.split_seed = per_seed: the arms of an ablation are compared on the same samples; use a number (from "
            f"{composition.where('data.split_seed')})"
        )
    space = Space.parse(composition.space, composition.where)
    keys = tuple(dict.fromkeys(parameter.key for parameter in space.parameters))
    _check_factors(space, composition)
    _check_nuisance(nuisance, keys, composition)
    cells = [space.active(cell) for cell in space.grid()]
    nuisance = {name: text for name, text in nuisance.items() if _reached(name, cells, keys, composition)}
    whole = Space.parse({**composition.space, **nuisance}, composition.where)
    composition.check_space(whole.ends())
    retuned = options["nuisance"] == RETUNED
    if retuned and not nuisance:
        raise ConfigError(
            f"ablation.nuisance = retuned: the block nuisance is empty, so nothing would be retuned; add "
            f"'nuisance.KEY=EXPRESSION', or take held (from {composition.where('ablation.nuisance')})"
        )
    arms = {name_of({key: cell.get(key) for key in keys}): cell for cell in cells}
    return Factorial(
        factors=dict(composition.space),
        nuisance=dict(nuisance),
        retuned=retuned,
        keys=keys,
        arms=arms,
        reference=_reference(options["reference"] or {}, arms, space, composition.where("ablation.reference")),
        replicates=composition.config["study"]["seeds"],
        **{name: options[name] for name in ("points", "seeds", "epochs")},
    )


def _check_factors(space: Space, composition: Composition) -> None:
    if not space.parameters:
        raise SpaceError(f"study '{composition.study_name}' has no factor left: its space is empty")
    for parameter in space.parameters:
        text = f"space {parameter.name} = {parameter.expression}"
        source = f" (from {composition.where(parameter.name)})"
        if parameter.values is None:
            raise SpaceError(f"{text}: a factor has values to compare, not a range; write choice(...){source}")
        if len(parameter.values) < 2:
            only = f"{parameter.key}={value_text(parameter.values[0])}"
            raise SpaceError(f"{text}: a factor that never varies compares nothing; fix it with {only}{source}")


def _check_nuisance(nuisance: Mapping[str, str], keys: tuple[str, ...], composition: Composition) -> None:
    for name in nuisance:
        key, _ = split_name(name)
        if key in keys:
            raise SpaceError(
                f"nuisance {name}: {key} is a factor, so it cannot be retuned (from {composition.where(name)} and "
                f"{composition.where(key)})"
            )


def _reached(name: str, cells: Sequence[Mapping[str, Any]], keys: Sequence[str], composition: Composition) -> bool:
    """Return whether some arm meets the conditions of a nuisance key.

    A branch of the command line that none meets stays, and the space refuses it; one in a file waits for other factors.
    """
    wanted = [clause for clause in split_name(name)[1] if clause.key in keys]
    met = any(all(clause.key in cell and clause.holds(cell[clause.key]) for clause in wanted) for cell in cells)
    return met or composition.where(name) == f"the search space on {COMMAND_LINE}"


def _reference(wanted: Mapping[str, Any], arms: Mapping[str, Mapping[str, Any]], space: Space, source: str) -> str:
    values: dict[str, list[Any]] = {}
    for parameter in space.parameters:
        values.setdefault(parameter.key, []).extend(parameter.values or ())
    for key, value in wanted.items():
        if key not in values:
            raise ConfigError(
                f"ablation.reference: {key} is no factor{nearest(key, values)} ({', '.join(values)}; from {source})"
            )
        if value not in values[key]:
            levels = ", ".join(map(value_text, values[key]))
            raise ConfigError(f"ablation.reference: no arm has {key} = {value_text(value)} ({levels}; from {source})")
    matching = [name for name, arm in arms.items() if all(arm.get(key) == value for key, value in wanted.items())]
    if not matching:
        raise ConfigError(f"ablation.reference: no arm is {name_of(wanted)} (from {source})")
    return matching[0]

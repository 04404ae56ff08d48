"""A search space: Hydra's sweep grammar in, Optuna's distributions out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True)
class Parameter:
    """One searched hyperparameter."""

    name: str
    key: str
    condition: tuple[tuple[str, str], ...]
    distribution: "BaseDistribution"
    expression: str


@dataclass(frozen=True)
class Space:
    """A flat, static search space."""

    parameters: tuple[Parameter, ...]

    @classmethod
    def parse(cls, table: Mapping[str, str], where: Callable[[str], str]) -> "Space":
        """Parse the flat table of a composition."""
        raise NotImplementedError

    def distributions(self) -> dict[str, "BaseDistribution"]:
        """Return what Optuna is asked, by flat name."""
        raise NotImplementedError

    def active(self, flat: Mapping[str, Any]) -> dict[str, Any]:
        """Return the active hyperparameters of an Optuna point, decoded, by dotted key."""
        raise NotImplementedError

    def flat(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the Optuna values of active hyperparameters: the inverse of `active`."""
        raise NotImplementedError

    def grid(self, points: int | Mapping[str, int] | None = None) -> list[dict[str, Any]]:
        """Return every active combination, by dotted key."""
        raise NotImplementedError

    def size(self) -> int | None:
        """Return the number of active combinations, None when it is infinite."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, str]:
        """Return the space in a form to store and compare; `parse` reads it again."""
        raise NotImplementedError

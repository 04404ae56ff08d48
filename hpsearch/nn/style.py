"""What follows each weighted layer of a model: normalization and activation, and their constants."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypedDict, cast

from torch import nn

from hpsearch.base.errors import ConfigError, check_choice
from hpsearch.base.limits import check_values
from hpsearch.nn.activations import (
    ACTIVATIONS,
    PIECEWISE,
    SLOPED,
    activation_layer,
    channels_after,
    channels_before,
)
from hpsearch.nn.limits import CONSTANTS
from hpsearch.nn.normalization import NORMS, centres_channels, normalization, norms_with


class Constants(TypedDict, total=False):
    """Constants of a model's activation and normalization, as its arguments; see `Style` for each."""

    activation_slope: float | None
    activation_pieces: int | None
    norm_eps: float | None
    norm_momentum: float | None
    norm_groups: int | None
    norm_size: int | None
    norm_alpha: float | None
    norm_beta: float | None
    norm_k: float | None


@dataclass(frozen=True, slots=True)
class Style:
    """What follows each weighted layer of a model.

    A constant of another activation or normalization than the one that is chosen is refused: it would do nothing.

    Attributes:
        activation: a key of `hpsearch.nn.activations.ACTIVATIONS`.
        norm: a key of `hpsearch.nn.normalization.NORMS`.
        norm_first: normalize before the activation, or after it.
        activation_slope: slope below zero of ``leaky_relu``, None is 0.01; of ``prelu`` where it starts, None is 0.25.
            ``elu`` has none: it bends towards -1, and any other limit would be a kink at zero.
        activation_pieces: linear pieces k of a unit of ``maxout``; None is 2.
        norm_eps: added to the variance by ``batch``, ``layer``, ``instance`` and ``group``; None is 1e-5.
        norm_momentum: of ``batch``, the share of a batch in the running averages: ``m := (1 - momentum) m + momentum *
            m_batch``; None is 0.1. What other libraries call momentum or decay is one minus it.
        norm_groups: of ``group``, their number, which divides the channels of every layer; None: as many as there can
            be, at most 32, of at least 8 channels.
        norm_size: of ``local_response``, the number n of channels that are summed over, odd; None is 5.
        norm_alpha: of ``local_response``, the factor of the sum of squares; None is 1e-4.
        norm_beta: of ``local_response``, the exponent; None is 0.75.
        norm_k: of ``local_response``, what is added; None is 2.
    """

    activation: str = "relu"
    norm: str = "none"
    norm_first: bool = True
    activation_slope: float | None = None
    activation_pieces: int | None = None
    norm_eps: float | None = None
    norm_momentum: float | None = None
    norm_groups: int | None = None
    norm_size: int | None = None
    norm_alpha: float | None = None
    norm_beta: float | None = None
    norm_k: float | None = None

    def __post_init__(self) -> None:
        check_choice("model.activation", self.activation, ACTIVATIONS)
        check_choice("model.norm", self.norm, NORMS)
        check_choice("model.norm_first", self.norm_first, (True, False))
        check_values("model", CONSTANTS, {name: getattr(self, name) for name in CONSTANTS})
        refuse_unused("activation_slope", self.activation_slope, "activation", self.activation, SLOPED)
        refuse_unused("activation_pieces", self.activation_pieces, "activation", self.activation, PIECEWISE)
        for name, value in self._of_norm().items():
            refuse_unused(f"norm_{name}", value, "norm", self.norm, norms_with(name))

    def _of_norm(self) -> dict[str, float | None]:
        """Return the constants of the normalization, by the names that `normalization` takes."""
        names = [field.name for field in fields(self) if field.name.startswith("norm_") and field.name != "norm_first"]
        return {name.removeprefix("norm_"): getattr(self, name) for name in names}

    @property
    def biased(self) -> bool:
        """Whether a layer has a bias: not where a normalization would subtract it."""
        return not (self.norm_first and centres_channels(self.norm))

    def without_norm(self) -> "Style":
        """Return the same activation and no normalization."""
        plain = Style(self.activation)
        return replace(self, **{name: getattr(plain, name) for name in self.__slots__ if name.startswith("norm")})

    def activation_layer(self, axis: int = 1) -> nn.Module:
        """Return a new module of the activation; `axis` is that of the channels."""
        return activation_layer(self.activation, axis, self.activation_slope, self.activation_pieces)

    def channels_before(self, width: int) -> int:
        """Return how many channels a layer of `width` units computes for its activation."""
        return channels_before(self.activation, width, self.activation_pieces)

    def channels_after(self, channels: int) -> int:
        """Return how many channels the activation makes of those it is given."""
        return channels_after(self.activation, channels, self.activation_pieces)

    def normalization(self, channels: int, dims: int) -> nn.Module:
        """Return a new module of the normalization, see `hpsearch.nn.normalization.normalization`."""
        return normalization(self.norm, channels, dims, **self._of_norm())


def constants_of(options: Mapping[str, Any]) -> Constants:
    """Return the constants among the arguments of a model."""
    return cast("Constants", {name: options[name] for name in Constants.__annotations__ if name in options})


def refuse_unused(name: str, value: object, choice: str, chosen: str, users: Iterable[str]) -> None:
    """Refuse a constant that was given although what is chosen has none such: it would change nothing.

    Args:
        name: of the argument of a model.
        value: what was given, None for nothing.
        choice: the argument that chooses what may have it.
        chosen: its value.
        users: the values that have it.

    Raises:
        ConfigError: naming those that have it, and how a search over several gives it to one.
    """
    allowed = tuple(users)
    if value is None or chosen in allowed:
        return
    *others, last = allowed
    those = f"{', '.join(others)} and {last} have" if others else f"{last} has"
    raise ConfigError(
        f"model.{name} = {value}: model.{choice} = '{chosen}' has none, {those}; in a search over several: "
        f"space[model.{choice}={allowed[0]}].model.{name}=choice({value})"
    )

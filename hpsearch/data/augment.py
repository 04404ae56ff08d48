"""Augmentation of whole batches of images on their device, with an independent addressed draw for every sample.

The uniform numbers of a sample are a function of the trial's seed, the epoch, the sample's row in the training part and
the augmentation's name, so they depend neither on the batch that the sample is in nor on what was drawn before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

from hpsearch.base.errors import ConfigError
from hpsearch.base.rng import address, mix

if TYPE_CHECKING:
    from torch import Tensor

    from hpsearch.data.part import Part

GEOMETRY, COLOUR, ERASING = range(3)
"""Order of the kinds of augmentations, whatever order they are named in; within a kind they go by name."""


@dataclass(frozen=True, eq=False)
class Range:
    """The values that inputs take.

    Attributes:
        black: [C, 1, 1] least value of each channel; what is moved in from outside an image has it.
        white: [C, 1, 1] greatest value of each channel.
    """

    black: "Tensor"
    white: "Tensor"


class Augmentation(Protocol):
    """Changes images at random.

    Attributes:
        stage: `GEOMETRY`, `COLOUR` or `ERASING`.
        draws: number of uniform numbers it needs per sample.
    """

    stage: ClassVar[int]
    draws: ClassVar[int]

    def apply(self, x: "Tensor", u: "Tensor", values: Range) -> "Tensor":
        """Return the changed images.

        Args:
            x: [B, C, H, W] images.
            u: [B, draws] uniform numbers in [0, 1).
            values: what the images' values lie between.
        """


@dataclass(frozen=True, eq=False)
class Augment:
    """The augmentations of a trial, in the order they are applied.

    Attributes:
        seed: of the trial.
        steps: augmentations by name.
        values: what inputs lie between.
    """

    seed: int
    steps: Mapping[str, Augmentation]
    values: Range
    _keys: dict[tuple[str, int], int] = field(default_factory=dict, repr=False)

    def __call__(self, x: "Tensor", rows: "Tensor", epoch: int) -> "Tensor":
        """Return the images of a batch as this epoch sees them.

        Args:
            x: [B, C, H, W] images.
            rows: [B] their rows in the training part, on the same device.
            epoch: pass over the training part.
        """
        for name, step in self.steps.items():
            x = step.apply(x, uniform(rows, step.draws, self._key(name, epoch)), self.values)
        return x

    def _key(self, name: str, epoch: int) -> int:
        """Return the address of an epoch's draws; it is asked for at every step."""
        if (name, epoch) not in self._keys:
            self._keys[name, epoch] = (address(self.seed, "augment", name, epoch) & 0xFFFFFFFF) - 2**31
        return self._keys[name, epoch]


def augment(seed: int, steps: Mapping[str, Augmentation], train: "Part") -> Augment | None:
    """Bind augmentations to a trial and its training part.

    Args:
        seed: of the trial.
        steps: augmentations by name, in any order.
        train: the training part, scaled; the range of its values per channel is what counts as black and white. Of a
            user's dataset that is read as training goes on it is not known: 0 and 1.

    Returns:
        What changes batches, None without augmentations.

    Raises:
        ConfigError: the inputs are no images.
    """
    if not steps:
        return None
    if isinstance(train.in_shape, dict) or len(train.in_shape) != 3:
        raise ConfigError(f"augment.{next(iter(steps))}: needs images, the inputs have shape {train.in_shape}")
    ordered = sorted(steps, key=lambda name: (steps[name].stage, name))
    return Augment(seed, {name: steps[name] for name in ordered}, values_of(train))


def values_of(part: "Part") -> Range:
    """Return the least and the greatest value of each channel; 0 and 1 where samples are read as training goes on."""
    import torch

    from hpsearch.data.part import Split
    from hpsearch.data.streamed import TensorRows

    rows = part if isinstance(part, Split) else part.source
    if isinstance(rows, Split | TensorRows):
        ends = (extreme(rows.x, (0, 2, 3))[:, None, None] for extreme in (torch.amin, torch.amax))
        return Range(*(end.to(part.device) for end in ends))
    channels, *_ = part.in_shape
    shape = (int(channels), 1, 1)
    return Range(torch.zeros(shape, device=part.device), torch.ones(shape, device=part.device))


def uniform(rows: "Tensor", draws: int, key: int) -> "Tensor":
    """Draw addressed uniform numbers.

    The bits of number j of row i are ``h(i * draws + j ^ h(key))`` with h of `hpsearch.base.rng.mix`; the upper 24 of
    them make a number in [0, 1).

    Args:
        rows: [B] row numbers.
        draws: numbers per row.
        key: 32-bit signed address.

    Returns:
        [B, draws] float32.
    """
    import torch

    place = torch.arange(draws, device=rows.device)
    index = (rows[:, None] * draws + place).to(torch.int32)
    bits = mix(index ^ mix(torch.full((), key, dtype=torch.int32, device=rows.device)))
    return ((bits >> 8) & 0xFFFFFF).float() * 2.0**-24


def check_pair(key: str, value: "Sequence[float] | object", low: float, high: float) -> tuple[float, float]:
    """Return two ends of a range.

    Args:
        key: dotted key of the configuration.
        value: what was given.
        low: neither end is below or at it.
        high: neither end is above it.

    Returns:
        The ends.

    Raises:
        ConfigError: for anything but two ordered numbers in (low, high].
    """
    numbers = list(value) if isinstance(value, list | tuple) else []
    sound = len(numbers) == 2 and all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
    if not sound or not low < numbers[0] <= numbers[1] <= high:
        raise ConfigError(f"{key} = {value!r}: must be two numbers, the smaller first, in ({low:g}, {high:g}]")
    return float(numbers[0]), float(numbers[1])

"""How weights and biases are drawn before training; the options of ``conf/init``.

The fan-in of a weight is the number of inputs that one of its outputs sums over, the fan-out the number of outputs
that one of its inputs goes to; both include the positions of a convolution's kernel.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from hpsearch.base.errors import ConfigError
from hpsearch.base.limits import check_fields
from hpsearch.base.rng import seeded
from hpsearch.nn.limits import LIMITS, LOG_PRIOR
from hpsearch.nn.normalized_cells import StackedLinear


@dataclass(frozen=True, kw_only=True)
class Initializer(ABC):
    """Draws every weight of a linear, convolutional or recurrent layer, and sets the biases.

    Everything else (normalizations, embeddings, parameters of the model itself) keeps its values. Each weight has a
    generator of its own, addressed by the trial's seed and the weight's name. Weights that a layer keeps stacked (the
    gates of an LSTM, the projections of attention) are drawn one by one.

    Attributes:
        bias: value of every bias; None keeps what the model drew.
        output_bias: value of the output layer's bias, the last one of the model; ``log_prior`` is the logarithm of
            each class's share of the training split, so that an output layer that knows nothing predicts the shares;
            None treats it like the others.
    """

    bias: float | None = 0.0
    output_bias: float | str | None = None

    def __post_init__(self) -> None:
        """Refuse values that no table allows."""
        check_fields("init", LIMITS, self)

    @property
    def needs_prior(self) -> bool:
        """Whether the output layer's bias is the log prior."""
        return self.output_bias == LOG_PRIOR

    @abstractmethod
    def draw(self, weight: Tensor, source: torch.Generator) -> None:
        """Fill a weight in place.

        Args:
            weight: [outputs, inputs, ...].
            source: where random numbers come from.
        """

    @torch.no_grad()
    def initialize(self, model: nn.Module, seed: int, prior: Tensor | None = None) -> None:
        """Initialize a model in place.

        Args:
            model: the model, on the host.
            seed: the trial's seed.
            prior: [classes] share of each class in the training split; None for a regression.
        """
        for name, owner, attribute, parts in _weights(model):
            weight = getattr(owner, attribute).detach().clone()
            for place, part in enumerate(weight.chunk(parts)):
                self.draw(part, seeded(torch.Generator(), seed, "init", name, place))
            _assign(owner, attribute, weight)
        biases = list(_biases(model))
        if self.bias is not None:
            for bias in biases:
                bias.fill_(self.bias)
        if self.output_bias is not None:
            _set_output_bias(biases, self.output_bias, prior)


@dataclass(frozen=True, kw_only=True)
class Default(Initializer):
    """Keeps what the model drew: as its publication says, else torch's own, uniform in ±1/sqrt(fan-in)."""

    bias: float | None = None

    def draw(self, weight: Tensor, source: torch.Generator) -> None:
        """Draw nothing."""


@dataclass(frozen=True, kw_only=True)
class Constant(Initializer):
    """Every weight has the same value, so that the units of a layer stay copies of one another.

    Attributes:
        value: of every weight.
    """

    value: float = 0.0

    def draw(self, weight: Tensor, source: torch.Generator) -> None:  # noqa: ARG002
        """Fill a weight with the value."""
        weight.fill_(self.value)


@dataclass(frozen=True, kw_only=True)
class Normal(Initializer):
    """Normal with mean 0.

    Attributes:
        std: standard deviation (of the normal distribution before it is truncated).
        truncate: draw again what lies more than two standard deviations from 0.
    """

    std: float = 0.01
    truncate: bool = False

    def draw(self, weight: Tensor, source: torch.Generator) -> None:
        """Draw a weight."""
        if self.truncate:
            nn.init.trunc_normal_(weight, 0.0, self.std, -2 * self.std, 2 * self.std, generator=source)
        else:
            weight.normal_(0.0, self.std, generator=source)


@dataclass(frozen=True, kw_only=True)
class VarianceScaling(Initializer):
    """Mean 0 and variance ``scale / fan``, so that signals keep their size from layer to layer.

    ========  =====  ===  ========================================================================================
    name      scale  fan  source
    ========  =====  ===  ========================================================================================
    xavier    1      avg  Glorot and Bengio, Understanding the difficulty of training deep feedforward neural
                          networks, AISTATS 2010
    he        2      in   He, Zhang, Ren and Sun, Delving deep into rectifiers, ICCV 2015
    lecun     1      in   LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998
    ========  =====  ===  ========================================================================================

    Attributes:
        scale: see the table; larger for activations that shrink their input.
        fan: ``in``, or ``avg``, the mean of fan-in and fan-out.
        distribution: ``normal``, or ``uniform`` in ±sqrt(3 scale / fan).
    """

    scale: float = 2.0
    fan: str = "in"
    distribution: str = "normal"

    def draw(self, weight: Tensor, source: torch.Generator) -> None:
        """Draw a weight."""
        fan_in, fan_out = fans(weight)
        std = math.sqrt(self.scale / (fan_in if self.fan == "in" else (fan_in + fan_out) / 2))
        if self.distribution == "normal":
            weight.normal_(0.0, std, generator=source)
        else:
            weight.uniform_(-math.sqrt(3) * std, math.sqrt(3) * std, generator=source)


@dataclass(frozen=True, kw_only=True)
class Orthogonal(Initializer):
    """Rows (or columns, where there are fewer) orthogonal to each other and of length `gain`, in a random direction.

    Source: Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks, ICLR 2014.

    Attributes:
        gain: every singular value; sqrt(2) suits ReLU.
    """

    gain: float = 1.0

    def draw(self, weight: Tensor, source: torch.Generator) -> None:
        """Draw a weight, seen as a matrix [outputs, everything else]."""
        nn.init.orthogonal_(weight, self.gain, generator=source)


def fans(weight: Tensor) -> tuple[int, int]:
    """Return the fan-in and the fan-out of a weight [outputs, inputs, ...]."""
    positions = math.prod(weight.shape[2:])
    return weight.shape[1] * positions, weight.shape[0] * positions


@torch.no_grad()
def redraw(model: nn.Module, draw: Callable[[Tensor], Any], bias: float | None = None) -> None:
    """Draw a model's weights as its publication says, for use in its constructor.

    Args:
        model: changed in place.
        draw: fills a weight in place, from torch's global generator.
        bias: value of every bias; None keeps what torch drew.
    """
    for _, owner, attribute, parts in _weights(model):
        weight = getattr(owner, attribute).detach().clone()
        for part in weight.chunk(parts):
            draw(part)
        _assign(owner, attribute, weight)
    if bias is not None:
        for each in _biases(model):
            each.fill_(bias)


_LAYERS = (nn.Linear, nn.modules.conv._ConvNd, nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention)


def _weights(model: nn.Module) -> Iterator[tuple[str, nn.Module, str, int]]:
    """Yield name, owner, attribute and number of stacked parts of every weight that an initializer draws."""
    for path, module in model.named_modules():
        if isinstance(module, _LAYERS):
            for attribute in _names(module, "weight"):
                yield f"{path}.{attribute}", module, attribute, _parts(module, getattr(module, attribute))


def _biases(model: nn.Module) -> Iterator[Tensor]:
    for module in model.modules():
        if isinstance(module, _LAYERS):
            for name in _names(module, "bias"):
                yield getattr(module, name)


def _names(module: nn.Module, word: str) -> list[str]:
    """Return the names of a layer's own weights (or biases), a parametrized one as the layer shows it."""
    own = [name for name, _ in module.named_parameters(recurse=False)]
    if parametrize.is_parametrized(module):
        own += list(module.parametrizations)  # type: ignore[arg-type]  # a ModuleDict, which torch types as a Tensor
    return [name for name in own if word in name]


def _parts(module: nn.Module, weight: Tensor) -> int:
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        return max(1, weight.shape[0] // module.hidden_size)
    if isinstance(module, StackedLinear):
        return module.parts
    return 3 if isinstance(module, nn.MultiheadAttention) and weight.shape[0] == 3 * module.embed_dim else 1


def _assign(owner: nn.Module, attribute: str, weight: Tensor) -> None:
    if parametrize.is_parametrized(owner, attribute):
        setattr(owner, attribute, weight)
    else:
        getattr(owner, attribute).copy_(weight)


def _set_output_bias(biases: list[Tensor], value: float | str, prior: Tensor | None) -> None:
    if not biases:
        raise ConfigError(f"init.output_bias = {value!r}: the model has no bias")
    if not isinstance(value, str):
        biases[-1].fill_(value)
        return
    if prior is None:
        raise ConfigError(f"init.output_bias = '{value}': the targets are no classes")
    wanted = torch.log(prior.clamp_min(torch.finfo(prior.dtype).eps))
    if biases[-1].numel() == 1 and len(prior) == 2:
        wanted = wanted[1:] - wanted[:1]
    if biases[-1].shape != wanted.shape:
        have, need = biases[-1].numel(), len(wanted)
        raise ConfigError(f"init.output_bias = '{value}': the model's last bias has {have} entries, not {need}")
    biases[-1].copy_(wanted)

"""LeNet."""

from collections.abc import Sequence

from torch import Tensor, nn

from hpsearch.errors import ConfigError, check_choice, check_int
from hpsearch.nn import activation_layer, check_widths, hidden_layers, initialize

POOLS: dict[str, type[nn.MaxPool2d] | type[nn.AvgPool2d]] = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}


class LeNet(nn.Module):
    """Two convolutions, each followed by an activation and 2x2 pooling, then fully connected layers.

    The first convolution keeps the size of the image (zero padding), the second has no padding. With kernel size 5 at
    1x28x28 and 10 classes it has 61,706 parameters.

    Source: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, Proceedings of
    the IEEE 86(11), 1998, as textbooks simplify it: every map of the second convolution sees every map of the first,
    and the output is linear.

    Args:
        in_shape: (channels, height, width) of one image.
        num_outputs: number of classes or targets.
        activation: a key of `hpsearch.nn.ACTIVATIONS`.
        pool: ``max`` or ``avg``.
        kernel_size: of both convolutions; odd.
        channels: maps of the two convolutions.
        hidden: width of each hidden fully connected layer.
        dropout: rate after each hidden fully connected layer, in [0, 1).
        init: a key of `hpsearch.nn.INITS`.

    Raises:
        ConfigError: when the input is not an image, or too small for two convolutions and poolings.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        activation: str = "relu",
        pool: str = "max",
        kernel_size: int = 5,
        channels: Sequence[int] = (6, 16),
        hidden: Sequence[int] = (120, 84),
        dropout: float = 0.0,
        init: str = "default",
    ) -> None:
        super().__init__()
        height, width = _pooled_size(in_shape, kernel_size)
        check_choice("model.pool", pool, POOLS)
        check_widths("model.channels", channels)
        if len(channels) != 2:
            raise ConfigError(f"model.channels = {list(channels)}: must be two numbers, one per convolution")
        self.features = nn.Sequential(
            nn.Conv2d(in_shape[0], channels[0], kernel_size, padding=kernel_size // 2),
            activation_layer(activation),
            POOLS[pool](2),
            nn.Conv2d(channels[0], channels[1], kernel_size),
            activation_layer(activation),
            POOLS[pool](2),
        )
        inputs = channels[1] * height * width
        self.hidden = hidden_layers(inputs, hidden, activation, dropout)
        self.output = nn.Linear(hidden[-1] if hidden else inputs, num_outputs)
        initialize(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, num_outputs] outputs of a batch [B, *in_shape]."""
        outputs: Tensor = self.output(self.hidden(self.features(x).flatten(1)))
        return outputs


def _pooled_size(in_shape: tuple[int, ...], kernel_size: int) -> tuple[int, int]:
    check_int("model.kernel_size", kernel_size, 1)
    if kernel_size % 2 == 0:
        raise ConfigError(f"model.kernel_size = {kernel_size}: must be odd, so that padding keeps the image's size")
    if len(in_shape) != 3:
        raise ConfigError(f"LeNet needs images (channels, height, width), the data has inputs of shape {in_shape}")
    smallest, side = 2 * (kernel_size + 1), min(in_shape[1:])
    if side < smallest:
        fits = [k for k in range(1, kernel_size, 2) if 2 * (k + 1) <= side]
        advice = f"; model.kernel_size={fits[-1]} fits" if fits else ""
        size = "x".join(map(str, in_shape[1:]))
        raise ConfigError(
            f"LeNet with model.kernel_size = {kernel_size} needs images of at least {smallest}x{smallest} pixels, "
            f"the data has {size}{advice}"
        )
    height, width = ((side // 2 - kernel_size + 1) // 2 for side in in_shape[1:])
    return height, width

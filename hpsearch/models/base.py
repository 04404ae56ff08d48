"""What networks of features have in common."""

from collections.abc import Sequence

from torch import nn

from hpsearch.nn.dropout import Dropout
from hpsearch.nn.init import redraw
from hpsearch.nn.layers import FLATTEN, Chain


class FeatureNet(Chain):
    """Features of an input, fully connected layers on all of them together, a linear output.

    Attributes:
        features: maps [B, *in_shape] to maps or features.
        hidden: maps [B, features] to units; an empty sequence where there is no such layer.
        output: maps [B, units] to [B, num_outputs].
    """

    features: nn.Module
    hidden: nn.Module
    output: nn.Module

    def chain(self) -> Sequence[nn.Module]:
        """Return the layers in order."""
        return self.features, FLATTEN, self.hidden, self.output


class PooledNet(FeatureNet):
    """Layers whose maps are averaged over their positions, and a linear output.

    The layers are drawn after He (see `hpsearch.nn.init.redraw`), the output as torch draws it.

    Args:
        layers: what makes the maps.
        channels: of these.
        num_outputs: number of classes or targets.
        dropout: rate after the average, in [0, 1); None for no dropout layer.
    """

    def __init__(self, layers: Sequence[nn.Module], channels: int, num_outputs: int, dropout: float | None) -> None:
        super().__init__()
        end = [] if dropout is None else [Dropout(dropout)]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), *end)
        redraw(self.features, nn.init.kaiming_normal_)
        self.hidden = nn.Sequential()
        self.output = nn.Linear(channels, num_outputs)

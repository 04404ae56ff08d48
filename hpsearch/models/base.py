"""What networks of features have in common."""

from torch import Tensor, nn


class FeatureNet(nn.Module):
    """Features of an input, fully connected layers on all of them together, a linear output.

    Attributes:
        features: maps [B, *in_shape] to maps or features.
        hidden: maps [B, features] to units; an empty sequence where there is no such layer.
        output: maps [B, units] to [B, num_outputs].
    """

    features: nn.Module
    hidden: nn.Module
    output: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, num_outputs] outputs of a batch [B, *in_shape]."""
        outputs: Tensor = self.output(self.hidden(self.features(x).flatten(1)))
        return outputs

"""Spatial transformer network."""

from typing import Any

from torch import Tensor

from hpsearch.base.errors import check_int
from hpsearch.models.base import FeatureNet
from hpsearch.models.lenet import LeNet
from hpsearch.nn.spatial import SpatialTransformer
from hpsearch.nn.style import Style, constants_of


class SpatialTransformerNet(FeatureNet):
    """A spatial transformer layer in front of LeNet.

    Source: Jaderberg, Simonyan, Zisserman and Kavukcuoglu, Spatial transformer networks, NeurIPS 2015.

    Args:
        in_shape: (channels, height, width) of one image.
        num_outputs: number of classes or targets.
        localization_width: units per position of the localization network's convolutions.
        localization_hidden: units of its hidden layer.
        activation: a key of `hpsearch.nn.activations.ACTIVATIONS`.
        norm: of the convolutions, a key of `hpsearch.nn.normalization.NORMS`.
        norm_first: normalize before the activation, or after it.
        **options: the others of `hpsearch.models.lenet.LeNet`.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        localization_width: int = 16,
        localization_hidden: int = 32,
        activation: str = "relu",
        norm: str = "none",
        norm_first: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        check_int("model.localization_width", localization_width, 1)
        check_int("model.localization_hidden", localization_hidden, 1)
        net = LeNet(in_shape, num_outputs, activation, norm, norm_first, **options)
        style = Style(activation, norm, norm_first, **constants_of(options))
        self.transform = SpatialTransformer(in_shape, localization_width, localization_hidden, style)
        self.features, self.hidden, self.output = net.features, net.hidden, net.output

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, num_outputs] outputs of a batch [B, *in_shape]."""
        return super().forward(self.transform(x))

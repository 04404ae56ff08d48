"""Spatial transformer layer."""

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from hpsearch.nn.layers import conv_block, hidden_layers
from hpsearch.nn.style import Style


class SpatialTransformer(nn.Module):
    """Samples the image anew on a grid that an affine map, computed from the image itself, has moved.

    A localization network (two 5x5 convolutions, each followed by 2x2 max pooling, and a hidden layer) gives the 2x3
    matrix θ of an image. The output at (x, y) is the input, bilinearly interpolated, at ``θ (x, y, 1)``, in coordinates
    from -1 to 1; outside it is zero. θ starts as the identity, and stays a free parameter of this layer whatever the
    initialization of the model's weights, so that the untrained layer changes nothing.

    Source: Jaderberg, Simonyan, Zisserman and Kavukcuoglu, Spatial transformer networks, NeurIPS 2015.

    Args:
        in_shape: (channels, height, width) of one image, of at least 4x4 pixels.
        width: units per position of both convolutions.
        hidden: units of the hidden layer.
        style: what follows each layer of the localization network.
    """

    def __init__(self, in_shape: tuple[int, ...], width: int, hidden: int, style: Style) -> None:
        super().__init__()
        channels, height, breadth = in_shape
        first = conv_block(channels, width, 5, style)
        second = conv_block(first.outputs, width, 5, style)
        inputs = second.outputs * (height // 4) * (breadth // 4)
        last = hidden_layers(inputs, [hidden], style.without_norm())
        self.localization = nn.Sequential(first, nn.MaxPool2d(2), second, nn.MaxPool2d(2), nn.Flatten(), last)
        self.weight = nn.Parameter(torch.zeros(6, last.outputs))
        self.bias = nn.Parameter(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        """Return images [B, C, H, W] of images [B, C, H, W]."""
        theta = nn.functional.linear(self.localization(x), self.weight, self.bias).view(-1, 2, 3)
        grid = affine_grid(theta.float(), *x.shape[-2:])
        return grid_sample(x.float(), grid, align_corners=False).to(x.dtype)


def affine_grid(theta: Tensor, height: int, width: int) -> Tensor:
    """Return where an image is sampled: its pixels' centres, mapped by θ.

    Written out because torch's own has no batching rule for `torch.func.vmap`.

    Args:
        theta: [B, 2, 3].
        height: of the image, in pixels.
        width: of the image, in pixels.

    Returns:
        [B, height, width, 2], x and y from -1 to 1, the edges of the image.
    """
    x, y = (_centres(side, theta) for side in (width, height))
    places = torch.stack([x.expand(height, width), y[:, None].expand(height, width), theta.new_ones(height, width)], -1)
    grid: Tensor = torch.unflatten(places.flatten(0, 1) @ theta.mT, 1, (height, width))
    return grid


def _centres(side: int, like: Tensor) -> Tensor:
    return torch.linspace(-1, 1, side, dtype=like.dtype, device=like.device) * (side - 1) / side

"""Test-time augmentation: a model's answer to several views of an input, averaged."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from hpsearch.base.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from hpsearch.data.streamed import Shape

VIEWS = ("none", "flip", "centre_crop", "ten_crop")
SIDE = 7 / 8
"""Side of a crop, as a share of the image's: 224 of 256 pixels in the source."""


def averaged(forward: "Callable[[Tensor], Tensor]", views: str, task: str) -> "Callable[[Tensor], Tensor]":
    """Return a function that averages a model's outputs over views of its inputs.

    - ``flip``: the image and its mirror image.
    - ``centre_crop``: the image stretched to 8/7 of its size, of which the centre is cut out at the size it had: one
      view, for a model that trained on crops.
    - ``ten_crop``: its four corners and its centre, each with 7/8 of its side stretched to its size, and their mirror
      images.

    Of a classification the probabilities are averaged: the outputs are ln of their mean. Of a regression, and of a
    single output, the outputs are.

    Source: Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep Convolutional Neural Networks, NIPS 2012
    (section 4.1).

    Args:
        forward: maps images [B, C, H, W] to outputs [B, K].
        views: one of `VIEWS`.
        task: ``classification`` or ``regression``.

    Returns:
        The same kind of function; `forward` itself for ``none``.
    """
    if views == "none":
        return forward

    def mean(x: "Tensor") -> "Tensor":
        import torch

        outputs = torch.stack([forward(view) for view in _views(x, views)])
        if task == "classification" and outputs.shape[2] > 1:
            return outputs.log_softmax(2).logsumexp(0) - torch.tensor(float(len(outputs))).log().item()
        return outputs.mean(0)

    return mean


def check_views(views: str, in_shape: "Shape") -> None:
    """Refuse views of inputs that are no images.

    Args:
        views: one of `VIEWS`.
        in_shape: shape of one input.

    Raises:
        ConfigError: naming the shape.
    """
    if views != "none" and (isinstance(in_shape, dict) or len(in_shape) != 3):
        raise ConfigError(f"trainer.eval_views = '{views}': needs images, the inputs have shape {in_shape}")


def _views(x: "Tensor", views: str) -> "list[Tensor]":
    if views == "centre_crop":
        return [_centre(x)]
    chosen = [x] if views == "flip" else _crops(x)
    return [view for crop in chosen for view in (crop, crop.flip(-1))]


def _centre(x: "Tensor") -> "Tensor":
    from torch.nn.functional import interpolate

    height, width = x.shape[2:]
    large = interpolate(x, size=(round(height / SIDE), round(width / SIDE)), mode="bilinear", align_corners=False)
    top, left = (large.shape[2] - height) // 2, (large.shape[3] - width) // 2
    return large[:, :, top : top + height, left : left + width]


def _crops(x: "Tensor") -> "list[Tensor]":
    from torch.nn.functional import interpolate

    size = tuple(x.shape[2:])
    height, width = (max(1, round(side * SIDE)) for side in size)
    bottom, right = size[0] - height, size[1] - width
    places = ((0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2))
    crops = [x[:, :, top : top + height, left : left + width] for top, left in places]
    return [interpolate(crop, size=size, mode="bilinear", align_corners=False) for crop in crops]

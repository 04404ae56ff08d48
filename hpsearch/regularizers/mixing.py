"""Blending the samples of a batch: soft targets between the classes."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.base import rng
from hpsearch.base.errors import ConfigError
from hpsearch.regularizers.base import Mixing

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Mixup(Mixing):
    """Blend each sample with another one of its batch, and their targets alike.

    With lam of Beta(alpha, alpha), the larger of lam and 1 - lam going to the sample itself (which changes names, not
    the distribution of the blended batch), and a permutation pi of the batch::

        x_i <- lam x_i + (1 - lam) x_pi(i),   y_i <- lam y_i + (1 - lam) y_pi(i)

    Source: Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018.

    Attributes:
        alpha: the larger, the stronger the blend.
    """

    option = "mixup"
    alpha: float = 0.2

    def mix(self, x: "Tensor", y: "Tensor", classes: int, seed: int, step: int) -> tuple["Tensor", "Tensor"]:
        """Return blended inputs and targets."""
        draws = _draws(seed, "mixup", step)
        share = float(draws.beta(self.alpha, self.alpha))
        share = max(share, 1 - share)
        other = _permutation(draws, x)
        return _blend(x, x[other], share), _blend_targets(y, other, share, classes)


@dataclass(frozen=True, kw_only=True)
class CutMix(Mixing):
    """Replace a box of each image by that of another one of its batch, and its target by the share of the area.

    The box has the share 1 - lam of the image's area before it is cut at the image's edges, lam of Beta(alpha, alpha),
    and its centre is uniform in the image. Source: Yun et al., CutMix: Regularization Strategy to Train Strong
    Classifiers with Localizable Features, ICCV 2019.

    Attributes:
        alpha: 1 makes every share equally likely.
    """

    option = "cutmix"
    alpha: float = 1.0

    def mix(self, x: "Tensor", y: "Tensor", classes: int, seed: int, step: int) -> tuple["Tensor", "Tensor"]:
        """Return images [B, C, H, W] with a box of others, and targets.

        Raises:
            ConfigError: when the inputs are no images.
        """
        if x.ndim != 4:
            raise ConfigError(f"regularizer.cutmix: needs images, the inputs have shape {tuple(x.shape[1:])}")
        draws = _draws(seed, "cutmix", step)
        side = math.sqrt(1 - float(draws.beta(self.alpha, self.alpha)))
        height, width = x.shape[2:]
        rows, columns = _span(draws, side, height), _span(draws, side, width)
        other = _permutation(draws, x)
        mixed = x.clone()
        mixed[:, :, rows, columns] = x[other][:, :, rows, columns]
        area = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
        return mixed, _blend_targets(y, other, 1 - area, classes)


def _draws(seed: int, purpose: str, step: int) -> "np.random.Generator":
    import numpy as np

    return np.random.default_rng(rng.address(seed, purpose, step))


def _span(draws: "np.random.Generator", side: float, size: int) -> slice:
    centre, half = int(draws.integers(size)), int(side * size) // 2
    return slice(max(0, centre - half), min(size, centre + half))


def _permutation(draws: "np.random.Generator", x: "Tensor") -> "Tensor":
    import torch

    return torch.from_numpy(draws.permutation(len(x))).to(x.device, non_blocking=True)


def _blend(one: "Tensor", other: "Tensor", share: float) -> "Tensor":
    return other.lerp(one, share)


def _blend_targets(y: "Tensor", other: "Tensor", share: float, classes: int) -> "Tensor":
    from torch.nn.functional import one_hot

    shares = y if y.is_floating_point() else one_hot(y, classes).float()
    return _blend(shares, shares[other], share)

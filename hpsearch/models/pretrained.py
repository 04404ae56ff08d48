"""What models of other libraries have in common: the preprocessing that belongs to their weights, and their head."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from hpsearch.base.contents import Place, content_of
from hpsearch.base.errors import ConfigError

CHANNELS = 3
_SMOOTH = {"bicubic": "bicubic", "lanczos": "bicubic", "nearest": "nearest-exact"}
"""How torch resizes on a device by what a library calls it; all else is bilinear."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How images were prepared that weights were evaluated with.

    Attributes:
        resize: height and width; or one number, the shorter side; None: as they are.
        crop: height and width of the middle that is cut out afterwards; None: all of it.
        interpolation: as the library calls it.
        mean: of each channel, subtracted from values that go from 0 to 1.
        std: of each channel, divided by afterwards.
    """

    resize: tuple[int, ...] | None = None
    crop: tuple[int, int] | None = None
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)


class Preprocess(nn.Module):
    """Resizes, crops and normalizes a batch of images on its device; a single channel is repeated.

    Args:
        recipe: what is done.
        size: height and width to resize to in place of the recipe's, without a crop; None: the recipe's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, recipe: Recipe, size: int | None) -> None:
        super().__init__()
        self.resize = recipe.resize if size is None else (size, size)
        self.crop = recipe.crop if size is None else None
        self.mode = _SMOOTH.get(recipe.interpolation, "bilinear")
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(getattr(recipe, name)).view(1, -1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, 3, H, W] images of [B, 1 or 3, *, *] ones with values from 0 to 1."""
        x = self._cropped(self._resized(x))
        return (x.expand(-1, CHANNELS, -1, -1) - self.mean) / self.std

    def _resized(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if self.resize is None:
            return x
        short = min(height, width)
        wanted = self.resize if len(self.resize) == 2 else [self.resize[0] * side // short for side in (height, width)]
        if list(wanted) == [height, width]:
            return x
        smooth = self.mode != "nearest-exact"
        return functional.interpolate(x, list(wanted), mode=self.mode, antialias=smooth)

    def _cropped(self, x: Tensor) -> Tensor:
        if self.crop is None:
            return x
        (height, width), (rows, columns) = x.shape[-2:], self.crop
        top, left = round((height - rows) / 2), round((width - columns) / 2)
        return x[..., max(top, 0) : max(top, 0) + rows, max(left, 0) : max(left, 0) + columns]


class PretrainedNet(nn.Module):
    """A classifier of another library, behind the preprocessing of its weights.

    Args:
        net: maps [B, 3, H, W] to [B, num_outputs], or to an object that holds these as ``logits``.
        heads: the modules of it that were made for the data's number of outputs.
        recipe: the preprocessing that the weights want; None: they are random.
        size: see `Preprocess`.
        place: where the weights were read from; None: they are random.
        fresh_head: whether the head is random although the weights are not.

    Attributes:
        net: the library's module.
        heads: see above.
        fresh_head: see above.
        weights: whether it starts from weights that were trained before.
    """

    def __init__(
        self,
        net: nn.Module,
        heads: Sequence[nn.Module],
        recipe: Recipe | None,
        size: int | None,
        place: Place | None,
        fresh_head: bool,
    ) -> None:
        super().__init__()
        self.preprocess = Preprocess(recipe or Recipe(), size)
        self.net = net
        self.heads = tuple(heads)
        self.fresh_head = fresh_head or place is None
        self.weights = place is not None
        self._place = place

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, num_outputs] outputs of a batch [B, 1 or 3, H, W] of images with values from 0 to 1."""
        made = self.net(self.preprocess(x))
        outputs: Tensor = getattr(made, "logits", made)
        return outputs

    @property
    def digest(self) -> str:
        """The digest of the weights that it starts from."""
        content = None if self._place is None else content_of(self._place)
        return "" if content is None else content.digest

    def renew_head(self) -> None:
        """Draw the head anew, from torch's global generator."""
        for module in self.heads:
            for layer in module.modules():
                if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
                    layer.reset_parameters()
        self.fresh_head = True

    def layers(self) -> Iterator[nn.Module]:
        """Yield the modules of the net from the input to the head: what only holds others gives way to these.

        A module only holds others where it is a sequence, or where a sequence in it repeats a class of modules while
        it is itself the only one of its class: the encoder of a transformer does, each of its layers does not.
        """
        yield from _opened(self.net)


def check_in_shape(library: str, in_shape: object) -> None:
    """Refuse inputs that are no images of 1 or 3 channels.

    Args:
        library: name of the option.
        in_shape: shape of one input.

    Raises:
        ConfigError: naming the shape.
    """
    if not isinstance(in_shape, tuple) or len(in_shape) != 3 or in_shape[0] not in (1, CHANNELS):
        raise ConfigError(
            f"model = {library}: takes images of 1 or {CHANNELS} channels, the inputs have shape {in_shape}"
        )


def last_layer(net: nn.Module) -> tuple[nn.Module, str, nn.Linear | nn.Conv2d]:
    """Return the last linear or convolutional layer of a net: what holds it, its name there, and the layer.

    Args:
        net: registers its modules in the order in which it uses them.
    """
    path, layer = [(n, m) for n, m in net.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
    owner, _, name = path.rpartition(".")
    return net.get_submodule(owner), name, layer


def _opened(module: nn.Module) -> Iterator[nn.Module]:
    kinds = Counter(type(child) for child in module.children())
    for child in module.children():
        if _is_sequence(child):
            yield from _elements(child)
        elif kinds[type(child)] == 1 and any(_repeats(inner) for inner in child.modules()):
            yield from _opened(child)
        else:
            yield child


def _elements(sequence: nn.Module) -> Iterator[nn.Module]:
    for child in sequence.children():
        yield from _elements(child) if _is_sequence(child) else (child,)


def _is_sequence(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential | nn.ModuleList)


def _repeats(module: nn.Module) -> bool:
    """Return whether a module is a sequence of which two elements with modules of their own are of one class."""
    if not _is_sequence(module):
        return False
    kinds = [type(child) for child in module.children() if len(list(child.children()))]
    return len(set(kinds)) < len(kinds)

"""Image classifiers of torchvision, by name."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import nn

from hpsearch.base.contents import Place, content_of
from hpsearch.base.errors import ConfigError
from hpsearch.models.named import DEFAULT, check_known, imported, missing, reading
from hpsearch.models.pretrained import PretrainedNet, Recipe, check_in_shape, last_layer


class Torchvision(PretrainedNet):
    """A model of ``torchvision.models`` with a head for the data's number of outputs.

    Its weights are those that ``torchvision.models.get_model_weights`` lists; with them come their own resizing,
    cropping and normalization. Auxiliary classifiers (GoogLeNet, Inception) are taken off.

    Args:
        in_shape: (channels, height, width) of one image; one channel is repeated.
        num_outputs: number of classes or targets.
        name: as ``torchvision.models.list_models`` gives it, ``resnet18``.
        weights: ``default``, the name of one of the model's weights (``IMAGENET1K_V1``), or None for random ones.
        size: pixels on a side to which images are resized, without a crop; None: as the weights want it, without
            weights as the data are.
        download: fetch weights that are not in torch's cache.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        name: str,
        weights: str | None = None,
        size: int | None = None,
        download: bool = False,
    ) -> None:
        check_in_shape("torchvision", in_shape)
        models = _models(name)
        if weights is None:
            net = _without_auxiliary(models.get_model(name, weights=None, num_classes=num_outputs))
            super().__init__(net, (last_layer(net)[2],), None, size, None, True)
            return
        where, chosen = place(name, weights, download), _entry(name, weights)
        with reading(weights, where.path):
            net = _without_auxiliary(models.get_model(name, weights=chosen, progress=False))
        fresh = _fit_head(net, num_outputs)
        super().__init__(net, (last_layer(net)[2],), _recipe(chosen.transforms()), size, where, fresh)


def place(name: str, weights: str, download: bool) -> Place:
    """Return the file of a model's weights in torch's cache.

    Args:
        name: of the model.
        weights: of it.
        download: fetch the file where it is missing.

    Returns:
        The file.

    Raises:
        ConfigError: it is missing, or holds something else than its name says.
    """
    url = str(_entry(name, weights).url)
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name
    digest = file.stem.rpartition("-")[2]
    if not file.is_file() and not download:
        raise ConfigError(missing(f"{file.name} ({url})", file))
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(file), digest, progress=False)
        except (OSError, RuntimeError) as error:
            raise ConfigError(f"model.download = True: {url} cannot be fetched ({error})") from None
    content = content_of(Place(str(file)))
    if content is None or not content.digest.startswith(digest):
        raise ConfigError(
            f"model.weights = '{weights}': {file} is damaged or another file: its SHA-256 is not {digest}..."
        )
    return Place(str(file))


def _models(name: str) -> Any:
    models = imported("torchvision").models
    check_known("model.name", name, models.list_models(module=models), "the classifiers of torchvision")
    return models


def _entry(name: str, weights: str) -> Any:
    known = _models(name).get_model_weights(name)
    if weights == DEFAULT:
        return known.DEFAULT
    check_known("model.weights", weights, [DEFAULT, *known.__members__], f"the weights of {name}")
    return known[weights]


def _recipe(transforms: Any) -> Recipe:
    (rows, *columns), crop = transforms.crop_size, transforms.crop_size
    return Recipe(
        resize=tuple(transforms.resize_size),
        crop=(rows, (columns or crop)[0]),
        interpolation=transforms.interpolation.value,
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
    )


def _without_auxiliary(net: Any) -> nn.Module:
    if getattr(net, "aux_logits", False):
        net.aux_logits = False
        for name in ("aux1", "aux2", "AuxLogits"):
            if hasattr(net, name):
                setattr(net, name, None)
    made: nn.Module = net
    return made


def _fit_head(net: nn.Module, num_outputs: int) -> bool:
    """Put a layer for the data's outputs in place of the last one, where that has another number."""
    owner, name, old = last_layer(net)
    if isinstance(old, nn.Conv2d):
        if old.out_channels == num_outputs:
            return False
        setattr(
            owner,
            name,
            nn.Conv2d(
                old.in_channels, num_outputs, (old.kernel_size[0], old.kernel_size[1]), bias=old.bias is not None
            ),
        )
        return True
    if old.out_features == num_outputs:
        return False
    setattr(owner, name, nn.Linear(old.in_features, num_outputs, bias=old.bias is not None))
    return True

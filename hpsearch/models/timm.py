"""Image classifiers of timm, by name."""

import math
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from hpsearch.base.contents import Place
from hpsearch.base.errors import ConfigError, first_line
from hpsearch.models.named import DEFAULT, check_known, imported, missing, reading
from hpsearch.models.pretrained import CHANNELS, PretrainedNet, Recipe, check_in_shape

FILES = ("model.safetensors", "pytorch_model.bin")
"""Of a repository of a model on the hub, in the order in which they are taken."""


class Timm(PretrainedNet):
    """A model of ``timm`` with a head for the data's number of outputs.

    Its weights come with their own resizing, cropping and normalization.

    Args:
        in_shape: (channels, height, width) of one image; one channel is repeated.
        num_outputs: number of classes or targets.
        name: as ``timm.list_models`` gives it, ``resnet18``.
        weights: ``default``, the tag of one of the model's weights (``a1_in1k``), or None for random ones.
        size: pixels on a side to which images are resized, without a crop; None: as the weights want it, without
            weights as the data are.
        download: fetch weights that are not in the hub's cache.
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
        check_in_shape("timm", in_shape)
        timm, options = _timm(name), {"num_classes": num_outputs, "in_chans": CHANNELS}
        if weights is None:
            net = timm.create_model(name, pretrained=False, **options)
            super().__init__(net, _heads(net), None, size, None, True)
            return
        where, known = place(name, weights, download), _entry(name, weights)
        overlay = {"file": where.path, "custom_load": where.path.endswith(".npz")}
        with reading(weights, where.path):
            net = timm.create_model(_full(name, weights), pretrained=True, pretrained_cfg_overlay=overlay, **options)
        super().__init__(net, _heads(net), _recipe(known), size, where, known.num_classes != num_outputs)


def place(name: str, weights: str, download: bool) -> Place:
    """Return the file of a model's weights in the hub's cache, or in torch's.

    Args:
        name: of the model.
        weights: of it.
        download: fetch the file where it is missing.

    Returns:
        The file.

    Raises:
        ConfigError: it is missing.
    """
    known = _entry(name, weights)
    hub = imported("huggingface_hub") if known.hf_hub_id else None
    files = (known.hf_hub_filename,) if known.hf_hub_filename else FILES
    cached = [hub.try_to_load_from_cache(known.hf_hub_id, file) for file in files] if hub else []
    folder, url = Path(torch.hub.get_dir()) / "checkpoints", str(known.url or "")
    of_url = folder / (Path(urlsplit(url).path).name or FILES[0])
    own = folder / f"{known.hf_hub_id.rpartition('/')[2]}{Path(files[0]).suffix}" if hub else of_url
    for found in (*cached, str(own), str(of_url)):
        if isinstance(found, str) and Path(found).is_file():
            return Place(found)
    if not download:
        raise ConfigError(missing(f"{files[0]} of {known.hf_hub_id} (huggingface.co)" if hub else url, own))
    try:
        if hub:
            return Place(str(hub.hf_hub_download(known.hf_hub_id, files[0])))
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(own), progress=False)
    except Exception as error:
        raise ConfigError(
            f"model.download = True: {known.hf_hub_id or url} cannot be fetched ({first_line(error)})"
        ) from None
    return Place(str(own))


def _timm(name: str) -> Any:
    timm = imported("timm")
    check_known("model.name", name, timm.list_models(), "the models of timm")
    return timm


def _full(name: str, weights: str) -> str:
    return name if weights == DEFAULT else f"{name}.{weights}"


def _entry(name: str, weights: str) -> Any:
    timm = _timm(name)
    tags = [full.partition(".")[2] for full in timm.list_models(f"{name}.*", pretrained=True)]
    if not tags:
        raise ConfigError(f"model.weights = '{weights}': timm has none for {name}, use null")
    if weights != DEFAULT:
        check_known("model.weights", weights, [DEFAULT, *tags], f"the weights of {name}")
    return timm.get_pretrained_cfg(_full(name, weights))


def _recipe(known: Any) -> Recipe:
    _, rows, columns = known.input_size
    enlarged = tuple(math.floor(side / known.crop_pct) for side in (rows, columns))
    return Recipe(
        resize=enlarged if known.crop_mode == "squash" or rows != columns else enlarged[:1],
        crop=(rows, columns),
        interpolation=known.interpolation,
        mean=tuple(known.mean),
        std=tuple(known.std),
    )


def _heads(net: Any) -> tuple[Any, ...]:
    head = net.get_classifier()
    return tuple(head) if isinstance(head, tuple | list) else (head,)

"""Image classifiers of Hugging Face transformers, by name."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hpsearch.base.contents import Place, place_of
from hpsearch.base.errors import ConfigError, first_line
from hpsearch.models.named import DEFAULT, FETCH, check_known, imported, missing
from hpsearch.models.pretrained import PretrainedNet, Recipe, check_in_shape

CONFIG, PREPROCESSING = "config.json", "preprocessor_config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_RESAMPLING = {0: "nearest", 1: "lanczos", 3: "bicubic"}
"""Numbers of PIL; all others are bilinear here."""


class Transformers(PretrainedNet):
    """An image classifier of ``transformers`` with a head for the data's number of outputs.

    Args:
        in_shape: (channels, height, width) of one image; one channel is repeated.
        num_outputs: number of classes or targets.
        name: a repository of the hub (``google/vit-base-patch16-224``), a folder that ``save_pretrained`` wrote, or
            without weights a type of model (``vit``), which is built from its configuration alone.
        weights: ``default``, a revision of the repository, or None for random ones.
        config: changes of the model's configuration, for random weights.
        size: pixels on a side to which images are resized, without a crop; None: as the weights want it, without
            weights as the data are.
        download: fetch what is not in the hub's cache.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        name: str,
        weights: str | None = None,
        config: Mapping[str, Any] | None = None,
        size: int | None = None,
        download: bool = False,
    ) -> None:
        check_in_shape("transformers", in_shape)
        library = imported("transformers")
        with _quiet(library):
            if weights is None:
                net = _random(library, name, {**(config or {}), "num_labels": num_outputs}, download)
                super().__init__(net, _heads(net), None, size, None, True)
                return
            if config:
                raise ConfigError(
                    f"model.config = {dict(config)}: the configuration is that of model.weights, use null"
                )
            where = place(name, weights, download)
            net, found = _loaded(library, where.path, num_outputs)
        heads = _heads(net)
        own = {f"{path}." for path, module in net.named_modules() if module in heads}
        absent = [key for key in found["missing_keys"] if not key.startswith(tuple(own))]
        if absent:
            raise ConfigError(f"model.name = '{name}': {where.path} holds no weights for {', '.join(absent[:3])}")
        fresh = bool(found["missing_keys"] or found["mismatched_keys"])
        super().__init__(net, heads, _recipe(Path(where.path) / PREPROCESSING), size, where, fresh)


def place(name: str, weights: str, download: bool) -> Place:
    """Return the folder of a model's configuration, preprocessing and weights: its own, or one in the hub's cache.

    Args:
        name: of the repository, or the folder.
        weights: ``default`` or a revision.
        download: fetch what is missing.

    Returns:
        The folder, of which JSON files and weights count.

    Raises:
        ConfigError: a file is missing.
    """
    folder = _folder(name, weights, (CONFIG, PREPROCESSING, *WEIGHTS), download)
    absent = [file for file in (CONFIG, PREPROCESSING) if not (folder / file).is_file()]
    if not any((folder / file).is_file() for file in WEIGHTS):
        absent.append(WEIGHTS[0])
    if absent:
        own = "" if Path(name).expanduser().is_dir() else FETCH
        raise ConfigError(missing(f"{absent[0]} of {name}", folder / absent[0], own))
    return place_of(folder, (".json", ".safetensors", ".bin"))


def _folder(name: str, revision: str, files: tuple[str, ...], download: bool) -> Path:
    """Return the folder that a name means; in the hub's cache the one of the revision."""
    if (own := Path(name).expanduser()).is_dir():
        if revision != DEFAULT:
            raise ConfigError(
                f"model.weights = '{revision}': {name} is a folder, which has no revisions; use {DEFAULT}"
            )
        return own
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ConfigError(f"model.name = '{name}': is no folder, nor a repository of the hub (OWNER/NAME)")
    hub, main = imported("huggingface_hub"), "main" if revision == DEFAULT else revision
    if download:
        patterns = [*files, "*.safetensors"]
        try:
            return Path(hub.snapshot_download(name, revision=main, allow_patterns=patterns))
        except Exception as error:
            raise ConfigError(f"model.download = True: {name} cannot be fetched ({first_line(error)})") from None
    found = [hub.try_to_load_from_cache(name, file, revision=main) for file in files]
    held = [Path(file) for file in found if isinstance(file, str)]
    if held:
        return held[0].parent
    cache = Path(hub.constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    raise ConfigError(
        f"model.name = '{name}': {CONFIG} of {main} is missing in {cache} (HF_HOME says where): copy that of a machine "
        f"which has it, name a folder with {CONFIG}, {PREPROCESSING} and {WEIGHTS[0]}, or set model.download=true"
    )


def _random(library: Any, name: str, options: dict[str, Any], download: bool) -> nn.Module:
    """Build a model from a configuration: a type's own, or that of a folder or repository."""
    if "trust_remote_code" in options:
        raise ConfigError("model.config.trust_remote_code: code that lies beside weights is not run")
    if "/" in name or Path(name).is_dir():
        folder = str(_folder(name, DEFAULT, (CONFIG,), download))
        config = library.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **options)
    else:
        check_known("model.name", name, sorted(_classes(library)), "the types of image classifiers of transformers")
        config = library.AutoConfig.for_model(name, **options)
        names = _classes(library)[name]
        config.architectures = [names if isinstance(names, str) else names[0]]
    _check_options(config, options)
    return _float(library.AutoModelForImageClassification.from_config(config))


def _classes(library: Any) -> Mapping[str, Any]:
    """Return the names of a type's classes by the type: one, or several of which the first is the plain one."""
    found: Mapping[str, Any] = library.models.auto.modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    return found


def _check_options(config: Any, options: Mapping[str, Any]) -> None:
    """Refuse an entry that this type of configuration does not have: the library would keep it and use it nowhere."""
    known = set(type(config)().to_dict()) | {"num_labels"}
    for key in options:
        check_known(f"model.config.{key}", key, sorted(known), f"the entries of {type(config).__name__}")


def _loaded(library: Any, folder: str, num_outputs: int) -> tuple[nn.Module, Mapping[str, Any]]:
    try:
        net, found = library.AutoModelForImageClassification.from_pretrained(
            folder,
            num_labels=num_outputs,
            ignore_mismatched_sizes=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            dtype=torch.float32,
        )
    except Exception as error:
        raise ConfigError(
            f"model.name: {folder} cannot be read as an image classifier ({first_line(error)})"
        ) from error
    return _float(net), found


def _float(net: Any) -> nn.Module:
    made: nn.Module = net.float().train()
    return made


def _heads(net: Any) -> tuple[nn.Module, ...]:
    """Return the layers beside the base model: the classifier, or of a distilled model the two of them."""
    beside = [child for name, child in net.named_children() if name != net.base_model_prefix]
    return tuple(m for child in beside for m in child.modules() if isinstance(m, nn.Linear | nn.Conv2d))


def _recipe(file: Path) -> Recipe:
    """Read the preprocessing that a repository's file describes, where it is of a kind that is known here."""
    known = json.loads(file.read_text())
    other = [name for name in ("do_flip_channel_order", "rescale_offset", "do_pad") if known.get(name)]
    if known.get("do_rescale", True) and not math.isclose(known.get("rescale_factor", 1 / 255), 1 / 255, rel_tol=1e-3):
        other.append("rescale_factor")
    if other:
        raise ConfigError(f"model.name: {file} asks for {', '.join(other)}, which is not done here")
    size, crop = known.get("size"), known.get("crop_size")
    normal = known.get("do_normalize", True)
    return Recipe(
        resize=_sides(size, known.get("crop_pct")) if known.get("do_resize", True) and size else None,
        crop=_pair(crop) if known.get("do_center_crop", False) and crop else _middle(size, known.get("crop_pct")),
        interpolation=_RESAMPLING.get(known.get("resample", 2), "bilinear"),
        mean=tuple(known["image_mean"]) if normal else Recipe().mean,
        std=tuple(known["image_std"]) if normal else Recipe().std,
    )


def _sides(size: Any, crop_pct: float | None) -> tuple[int, ...]:
    """Return height and width, or the shorter side, enlarged where ConvNeXt crops to it (below 384 pixels)."""
    if isinstance(size, Mapping) and "shortest_edge" in size:
        side = size["shortest_edge"]
        return (int(side / crop_pct),) if crop_pct and side < 384 else (side, side) if crop_pct else (side,)
    return _pair(size)


def _middle(size: Any, crop_pct: float | None) -> tuple[int, int] | None:
    return (size["shortest_edge"],) * 2 if crop_pct and isinstance(size, Mapping) and "shortest_edge" in size else None


def _pair(size: Any) -> tuple[int, int]:
    return (size["height"], size["width"]) if isinstance(size, Mapping) else (size, size)


@contextmanager
def _quiet(library: Any) -> Iterator[None]:
    """Keep the library's reports of what it loads from the terminal."""
    logging = library.utils.logging
    before, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if shown:
            logging.enable_progress_bar()

"""The data of a trial: loaded once per worker as long as its files stay as they are, and what was read, as digests."""

import functools
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.base.contents import DataState, Place, contents_of, place_of
from hpsearch.base.environment import as_recorded
from hpsearch.base.inside import check_name
from hpsearch.base.keys import PER_SEED
from hpsearch.base.plain import stable_hash
from hpsearch.base.types import TrialId, TrialState
from hpsearch.config.build import build
from hpsearch.data.sampling import check_classes_drawn
from hpsearch.models.named import named_weights, place_of_weights

if TYPE_CHECKING:
    import torch

    from hpsearch.data.base import DataSource, Splits

END = "end.pt"
"""The last state of a trial that has ended, for another one that goes on from it."""
CONTINUABLE = (TrialState.COMPLETE, TrialState.PRUNED)
"""Ends of a trial that another one may go on from."""
LOADED = 2
"""Data sets that a worker keeps."""
WEIGHTS, NAMED = "finetune.source", "model.weights"
"""The roles of the file that a model starts from, and of that which its library knows by name."""


def read(
    config: Mapping[str, Any], data: "DataSource", test: bool, device: "torch.device", source: str | None
) -> tuple["Splits", DataState]:
    """Return the data of a trial on its device, and what it was read from.

    Args:
        config: the trial's resolved configuration.
        data: its data source, built.
        test: whether its test part is wanted.
        device: where it is trained.
        source: where `finetune.source` was found.

    Returns:
        The splits, and the state of data and weights. A ConfigError says what cannot be sampled as asked.
    """
    files = contents_of(_places(data, config, source))
    known = DataState({role: each for role, each in files.items() if role not in (WEIGHTS, NAMED)}).digest
    seed = config["seed"] if data.split_seed == PER_SEED else 0
    splits = _load(_data_key(config["data"]), tuple(config["plugins"]), test, config["fold"], seed, device, known)
    check_classes_drawn(data.sampling, splits.train.y, splits.class_names)
    return splits, DataState(files, splits.whole.samples, splits.whole.rows, splits.whole.columns)


def end_of(name: str) -> Path:
    """Return where the last state of a trial is kept, by STUDY/POINT/SEED[/FOLD]."""
    study, *place = name.split("/")
    return Path.cwd() / "studies" / check_name(study) / "trials" / TrialId(*map(int, place)).stem / END


def forget() -> None:
    """Let loaded data go: a command that begins reads what is there now."""
    _load.cache_clear()


def source_key(config: Mapping[str, Any]) -> str:
    """Return what configurations share that read the same samples, however they split and scale them.

    Args:
        config: a trial's resolved configuration.
    """
    from hpsearch.data.base import DataSource

    config = as_recorded(config)
    shared = {field.name for field in fields(DataSource)}
    source = {name: value for name, value in config.get("data", {}).items() if name not in shared}
    tuned = config.get("finetune", {})
    named = named_weights(config.get("model", {}))
    shown = {"data": source, "weights": None if tuned.get("mode") == "none" else tuned.get("source")}
    return stable_hash({**shown, "named": named} if named else shown)


def files_state(config: Mapping[str, Any], source: str | None = None) -> DataState:
    """Return what the files of a configuration hold, without reading samples; called in a worker.

    Args:
        config: a trial's resolved configuration.
        source: where `finetune.source` was found.
    """
    data: DataSource = build("data", config["data"], tuple(config["plugins"]))
    return DataState(contents_of(_places(data, config, source)))


def _places(data: "DataSource", config: Mapping[str, Any], source: str | None) -> dict[str, Place]:
    finetune, named = config["finetune"], place_of_weights(config["model"])
    weights = None if finetune.get("mode") == "none" else source or finetune.get("source")
    places = {f"data.{name}": place for name, place in data.places().items()}
    places |= {} if named is None else {NAMED: named}
    return places if weights is None else {**places, WEIGHTS: place_of(weights)}


def _data_key(config: Mapping[str, Any]) -> str:
    how = {"batch_size": "full", "micro_batch": None, "drop_last": "auto", "shuffle": True, "sampling": None}
    return json.dumps({**config, **how}, sort_keys=True)


@functools.lru_cache(maxsize=LOADED)
def _load(
    data_key: str,
    plugins: tuple[str, ...],
    test: bool,
    fold: int,
    seed: int,
    device: "torch.device",
    _files: str,  # a part of the cache's key: other files, other data
) -> "Splits":
    source: DataSource = build("data", json.loads(data_key), plugins)
    return source.load(test, fold, seed).to(device)

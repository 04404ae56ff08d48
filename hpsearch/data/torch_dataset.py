"""A user's own `torch.utils.data.Dataset`."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.base.contents import Place, named_in
from hpsearch.base.errors import ConfigError, DataError, check_choice, check_int
from hpsearch.base.rng import address
from hpsearch.data.arrays import TASKS, Arrays, Parts
from hpsearch.data.base import DataSource
from hpsearch.data.labels import counted
from hpsearch.data.part import Part
from hpsearch.data.parting import check_one_way
from hpsearch.data.scaling import scaled, targets

if TYPE_CHECKING:
    from hpsearch.data.streamed import Samples


DIGESTED = 64
"""Inputs that are looked at to tell whether a dataset that is not kept in memory is the same."""


@dataclass(frozen=True, kw_only=True)
class TorchDataset(DataSource):
    """The samples of a map-style dataset: sample i is an input and its target.

    It is read by a DataLoader as training goes on, so it may be larger than the memory and may change its samples at
    random; whatever it draws is a function of the trial's seed, the epoch and the sample. With ``loader_workers=null``
    every sample is read once and kept on the device.

    An input is a tensor or an array, or a dict of such where the model takes one: it is then built with a dict of
    shapes, and called with a dict of batches.

    Its attribute ``targets`` (one per sample, as torchvision's datasets have) is used to split it; without one, every
    sample is read once for that. Its attribute ``classes`` names the classes.

    Attributes:
        dataset: the training and validation samples.
        test_dataset: those of the test part; None where there are none.
        task: ``classification`` or ``regression``.
        num_classes: number of classes; None takes ``dataset.classes``, else counts up to the largest label.
        groups: name of an attribute of the datasets, one value per sample: those of one value stay in one part; None
            for none.
        time: name of an attribute with a number or date per sample, by which parts follow one another; None likewise.
    """

    dataset: Any = None
    test_dataset: Any = None
    task: str = "classification"
    num_classes: int | None = None
    groups: str | None = None
    time: str | None = None
    scaling: str = "none"
    loader_workers: int | None = 0

    def __post_init__(self) -> None:
        """Refuse fields that no data set can satisfy.

        Raises:
            ConfigError: naming the key, its value and what is allowed.
        """
        super().__post_init__()
        for name in ("dataset", "test_dataset"):
            value = getattr(self, name)
            if value is None and name == "test_dataset":
                continue
            if not (hasattr(value, "__getitem__") and hasattr(value, "__len__")):
                shown = "null" if value is None else type(value).__name__
                raise ConfigError(f"data.{name} = {shown}: must be the `_target_` of a map-style dataset of yours")
        check_choice("data.task", self.task, TASKS)
        for name in ("groups", "time"):
            if not isinstance(value := getattr(self, name), str | None):
                raise ConfigError(f"data.{name} = {value!r}: must name an attribute of the dataset, or null")
        check_one_way(self.groups, self.time)
        if self.num_classes is not None:
            check_int("data.num_classes", self.num_classes, 2)
        if self.loader_workers is not None and self.scaling != "none":
            raise ConfigError(
                f"data.scaling = {self.scaling!r}: a dataset that is read as training goes on scales its samples "
                "itself; use none, or data.loader_workers=null"
            )

    def has_test(self) -> bool:
        """Return whether there is a dataset of the test part."""
        return self.test_dataset is not None

    def places(self) -> dict[str, Place]:
        """Return the files and folders that attributes of the datasets name."""
        datasets = {"dataset": self.dataset, "test_dataset": self.test_dataset}
        named = {name: named_in(getattr(dataset, "__dict__", {})) for name, dataset in datasets.items()}
        return {f"{name}.{field}": place for name, places in named.items() for field, place in places.items()}

    def samples_digest(self, arrays: Arrays) -> str:
        """Return a digest of the samples: of all that are kept, else of the targets and some inputs.

        Args:
            arrays: as read.
        """
        whole = super().samples_digest(arrays)
        return whole if self.loader_workers is None else f"{whole[:8]}{_some_inputs(self.dataset, self._where(False))}"

    def arrays(self, test: bool) -> Arrays:
        """Read the targets, and the inputs where they are kept.

        Args:
            test: those of the test part.

        Returns:
            The samples; where they are not kept, `x` holds their numbers.
        """
        from hpsearch.data.streamed import read_targets

        samples = self._samples(test)
        y = read_targets(samples, self._where(test))
        names = () if self.task == "regression" or test else self._names(y)
        x = np.arange(len(y)) if self.loader_workers is not None else _inputs(samples, self._where(test))
        y = y if self.task == "classification" else y.astype(np.float64)
        return Arrays(x, y, names, where=self._where(test), **self._marks(samples, test))

    def _marks(self, samples: "Samples", test: bool) -> dict[str, Any]:
        """Return the groups or times of the samples, as an attribute of the dataset has them."""
        found = {}
        for key, name in (("groups", self.groups), ("time", self.time)):
            if name is None:
                continue
            if not hasattr(samples, name):
                known = [each for each in getattr(samples, "__dict__", {}) if not each.startswith("_")]
                has = f" (it has: {', '.join(known)})" if known else ""
                raise DataError(f"data.{key} = '{name}': {self._where(test)} has no such attribute{has}")
            found[key] = getattr(samples, name)
        return found

    def convert(self, parts: Parts) -> Sequence[Part]:
        """Return tensors of the samples that are kept, else a DataLoader over the dataset."""
        if self.loader_workers is None:
            return super().convert(parts)
        from hpsearch.data.streamed import DatasetRows, Streamed, as_input, sample_of, shape_of

        ys = scaled([targets(part) for part in parts], self.target_scaling)
        converted = []
        for place, (part, y) in enumerate(zip(parts, ys, strict=True)):
            test = place == 2 and self.has_test()
            samples, told = self._samples(test), part.y
            if self.classes is not None:
                told = np.asarray(self.classes)[told]
            where, number = self._where(test), int(part.x[0])
            rows = DatasetRows(samples, part.x, y, told, where)
            first = as_input(sample_of(samples, number, where)[0], f"{where}: sample {number}")
            converted.append(Streamed(rows, y, shape_of(first), self.loader_workers))
        return converted

    def _samples(self, test: bool) -> "Samples":
        samples: Samples = self.test_dataset if test else self.dataset
        return samples

    def _where(self, test: bool) -> str:
        return f"data.{'test_' if test else ''}dataset = {type(self._samples(test)).__name__}"

    def _names(self, y: Any) -> tuple[str, ...]:
        known = getattr(self.dataset, "classes", None)
        if self.num_classes is None and known is not None:
            return tuple(map(str, known))
        if self.num_classes is not None:
            return tuple(map(str, range(self.num_classes)))
        return counted(y, f"{self._where(test=False)}: ", "say data.num_classes")


def _some_inputs(samples: "Samples", where: str) -> str:
    """Return a digest of evenly spaced inputs; empty where one differs when it is read twice."""
    numbers = np.unique(np.linspace(0, len(samples) - 1, DIGESTED).round().astype(int)).tolist()
    first, second = (
        hashlib.sha256(b"".join(_read_input(samples, n, where) for n in numbers)).hexdigest() for _ in range(2)
    )
    return first[:8] if first == second else ""


def _read_input(samples: "Samples", number: int, where: str) -> bytes:
    from hpsearch.data.streamed import addressed, sample_of

    with addressed(address(0, "sample", 0, number)):
        return _bytes_of(sample_of(samples, number, where)[0])


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, dict):
        return b"".join(_bytes_of(each) for each in value.values())
    if isinstance(value, list | tuple):
        return b"".join(map(_bytes_of, value))
    array = np.asarray(value)
    return b"" if array.dtype.hasobject else array.tobytes()


def _inputs(samples: "Samples", where: str) -> Any:
    from hpsearch.data.streamed import addressed, as_input, sample_of

    inputs: list[Any] = []
    for number in range(len(samples)):
        with addressed(address(0, "sample", 0, number)):
            each = as_input(sample_of(samples, number, where)[0], f"{where}: sample {number}")
        if isinstance(each, dict):
            raise DataError(f"{where}: its inputs are dicts, which are read as training goes on: data.loader_workers=0")
        if inputs and each.shape != inputs[0].shape:
            raise DataError(
                f"{where}: sample {number} has an input of shape {tuple(each.shape)}, sample 0 one of shape "
                f"{tuple(inputs[0].shape)}: all must be alike"
            )
        inputs.append(each)
    return np.stack([each.numpy() for each in inputs])

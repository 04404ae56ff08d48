"""What a trial got of every single sample: a small file in its folder, written by the trial and read by reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.base.files import replacement

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLES = "samples.safetensors"
"""The file's name."""
_BITS, _UNITS = "bits:", "units:"


@dataclass(frozen=True, slots=True, eq=False)
class SampleResults:
    """Numbers of single samples whose mean is what a trial reports.

    Attributes:
        values: [N] by name, such as ``valid/acc``: 1 for a right answer and 0 for a wrong one, the mean over the
            evaluations that make the score.
        units: [N] by part of the data: number of the group, or of the block of time, that a sample belongs to; parts
            whose samples stand for themselves have none.
        unit: what a number in `units` counts, in words; ``sample`` where there are none.
    """

    values: "Mapping[str, NDArray[np.float64]]"
    units: "Mapping[str, NDArray[np.int64]]"
    unit: str = "sample"


def write_samples(
    file: Path,
    key: str,
    values: "Mapping[str, NDArray[np.float32]]",
    units: "Mapping[str, NDArray[np.int32]]",
    unit: str = "sample",
    more: "Mapping[str, NDArray[Any]] | None" = None,
) -> None:
    """Write the results of single samples: a bit where all are 0 or 1, else a float32, the mean over evaluations.

    The file takes its place in one move, and is not waited for to be on the disk: without it an interval is wider.

    Args:
        file: where; its folder exists.
        key: hash of the trial's configuration.
        values: [E, N] of E evaluations, by name.
        units: see `SampleResults`.
        unit: see `SampleResults`.
        more: arrays that are only kept, such as outputs.
    """
    import numpy as np
    from safetensors.numpy import save

    arrays: dict[str, NDArray[Any]] = {f"{_UNITS}{part}": each.astype(np.int32) for part, each in units.items()}
    sizes = {}
    for name, each in values.items():
        if ((each == 0) | (each == 1)).all():
            arrays[_BITS + name], sizes[_BITS + name] = np.packbits(each.astype(bool), axis=1), str(each.shape[1])
        else:
            arrays[name] = each.mean(axis=0, dtype=np.float64).astype(np.float32)
    contiguous = {name: np.ascontiguousarray(each) for name, each in {**arrays, **(more or {})}.items()}
    with replacement(file, durable=False) as temporary:
        temporary.write_bytes(save(contiguous, {"key": key, "unit": unit, **sizes}))


def read_samples(file: Path, key: str) -> SampleResults | None:
    """Read the results of single samples; nothing in the file is run.

    Args:
        file: where.
        key: hash of the trial's configuration, which must be the one in the file.

    Returns:
        The results; None where there is no file, it is damaged, or another configuration wrote it.
    """
    import numpy as np
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as opened:
            metadata, values, units = opened.metadata() or {}, {}, {}
            if metadata["key"] != key:
                return None
            for name in opened.keys():  # noqa: SIM118 - it is no mapping
                if name.startswith(_BITS):
                    rows = np.unpackbits(opened.get_tensor(name), axis=1, count=int(metadata[name]))
                    values[name.removeprefix(_BITS)] = rows.mean(axis=0)
                elif name.startswith(_UNITS):
                    units[name.removeprefix(_UNITS)] = opened.get_tensor(name).astype(np.int64)
                elif "/" in name:
                    values[name] = opened.get_tensor(name).astype(np.float64)
            return SampleResults(values, units, metadata["unit"])
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, OverflowError):
        return None

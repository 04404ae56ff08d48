"""What a user asks of a search by hand: files in its folder, which its driver reads."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.base.errors import StorageError
from hpsearch.base.files import replacement
from hpsearch.base.intake import json_file

FOLDER = "requests"


@dataclass(frozen=True, slots=True)
class Request:
    """One thing that is asked for: exactly one of both.

    Attributes:
        skip: number of a point to give up.
        params: hyperparameters of a point to try, by dotted key.
    """

    skip: int | None = None
    params: Mapping[str, Any] | None = None


def leave(folder: Path, request: Request) -> None:
    """Leave a request for the driver that runs in a study's folder, or for the next one."""
    (folder / FOLDER).mkdir(exist_ok=True)
    with replacement(folder / FOLDER / f"{time.time_ns()}-{os.getpid()}.json") as temporary:
        temporary.write_text(json.dumps({"skip": request.skip, "params": request.params}), encoding="utf-8")


def left(folder: Path) -> Iterator[Request]:
    """Yield what was asked for, in its order; a request is gone once the next one is looked at."""
    for path in sorted((folder / FOLDER).glob("*.json")):
        yield _read(path)
        path.unlink()


def _read(path: Path) -> Request:
    try:
        content = json_file(path)
        skip, params = content["skip"], content["params"]
        if type(skip) in (int, type(None)) and isinstance(params, dict | None):
            return Request(skip, params)
    except (ValueError, LookupError, TypeError):
        pass
    raise StorageError(f"{path}: is no request that `hpsearch skip` or `try` left; remove it")

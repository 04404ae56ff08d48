"""What a user asks of a search by hand: files in its folder, which its driver reads."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.base.files import replacement

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
        content = json.loads(path.read_text(encoding="utf-8"))
        yield Request(content["skip"], content["params"])
        path.unlink()

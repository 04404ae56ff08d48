"""An optimizer with a mistake."""

from collections.abc import Iterable
from typing import Any

import torch


class Headless(torch.optim.SGD):
    """It leaves out the last two parameters: the head's weight and bias."""

    def __init__(self, params: Iterable[dict[str, Any]], lr: float, momentum: float) -> None:
        (group,) = params
        super().__init__([{**group, "params": group["params"][:-2]}], lr=lr, momentum=momentum)

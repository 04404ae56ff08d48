"""Autocast inside `torch.func.vmap`, where that of torch does nothing: tensors of members do not carry its mark."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

_LOWERED: frozenset[Callable[..., Any]] = frozenset({
    *(F.linear, F.conv1d, F.conv2d, F.conv3d, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d),
    *(torch.matmul, torch.mm, torch.bmm, torch.mv, torch.addmm, torch.baddbmm, torch.addbmm, torch.einsum),
    *(Tensor.matmul, Tensor.__matmul__, Tensor.mm, Tensor.bmm, Tensor.addmm, Tensor.baddbmm),
    F.scaled_dot_product_attention,
})
_RAISED: frozenset[Callable[..., Any]] = frozenset({
    *(F.layer_norm, torch.layer_norm, F.group_norm, torch.group_norm, F.softmax, F.log_softmax, F.softplus),
    *(torch.softmax, torch.log_softmax, Tensor.softmax, Tensor.log_softmax),
})
"""What autocast computes in its own precision, and what in float32, as far as layers of networks use it."""
_KEPT: frozenset[Callable[..., Any]] = frozenset({F.batch_norm, torch.batch_norm, F.instance_norm, torch.instance_norm})
"""What keeps the precision of its input, with weights in float32; under vmap both must be of one."""


class Casting(TorchFunctionMode):
    """Casts the arguments of products and convolutions to a lower precision, those of norms and softmax to float32.

    Args:
        dtype: the lower precision.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call a function of torch."""
        del types
        kwargs = dict(kwargs or {})
        if func in _LOWERED:
            return func(*self._cast(args, self._dtype), **self._cast(kwargs, self._dtype))
        if func not in _RAISED | _KEPT:
            return func(*args, **kwargs)
        outputs = func(*self._cast(args, torch.float32), **self._cast(kwargs, torch.float32))
        return outputs.to(args[0].dtype) if func in _KEPT else outputs

    def _cast(self, arguments: Any, dtype: torch.dtype) -> Any:
        def cast(value: Any) -> Any:
            casts = isinstance(value, Tensor) and value.dtype in (torch.float32, self._dtype)
            return value.to(dtype) if casts else value

        return tree_map(cast, arguments)


def as_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return what casts inside `torch.func.vmap` as autocast does outside, if it is on.

    Args:
        device: that is computed on.
    """
    known = torch.amp.is_autocast_available(device.type)  # not on "meta"
    on = known and torch.is_autocast_enabled(device.type)
    return Casting(torch.get_autocast_dtype(device.type)) if on else nullcontext()

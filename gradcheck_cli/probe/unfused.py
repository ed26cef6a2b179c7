"""Recurrent layers gate by gate, where a device computes a step, or all of them, in one op that shows no gate.

On a CPU torch's LSTM and GRU are made of the same products, sigmoids and tanhs as their equations; on a GPU they are
`_cudnn_rnn`, or `_thnn_fused_lstm_cell` and `_thnn_fused_gru_cell` (aten/src/ATen/native/RNN.cpp). There torch's own
decompositions take their place, which are what its compiler makes of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

Call = Callable[..., Any]
_FUSED = frozenset(("lstm", "gru", "lstm_cell", "gru_cell"))


def unfused(name: str, call: Call, args: tuple[Any, ...]) -> Call:
    """A call of a recurrent layer as one that shows its gates, where the device fuses them; else the call itself."""
    if name not in _FUSED or not (args and isinstance(args[0], Tensor) and is_fusing(args[0])):
        return call

    def decomposed(*args: Any, **kwargs: Any) -> Any:
        with torch._C.DisableTorchFunction():  # the call is one, as it is on a CPU
            return _shaped(name, args, _decomposition(name, args)(*args, **kwargs))

    return decomposed


def _shaped(name: str, args: tuple[Any, ...], returned: Any) -> Any:
    """The last states in the shape of the first, which those of some versions of torch have not."""
    if name not in ("lstm", "gru"):
        return returned
    given = args[2 if _is_packed(args) else 1]
    states = given if isinstance(given, (tuple, list)) else (given,)
    return returned[0], *(last.reshape(first.shape) for last, first in zip(returned[1:], states, strict=True))


def is_fusing(tensor: Tensor) -> bool:
    """Whether the device of a tensor computes the gates of a recurrent layer in one op."""
    return tensor.device.type not in ("cpu", "meta")


def _decomposition(name: str, args: tuple[Any, ...]) -> Call:
    from torch._decomp import decompositions  # no matter of a check without recurrent layers on a GPU

    if name == "lstm_cell":
        return _lstm_cell
    if name == "gru_cell":
        return _gru_cell
    if name == "lstm":
        return decompositions.lstm_data_impl if _is_packed(args) else decompositions.lstm_impl
    return decompositions.gru_impl_data if _is_packed(args) else decompositions.gru_impl


def _is_packed(args: tuple[Any, ...]) -> bool:
    """Whether the second argument is the batch sizes of a packed sequence."""
    return isinstance(args[1], Tensor) and not args[1].is_floating_point()


def _lstm_cell(
    x: Tensor,
    state: tuple[Tensor, Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Any:
    from torch._decomp.decompositions import lstm_cell

    return lstm_cell(linear(x, w_ih, b_ih), *state, w_hh, b_hh, None, chunk_dim=1)


def _gru_cell(
    x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Any:
    from torch._decomp.decompositions import gru_cell_data

    return gru_cell_data(x, h, w_ih, b_ih, w_hh, b_hh)

"""A pass with dropout off: what of a loss is the noise of the model itself (THEORY.md, section 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from gradcheck_cli.runtime.state import function_name

_DROPS = frozenset(
    "dropout dropout_ dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout".split()
)
"""Functions of (input, p, training)."""


class Undropped(TorchFunctionMode):
    """Inside, dropout leaves all as it is.

    That of attention, and between the layers of a recurrent net, stays on: they are one call with what it is part of.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        return args[0] if drops(func, args, kwargs) else func(*args, **kwargs)


def drops(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a call is a dropout that takes something out of its first argument."""
    if function_name(func) not in _DROPS or not args or not isinstance(args[0], torch.Tensor):
        return False
    share, training = (
        args[place] if len(args) > place else kwargs.get(name, usual)
        for place, name, usual in ((1, "p", 0.5), (2, "training", True))
    )
    return bool(training) and share > 0

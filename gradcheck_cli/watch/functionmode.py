"""The mode through which torch functions come to the tape, and its place among those of the script."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch.overrides import TorchFunctionMode

from gradcheck_cli.watch.tracebacks import trimmed


class FunctionHandler(Protocol):
    """Calls a torch function; `hiding` keeps what is ours from the script's classes of tensors."""

    def __call__(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        hiding: Callable[[], AbstractContextManager[None]],
    ) -> Any:
        """The function's result."""


class FunctionMode(TorchFunctionMode):
    """A mode that can be put below the script's, and taken from below them.

    Args:
        handler: What each torch function is handed to.
    """

    def __init__(self, handler: FunctionHandler) -> None:
        super().__init__()
        self._handler = handler

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        try:
            hiding = torch._C.DisableTorchFunctionSubclass if types else nullcontext
            return self._handler(func, args, kwargs or {}, hiding)
        except BaseException as error:
            trimmed(error)
            raise

    def open(self) -> None:
        """Let torch functions pass through the tape; below all modes of the user's, who leave theirs from the top."""
        if not torch._C._len_torch_function_stack():
            torch._C._push_on_torch_function_stack(self)
            return
        above = []
        while torch._C._len_torch_function_stack():
            mode = torch._C._pop_torch_function_stack()
            if mode is self:
                torch._C._push_on_torch_function_stack(mode)
                break
            if mode is getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None):  # it has to stay at the bottom
                torch._C._push_on_torch_function_stack(mode)
                torch._C._push_on_torch_function_stack(self)
                break
            above.append(mode)
        else:
            torch._C._push_on_torch_function_stack(self)
        for mode in reversed(above):
            torch._C._push_on_torch_function_stack(mode)

    def is_on_top(self) -> bool:
        """Whether torch functions pass through the tape before any other mode."""
        depth = torch._C._len_torch_function_stack()
        return bool(depth) and torch._C._get_function_stack_at(depth - 1) is self

    def close(self) -> bool:
        """Take the mode away; whether it was there."""
        if not torch._C._len_torch_function_stack():
            return False
        above, found = [], False
        while torch._C._len_torch_function_stack() and not found:
            mode = torch._C._pop_torch_function_stack()
            found = mode is self
            if not found:
                above.append(mode)
        for mode in reversed(above):
            torch._C._push_on_torch_function_stack(mode)
        return found

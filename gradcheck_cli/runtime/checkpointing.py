"""Run what must be transparent to the probe in its plain form: checkpointing and compilation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import wraps
from typing import Any, TypeVar

import torch
from torch.utils import checkpoint as checkpoint_module

T = TypeVar("T")


@contextmanager
def checkpointing_lifted() -> Iterator[list[str]]:
    """Inside, checkpointed blocks run once and leave their graph in place, so that every op is seen.

    The values are the same; only the memory that checkpointing saves is not. The list that is yielded
    gets an entry where a block was lifted.
    """
    lifted: list[str] = []

    class Plain:
        @staticmethod
        def apply(function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
            lifted.append("reentrant")
            if any(isinstance(a, torch.Tensor) and a.requires_grad for a in args):
                return function(*args)
            with torch.no_grad():  # as in torch: without such an input the block gets no gradient at all
                return function(*args)

    def plain_generator(*args: Any, **kwargs: Any) -> Iterator[None]:
        lifted.append("non-reentrant")
        yield

    saved = checkpoint_module.CheckpointFunction, checkpoint_module._checkpoint_without_reentrant_generator
    checkpoint_module.CheckpointFunction = Plain  # type: ignore[assignment,misc]
    checkpoint_module._checkpoint_without_reentrant_generator = plain_generator
    try:
        yield lifted
    finally:
        checkpoint_module.CheckpointFunction = saved[0]  # type: ignore[misc]
        checkpoint_module._checkpoint_without_reentrant_generator = saved[1]


def eagerly(function: Callable[[], T]) -> T:
    """Call `function` with torch.compile switched off, so that a compiled model shows its ops."""
    loaded = "torch._dynamo" in sys.modules
    if loaded and not hasattr(torch.compiler, "set_stance"):  # torch before 2.6
        return torch._dynamo.disable(function)()  # type: ignore[no-any-return]
    with ExitStack() as stack:
        if loaded:
            stack.enter_context(_stance())
        else:  # nothing was compiled yet, and the import takes a second
            stack.enter_context(_switched_off_when_needed(stack))
        return function()


def _stance() -> AbstractContextManager[Any]:
    """Inside, what was compiled runs as it was written, also a part that insists on its full graph."""
    return torch.compiler.set_stance("force_eager") if hasattr(torch.compiler, "set_stance") else nullcontext()


@contextmanager
def _switched_off_when_needed(stack: ExitStack) -> Iterator[None]:
    """Inside, the first torch.compile switches itself off, until `stack` is closed."""
    original = torch.compile

    @wraps(original)
    def compile(*args: Any, **kwargs: Any) -> Any:
        compiled = original(*args, **kwargs)
        if torch.compile is compile:
            torch.compile = original
            stack.enter_context(_stance())
        return compiled

    torch.compile = compile
    try:
        yield
    finally:
        torch.compile = original

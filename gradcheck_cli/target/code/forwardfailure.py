"""Say which module a forward pass failed in, what it expected and what it got."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType
from typing import Any

import torch
from torch import nn

from gradcheck_cli.errors import GradcheckError
from gradcheck_cli.target.code.expectations import shortfall
from gradcheck_cli.target.code.signatures import signature_of
from gradcheck_cli.target.code.usercode import as_error
from gradcheck_cli.target.loss.guess import described


def explain_forward_error(model: nn.Module, exc: BaseException) -> GradcheckError:
    """Turn what a pass raised into an error; one that already is an error comes back as it is.

    The message names the innermost module of the model whose forward raised, its expected and actual
    shapes where they can be told, and the frames are the user's own.
    """
    if isinstance(exc, GradcheckError):
        return exc
    if _in_backward(exc):
        return as_error("the backward pass", exc)
    names = {id(module): name for name, module in model.named_modules()}
    frame, module = _innermost(exc, names)
    if frame is None or module is None:
        return as_error("the forward pass", exc)
    name, kind = names[id(module)], type(module).__name__
    where = f"`{name}` ({kind})" if name else f"the model ({kind})"
    if frame.f_code.co_name.endswith("_call_impl") and isinstance(exc, TypeError):
        # The arguments did not fit forward's signature, so it never started.
        return as_error(f"the forward pass of {where}", exc, detail=f"it takes forward{signature_of(module.forward)}")
    return as_error(f"the forward pass of {where}", exc, detail=_detail(module, _arguments(frame)))


def _in_backward(exc: BaseException) -> bool:
    engine = torch.autograd.__file__
    return any(frame.f_code.co_filename == engine for frame, _ in traceback.walk_tb(exc.__traceback__))


def _detail(module: nn.Module, given: list[Any]) -> str:
    told = ""
    # After a device-side assert on a GPU even reading a tensor raises.
    with suppress(RuntimeError):
        told = shortfall(module, given)
    if told or not given:
        return told
    return f"it got {', '.join(described(item) for item in given)}"


def _innermost(exc: BaseException, names: dict[int, str]) -> tuple[FrameType | None, nn.Module | None]:
    """The deepest frame that runs a method of one of the model's modules; its forward where there is one."""
    found: tuple[FrameType | None, nn.Module | None] = (None, None)
    for frame, _ in traceback.walk_tb(exc.__traceback__):
        owner = frame.f_locals.get("self")
        if not isinstance(owner, nn.Module) or id(owner) not in names:
            continue
        # A helper of the same module (_conv_forward) knows less than its forward does.
        if owner is not found[1] or frame.f_code.co_name == "forward":
            found = (frame, owner)
    return found


def _arguments(frame: FrameType) -> list[Any]:
    """The tensors, and containers of tensors, that a method was called with."""
    code, local = frame.f_code, frame.f_locals
    bound = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    values = [local[name] for name in bound if name in local]
    values += [item for name in ("args", "inputs") for item in _items(local.get(name))]
    return [value for value in values if isinstance(value, (torch.Tensor, tuple, list, Mapping))]


def _items(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else ()

"""What autograd and torch note on a tensor besides its values: where they lie, its gradient, its hooks, its graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

Undo = Callable[[], None]


def undoing(tensor: Tensor) -> Undo:
    """What gives `tensor` back its memory, shape and dtype, `.grad`, `requires_grad`, hooks and class.

    Raises (when it is called):
        RuntimeError: Torch does not allow it, as for a view that was made part of a graph.
    """
    kind, data, place = tensor.__class__, tensor.data, _place(tensor)
    grad, required, node = _grad(tensor), tensor.requires_grad, _node(tensor)
    hooks, later = _hooks(tensor._backward_hooks), _hooks(_later(tensor))

    def undo() -> None:
        if tensor.__class__ is not kind:  # a lazy parameter became a usual one
            tensor.__class__ = kind
        if node is None and _node(tensor) is not None:
            tensor.detach_()
        if _place(tensor) != place:
            tensor.grad = None  # it may be of the dtype that the forward pass cast the model to
            tensor.data = data
        if tensor.requires_grad != required:
            tensor.requires_grad_(required)
        if _grad(tensor) is not grad:
            tensor.grad = grad
        _put_hooks(tensor, "_backward_hooks", hooks)
        _put_hooks(tensor, "_post_accumulate_grad_hooks", later)

    return undo


def _place(tensor: Tensor) -> Any:
    """What tells whether a tensor still lies where it lay, in the same layout."""
    if is_lazy(tensor) or tensor.is_nested:
        return is_lazy(tensor)
    about = tensor.dtype, tensor.device, tensor.shape, tensor.layout
    if tensor.layout is torch.sparse_coo:
        return *about, tensor._indices().data_ptr(), tensor._values().data_ptr()
    if tensor.layout is not torch.strided:
        return about
    return *about, tensor.data_ptr(), tensor.stride(), tensor.is_conj(), tensor.is_neg()


def _grad(tensor: Tensor) -> Tensor | None:
    """Its gradient; that of a tensor inside a graph, unless it was asked to keep one, is nobody's."""
    return tensor.grad if tensor.is_leaf or tensor.retains_grad else None


def _node(tensor: Tensor) -> Any:
    try:
        return tensor.grad_fn
    except RuntimeError:  # a view made under no_grad whose base was written to since
        return None


def _later(tensor: Tensor) -> Any:
    return tensor._post_accumulate_grad_hooks if tensor.is_leaf else None


def _hooks(found: Any) -> tuple[Any, list[tuple[Any, Any]]]:
    return found, list(found.items()) if found else []


def _put_hooks(tensor: Tensor, name: str, saved: tuple[Any, list[tuple[Any, Any]]]) -> None:
    """The same dictionary with the same hooks in it."""
    hooks, items = saved
    if hooks is not None and list(hooks.items()) != items:
        hooks.clear()
        hooks.update(items)
    if getattr(tensor, name) is not hooks:
        setattr(tensor, name, hooks)

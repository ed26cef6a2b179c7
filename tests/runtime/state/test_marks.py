"""What is noted on a tensor besides its values comes back: its place, gradient, hooks, flag and class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from gradcheck_cli.runtime.state.marks import undoing


def hook(gradient: Tensor) -> None:
    return None


def weight(*, hooked: bool = False, grad: bool = True) -> nn.Parameter:
    made = nn.Parameter(torch.arange(6.0).view(2, 3))
    if grad:
        made.grad = torch.ones(2, 3)
    if hooked:
        made.register_hook(hook)
        made.register_post_accumulate_grad_hook(hook)
    return made


def marks(tensor: Tensor) -> dict[str, Any]:
    hooks = tensor._backward_hooks, tensor._post_accumulate_grad_hooks if tensor.is_leaf else None
    return {
        "class": type(tensor),
        "place": (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor.is_conj()),
        "requires_grad": tensor.requires_grad,
        "leaf": tensor.is_leaf,
        "grad": id(tensor.grad) if tensor.is_leaf else None,
        "hooks": [held and (id(held), list(held.items())) for held in hooks],
    }


def _backward(tensor: Tensor) -> None:
    tensor.square().sum().backward()


def _cast(tensor: Tensor) -> None:
    tensor.grad = None
    tensor.data = tensor.data.double()
    tensor.grad = torch.zeros(2, 3, dtype=torch.float64)


def _dropped(tensor: Tensor) -> None:
    for held in (tensor._backward_hooks, tensor._post_accumulate_grad_hooks):
        (held or {}).clear()


CHANGES: dict[str, Callable[[Tensor], Any]] = {
    "no gradient any more": lambda w: setattr(w, "grad", None),
    "another gradient": lambda w: setattr(w, "grad", torch.zeros(2, 3)),
    "a backward pass": _backward,
    "frozen": lambda w: w.requires_grad_(False),
    "other memory": lambda w: setattr(w, "data", torch.zeros(2, 3)),
    "another shape": lambda w: (setattr(w, "grad", None), setattr(w, "data", torch.zeros(4))),
    "another layout": lambda w: setattr(w, "data", w.data.t().contiguous().t()),
    "another dtype": _cast,
    "a hook more": lambda w: w.register_hook(hook),
    "a hook after accumulation more": lambda w: w.register_post_accumulate_grad_hook(hook),
    "no hooks any more": _dropped,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("hooked", [False, True], ids=["bare", "hooked"])
@pytest.mark.parametrize("grad", [False, True], ids=["without gradient", "with gradient"])
def test_a_parameter_comes_back_as_often_as_it_is_asked_for(
    change: Callable[[Tensor], Any], hooked: bool, grad: bool
) -> None:
    tensor = weight(hooked=hooked, grad=grad)
    before, values, undo = marks(tensor), tensor.detach().clone(), undoing(tensor)
    for _ in range(2):
        change(tensor)
        undo()
        assert marks(tensor) == before
    assert torch.equal(tensor, values)


@pytest.mark.parametrize("change", ["another gradient", "frozen", "other memory", "a hook more"])
def test_the_changes_above_are_changes(change: str) -> None:
    tensor = weight()
    before = marks(tensor)
    CHANGES[change](tensor)
    assert marks(tensor) != before


def test_a_frozen_parameter_that_was_thawed_is_frozen_again() -> None:
    tensor = nn.Parameter(torch.ones(3), requires_grad=False)
    undo = undoing(tensor)
    tensor.requires_grad_(True)
    tensor.sum().backward()
    undo()
    assert (tensor.requires_grad, tensor.grad) == (False, None)


def test_a_buffer_that_was_made_part_of_a_graph_is_taken_out_of_it() -> None:
    buffer = torch.ones(3)
    undo = undoing(buffer)
    buffer.mul_(torch.ones(3, requires_grad=True))
    assert buffer.grad_fn is not None
    undo()
    assert (buffer.grad_fn, buffer.requires_grad, buffer.is_leaf) == (None, False, True)


def test_a_tensor_inside_a_graph_stays_there() -> None:
    inner = torch.ones(3, requires_grad=True) * 2
    node, undo = inner.grad_fn, undoing(inner)
    inner.register_hook(hook)
    undo()
    assert inner.grad_fn is node
    assert not inner._backward_hooks


def test_a_view_that_was_made_part_of_a_graph_raises() -> None:
    view = torch.zeros(4)[:2]
    undo = undoing(view)
    view.mul_(torch.ones(2, requires_grad=True))
    with pytest.raises(RuntimeError, match="view"):
        undo()


def test_a_lazy_parameter_is_lazy_again() -> None:
    lazy = UninitializedParameter()
    undo = undoing(lazy)
    lazy.materialize((2, 3))
    assert type(lazy) is nn.Parameter
    undo()
    assert type(lazy) is UninitializedParameter
    lazy.materialize((4, 5))
    assert lazy.shape == (4, 5)


def test_a_sparse_tensor_gets_its_values_back() -> None:
    sparse = torch.sparse_coo_tensor([[0, 2]], [1.0, 2.0], (3,))
    undo = undoing(sparse)
    sparse.data = torch.sparse_coo_tensor([[1]], [5.0], (3,))
    undo()
    assert sparse.to_dense().tolist() == [1.0, 0.0, 2.0]


def test_nothing_is_written_where_nothing_changed() -> None:
    tensor = weight(hooked=True)
    version, undo = tensor._version, undoing(tensor)
    undo()
    assert tensor._version == version

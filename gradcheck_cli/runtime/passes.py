"""How a pass of the user's model is run, and what is known of it before."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from gradcheck_cli.errors import GradcheckError
from gradcheck_cli.records.spec import Pass, Step
from gradcheck_cli.runtime.checkpointing import checkpointing_lifted, eagerly
from gradcheck_cli.runtime.state import seed_everything
from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.runtime.trees import tensors_in

LOW = (torch.float16, torch.bfloat16)
"""The low precisions."""


class RaisedByUser(Exception):
    """The user's code raised `error` while it was measured."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


_LONGEST_LINE = 160


def in_a_line(error: BaseException) -> str:
    """An exception's class and the beginning of its message; never raises."""
    kind = "no loss" if isinstance(error, GradcheckError) else type(error).__name__
    try:
        text = next(iter(str(error).strip().splitlines()), "")
    except Exception:  # a broken __str__
        return kind
    short = text if len(text) <= _LONGEST_LINE else text[:_LONGEST_LINE] + " ..."
    return f"{kind}: {short}" if short else kind


def low_precision(model: nn.Module, autocast: torch.dtype | None) -> torch.dtype | None:
    """The low precision in which gradients of this model are computed, if any are."""
    if autocast is not None:
        return autocast
    return next((p.dtype for p in model.parameters() if p.requires_grad and p.dtype in LOW), None)


def forward_pass(step: Step, *looking_on: AbstractContextManager[Any]) -> Pass:
    """One forward pass of a step, seen op by op, inside these contexts, of which the last is the innermost.

    Raises:
        Exception: Whatever the user's code raises.
    """
    model = step.target.model
    seed_everything(step.seed)
    with ExitStack() as stack:
        stack.enter_context(checkpointing_lifted())
        if step.autocast is not None:
            device = next((p.device.type for p in model.parameters()), "cpu")
            stack.enter_context(torch.autocast(device, dtype=step.autocast))
        for context in looking_on:
            stack.enter_context(context)
        stack.enter_context(torch.enable_grad())  # the pass may leave them off
        return eagerly(lambda: step.target.forward(model, step.batch))


class Unsaved:
    """Inside, of what is saved for a backward pass only leaves are kept: for a forward pass that none follows.

    Attributes:
        missed: Whether something was asked for inside all the same, as by a pass that takes gradients itself.
    """

    def __init__(self) -> None:
        self.missed = self._inside = False
        self._hooks = torch.autograd.graph.saved_tensors_hooks(_if_it_stays, self._had)

    def __enter__(self) -> None:
        self._inside = True
        self._hooks.__enter__()

    def __exit__(self, *raised: object) -> None:
        self._inside = False
        self._hooks.__exit__(*raised)

    def _had(self, kept: Tensor | None) -> Tensor:
        if kept is None:
            self.missed = self.missed or self._inside
            raise RuntimeError("what is asked for was not saved")
        return kept


def _if_it_stays(tensor: Tensor) -> Tensor | None:
    """A tensor that no gradient flows through, or a view of one: by these a graph's weights are known."""
    return tensor if (tensor if tensor._base is None else tensor._base).is_leaf else None


def loss_alone(step: Step, *looking_on: AbstractContextManager[Any]) -> Tensor:
    """The loss of a forward pass that no backward pass follows.

    Raises:
        Exception: Whatever the user's code raises.
    """
    unsaved = Unsaved()
    with suppress(Exception):
        loss = forward_pass(step, unsaved, *looking_on).loss
        if not unsaved.missed:
            return loss
    return forward_pass(step, *looking_on).loss


def run_backward(loss: Tensor, batch: Any = None) -> None:
    """Run the backward pass, with anomaly mode off: it would raise where the probe wants to look.

    Whoever calls it has to bring the mode back, as `preserved` does. Where the batch hangs from a graph of the user's,
    that is left usable.
    """
    torch.autograd.set_detect_anomaly(False)
    keep = hangs_from_a_graph(batch)
    if torch._C._len_torch_function_stack() and hasattr(torch.autograd.graph, "get_gradient_edge"):
        # A function mode sees loss.backward() as one call, and none of those that hooks make inside it.
        torch.autograd.backward(torch.autograd.graph.get_gradient_edge(loss), retain_graph=keep)
    else:
        loss.backward(retain_graph=keep)


def scaled(loss: Tensor, factor: float) -> Tensor:
    """The loss times a loss scale, as a GradScaler takes it."""
    return loss if factor == 1 else loss * torch.tensor(factor, device=loss.device)


def hangs_from_a_graph(batch: Any) -> bool:
    """Whether a tensor of the batch was computed, by what may have parameters of its own."""
    with untouched():
        return any(not tensor.is_leaf for tensor in tensors_in(batch))


def cut_off(batch: Any) -> Any:
    """The batch without the graph that it hangs from, so that training on it trains nothing behind it."""
    if not hangs_from_a_graph(batch):
        return batch
    return tree_map(lambda x: x.detach() if isinstance(x, Tensor) and not x.is_leaf else x, batch)

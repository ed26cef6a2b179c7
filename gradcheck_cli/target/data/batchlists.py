"""What the step is given: a list of tuples as one batch or as a list of batches, and a lazy model made real by it."""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from gradcheck_cli.records.spec import Pass
from gradcheck_cli.runtime.state import preserved, seed_everything
from gradcheck_cli.target.code.forwardfailure import explain_forward_error
from gradcheck_cli.target.data.batches import FoundBatches
from gradcheck_cli.target.loss.forward import ModelForward, StepForward, training_step

_WHOLE, _ITEM = ", its list taken as one batch", ", an item of its list taken as a batch"


def as_taken(
    found: FoundBatches,
    model: nn.Module,
    forward: ModelForward | StepForward,
    seed: int,
    moved: Callable[[list[Any]], list[Any]] = lambda batches: batches,
) -> tuple[list[Any], str]:
    """The batches as the step takes them and, where a list can be read in two ways, which way was taken.

    How the step's own code reads its batch, then the name, say which way is tried first; the other one is taken where
    only that runs. The model comes back as it was. `moved` brings a list to the model's device, where it is tried.
    """
    if found.whole is None:
        return found.batches, ""

    def one() -> list[Any]:
        assert found.whole is not None
        whole = moved(found.whole)
        return [whole if isinstance(forward, StepForward) else (whole,)]

    readings = [(one, _WHOLE), (lambda: found.batches, _ITEM if found.named_one else "")]
    if not _begins_whole(found, model, forward):
        readings.reverse()
    first: tuple[list[Any], str] | None = None
    for read, told in readings:
        batches = read()
        if _runs(model, forward, batches[0], seed):
            return batches, told
        first = first or (batches, told)
    assert first is not None
    return first


def materialised(model: nn.Module, forward: Callable[[nn.Module, Any], Pass], batch: Any) -> None:
    """Take the step once where the model is lazy: its parameters have no shape before.

    The buffers that had values keep them, and no gradient stays.

    Raises:
        GradcheckError: The step raised.
    """
    if not _is_lazy(model):
        return
    kept = [(buffer, buffer.clone()) for buffer in model.buffers() if not is_lazy(buffer)]
    try:
        with torch.enable_grad():  # a step may take gradients itself
            forward(model, batch)
    except BaseException as exc:
        raise explain_forward_error(model, exc) from exc
    with torch.no_grad():
        for buffer, values in kept:
            buffer.copy_(values)
    model.zero_grad()


def _is_lazy(model: nn.Module) -> bool:
    return any(is_lazy(parameter) for parameter in model.parameters())


def _begins_whole(found: FoundBatches, model: nn.Module, forward: ModelForward | StepForward) -> bool:
    if not isinstance(forward, StepForward):
        return False  # a loss takes (output, target), as a tuple holds them
    step = getattr(model, "training_step", None) if forward.step is training_step else forward.step
    by_code = reads_whole(step, 0 if forward.step is training_step else 1)
    return found.named_one if by_code is None else by_code


def _runs(model: nn.Module, forward: Callable[[nn.Module, Any], Pass], batch: Any, seed: int) -> bool:
    """Whether a pass on such a batch comes to a loss, tried without a trace in the model."""
    try:
        if _is_lazy(model):
            model = copy.deepcopy(model)
        with preserved(model, batch, getattr(forward, "loss", None)):
            seed_everything(seed)
            forward(model, batch)
    except (Exception, SystemExit):  # the user's code, on what it may not be meant for
        return False
    return True


def reads_whole(step: Any, place: int) -> bool | None:
    """Whether a step reads its argument at `place` as a list of things, or as one tuple or mapping, by its source.

    None where its source is not to be had, or does not tell.
    """
    try:
        name = list(inspect.signature(step).parameters)[place]
        tree = ast.parse(textwrap.dedent(inspect.getsource(step)))
    except (ValueError, TypeError, IndexError, OSError, SyntaxError):
        return None
    told = set(_uses(tree, name))
    return told.pop() if len(told) == 1 else None


def _uses(tree: ast.AST, name: str) -> Iterator[bool]:
    """For every use of `name` that tells, whether it is read as a list of things."""
    for node in ast.walk(tree):
        match node:
            case ast.For(iter=through) | ast.comprehension(iter=through) if _goes_through(through, name):
                yield True
            case ast.Starred(value=ast.Name(id=found)) if found == name:
                yield True  # zip(*batch)
            case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Name(id=found)) if found == name:
                yield any(isinstance(part, (ast.Tuple, ast.List)) for part in parts)
            case ast.Subscript(value=ast.Name(id=found), slice=ast.Constant(value=str())) if found == name:
                yield False  # batch["x"]


def _goes_through(node: ast.expr, name: str) -> bool:
    """Whether a loop over `node` is one over what `name` holds."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("enumerate", "reversed"):
        return any(isinstance(argument, ast.Name) and argument.id == name for argument in node.args)
    return isinstance(node, ast.Name) and node.id == name

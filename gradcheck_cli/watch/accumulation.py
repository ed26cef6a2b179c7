"""Which backward passes the gradients that stand in the parameters are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.entries import version_of
from gradcheck_cli.watch.tape import Backward

_MOST = 512
"""Backward passes that are kept for one update."""


class Start(NamedTuple):
    """From which backward pass on a parameter's gradient is made of what is known, and what it was before, if not 0."""

    first: int
    base: Tensor | None


class Accumulation:
    """The backward passes since the gradients were last clear: fed with each, and told of each update.

    Attributes:
        backwards: Those that some gradient is made of, in order.
        starts: Where each parameter's gradient begins, by the parameter's id.
        norms: For each backward pass, what gradient arrived at each parameter, by its id: its norm, on this process;
            only where processes average their gradients.
        updated_inside: Whether the parameters have moved since the last backward pass began.
    """

    def __init__(self) -> None:
        self.backwards: list[Backward] = []
        self.starts: dict[int, Start] = {}
        self.norms: list[dict[int, Tensor]] = []
        self.updated_inside = False
        self._parameters: dict[int, Tensor] = {}
        self._marks: dict[int, tuple[int, int]] = {}
        self._hooks: list[Any] = []

    def began(self, backward: Backward) -> None:
        """A backward pass is about to run."""
        if len(self.backwards) >= _MOST:
            self.updated()
        self.updated_inside = False
        parameters = backward.parameters if backward.kind == "backward" else []
        unknown = []
        for parameter in parameters:
            key, gradient = id(parameter), parameter.grad
            self._parameters[key] = parameter
            if gradient is None:
                self.starts[key] = Start(len(self.backwards), None)
            elif self._marks.get(key) != (id(gradient), version_of(gradient)):
                unknown.append(parameter)
        if unknown:
            self._begin_at_what_is_there(unknown)
        self.backwards.append(backward)
        self._forget()
        norms: dict[int, Tensor] = {}
        self.norms.append(norms)
        if is_averaged(backward):
            self._hooks = listening(parameters, norms)

    def alone(self, backward: Backward) -> None:
        """The script ends here: there is nothing but this, and no gradient of it."""
        self.updated()
        self.backwards.append(backward)
        self.norms.append({})

    def ended(self, backward: Backward, raised: BaseException | None = None) -> None:
        """It has run, or raised: then what it left in the gradients is not known."""
        for handle in self._hooks:
            handle.remove()
        self._hooks = []
        if backward not in self.backwards:  # an update came in between
            return
        if raised is not None:
            at = self.backwards.index(backward)
            del self.backwards[at], self.norms[at]
            self._marks.clear()
        elif backward.kind == "backward":
            for parameter in backward.parameters:
                gradient = parameter.grad
                if gradient is not None:
                    self._marks[id(parameter)] = (id(gradient), version_of(gradient))

    def updated(self) -> None:
        """The parameters have moved: what was before cannot be repeated any more."""
        self.updated_inside = self.updated_inside or bool(self.backwards)
        for kept in (self.backwards, self.norms, self.starts, self._marks, self._parameters):
            kept.clear()

    @property
    def compared(self) -> list[Tensor]:
        """The parameters whose gradients are known from where they began."""
        return [parameter for key, parameter in self._parameters.items() if key in self.starts]

    def changed(self) -> bool:
        """Whether a gradient was written into since the last backward pass, as clipping does."""
        now = {key: p.grad for key, p in self._parameters.items() if p.grad is not None}
        return any(self._marks.get(key) != (id(gradient), version_of(gradient)) for key, gradient in now.items())

    def _begin_at_what_is_there(self, parameters: list[Tensor]) -> None:
        """These gradients are zero, or of what is not known any more."""
        with untouched():
            for parameter in parameters:
                gradient = parameter.grad
                assert gradient is not None
                base = gradient.detach().clone() if bool(torch.count_nonzero(dense(gradient))) else None
                self.starts[id(parameter)] = Start(len(self.backwards), base)

    def _forget(self) -> None:
        """Let go of the backward passes that no gradient which is still there was made by."""
        last = len(self.backwards) - 1
        gone = [k for k, p in self._parameters.items() if p.grad is None and self.starts[k].first < last]
        for key in gone:
            del self.starts[key], self._parameters[key]
            self._marks.pop(key, None)
        first = min((start.first for start in self.starts.values()), default=last)
        if first:
            del self.backwards[:first], self.norms[:first]
            self.starts = {key: Start(start.first - first, start.base) for key, start in self.starts.items()}


def is_averaged(backward: Backward) -> bool:
    """Whether its gradients become an average over processes, so that none of them can compute them alone."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return False
    calls = (entry.call for entry in backward.entries)
    return torch.distributed.get_world_size() > 1 and any(map(_averages, calls))


def _averages(call: Any) -> bool:
    return isinstance(call, nn.Module) and type(call).__name__ == "DistributedDataParallel"


def listening(parameters: list[Tensor], norms: dict[int, Tensor]) -> list[Any]:
    """Hooks that note the norm of the gradient that arrives at each of these parameters."""

    def noting(key: int) -> Callable[[Tensor], None]:
        def note(gradient: Tensor) -> None:
            with untouched():
                norms[key] = dense(gradient).double().norm()

        return note

    return [parameter.register_hook(noting(id(parameter))) for parameter in parameters]


def dense(gradient: Tensor) -> Tensor:
    """A gradient's numbers as a dense tensor of real ones."""
    found = gradient.detach()
    found = found.to_dense() if found.layout is not torch.strided else found
    return torch.view_as_real(found.resolve_conj()) if found.is_complex() else found

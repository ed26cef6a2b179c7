"""Which backward passes the gradients that stand in the parameters are made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from operator import attrgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import version_of
from gradcheck_cli.watch.inputmemory import Inputs, inputs_of, is_much

_MOST = 512
"""Backward passes that are kept for one update."""


class GradientStart(NamedTuple):
    """From which backward pass on a parameter's gradient is made of what is known, and what it was before, if not 0."""

    first: int
    base: Tensor | None


_CLEAN = GradientStart(0, None)
_gradient_of, _written = attrgetter("grad"), attrgetter("_version")


class Accumulation:
    """The backward passes since the gradients were last clear: fed with each, and told of each update.

    Where their inputs take much memory, the earlier ones are let go of, and the gradients that stand in the parameters
    cannot be made again. So from then on it is noted what arrives at each parameter in each pass, and the last one,
    and the first that was not finite, can be proven by that.

    Attributes:
        backwards: Those that some gradient is made of, in order, as far as they are kept.
        arrived: For each backward pass, marks of the gradient that arrived at each parameter, by its id, on this
            process; None where they were not noted.
        let_go: How many passes of this update are not kept any more.
        updated_inside: Whether the parameters have moved since the last backward pass began.
        guilty: The first pass of this update that was not finite, if one was told.
        clean: Whether the first pass of this update found no gradient at all.
    """

    def __init__(self) -> None:
        self.backwards: list[Backward] = []
        self._starts: dict[int, GradientStart] = {}
        self.arrived: list[dict[int, Tensor] | None] = []
        self.let_go = 0
        self.updated_inside = self.clean = False
        self.guilty: Backward | None = None
        self._crowded = False
        self._inputs: Inputs = {}
        self._earlier: Inputs = {}
        self._parameters: dict[int, Tensor] = {}
        self._marks: dict[int, tuple[int, int]] = {}
        self._hooks: list[Any] = []
        # A first pass that found no gradient, as most are: what is known of it goes among the rest when that is asked
        self._first: list[Tensor] = []
        self._stood: tuple[list[int], list[int]] | None = None

    @property
    def starts(self) -> dict[int, GradientStart]:
        """Where each parameter's gradient begins, by the parameter's id."""
        self._take_first()
        return self._starts

    def began(self, backward: Backward) -> None:
        """A backward pass is about to run."""
        if len(self.backwards) >= _MOST:
            self.updated()
        self.updated_inside = False
        parameters = backward.parameters if backward.kind == "backward" else []
        if not self.backwards:
            self.clean = not self._parameters and set(map(_gradient_of, parameters)) <= {None}
            if self.clean:
                self._first = parameters
                self._begin(backward, parameters)
                return
        elif self._crowded or self._is_crowded_by(backward):
            self._let_go()
        self._take_first()
        unknown = []
        for parameter in parameters:
            key, gradient = id(parameter), parameter.grad
            self._parameters[key] = parameter
            if gradient is None:
                self._starts[key] = GradientStart(len(self.backwards), None)
            elif self._marks.get(key) != (id(gradient), version_of(gradient)):
                unknown.append(parameter)
        if unknown and not self.let_go:
            self._begin_at_what_is_there(unknown)
        self._begin(backward, parameters)
        self._forget()

    def late(self, backward: Backward, standing: dict[int, tuple[int, int]]) -> None:
        """One that found no gradient at all has run by now: by the parameters' ids, the marks of what it has left."""
        self.updated()  # what was before left nothing
        self.updated_inside, self.clean = False, True
        self._first = backward.parameters
        self._begin(backward, self._first)
        self._take_first()
        self._marks.update(standing)

    def _begin(self, backward: Backward, parameters: list[Tensor]) -> None:
        self.backwards.append(backward)
        arrived: dict[int, Tensor] | None = {} if self._crowded or is_averaged(backward) else None
        self.arrived.append(arrived)
        if arrived is not None:
            self._hooks = listening(parameters, arrived)

    def alone(self, backward: Backward) -> None:
        """The script ends here: there is nothing but this, and no gradient of it."""
        self.updated()
        self.backwards.append(backward)
        self.arrived.append(None)

    def ended(self, backward: Backward, raised: BaseException | None = None) -> None:
        """It has run, or raised: then what it left in the gradients is not known."""
        for handle in self._hooks:
            handle.remove()
        self._hooks = []
        if backward not in self.backwards:  # an update came in between
            return
        if raised is not None:
            at = self.backwards.index(backward)
            del self.backwards[at], self.arrived[at]
            self._take_first()
            self._marks.clear()
        elif backward.kind == "backward":
            self._stood = _standing(backward.parameters) if backward.parameters is self._first else None
            if self._stood is None:
                self._take_first()
                self._marks |= _marks_of(backward.parameters)

    def _take_first(self) -> None:
        """Put what is known of the first pass among the rest."""
        first, stood, self._first, self._stood = self._first, self._stood, [], None
        self._parameters.update((id(p), p) for p in first)
        self._starts.update(dict.fromkeys(map(id, first), _CLEAN))
        if stood is not None:
            self._marks.update(zip(map(id, first), zip(*stood, strict=True), strict=True))

    def updated(self) -> None:
        """The parameters have moved: what was before cannot be repeated any more."""
        self.updated_inside = self.updated_inside or bool(self.backwards)
        self.backwards.clear()
        self.arrived.clear()
        self._first, self._stood = [], None
        if self._parameters or self._inputs or self._earlier:
            for kept in (self._starts, self._marks, self._parameters, self._inputs, self._earlier):
                kept.clear()
        self.let_go, self.guilty = 0, None

    @property
    def compared(self) -> list[Tensor]:
        """The parameters whose gradients are known from where they began."""
        starts = self.starts
        return [parameter for key, parameter in self._parameters.items() if key in starts]

    def changed(self) -> bool:
        """Whether a gradient was written into since the last backward pass, as clipping does."""
        self._take_first()
        return any(self._marks.get(key) != mark for key, mark in _marks_of(list(self._parameters.values())).items())

    def writes(self) -> float:
        """How often a gradient was written into since the last backward pass, at most; Inf where it is another one."""
        self._take_first()
        now = [(self._marks.get(key), p.grad) for key, p in self._parameters.items() if p.grad is not None]
        known = (version_of(g) - mark[1] if mark and mark[0] == id(g) else math.inf for mark, g in now)
        return max(known, default=0)

    def _begin_at_what_is_there(self, parameters: list[Tensor]) -> None:
        """These gradients are zero, or of what is not known any more."""
        with untouched():
            for parameter in parameters:
                gradient = parameter.grad
                assert gradient is not None
                base = gradient.detach().clone() if bool(torch.count_nonzero(dense(gradient))) else None
                self._starts[id(parameter)] = GradientStart(len(self.backwards), base)

    def _is_crowded_by(self, backward: Backward) -> bool:
        """Whether what earlier passes alone keep alive is much, now that this one comes."""
        self._earlier |= self._inputs or inputs_of(self.backwards[-1])
        self._inputs = inputs_of(backward)
        self._crowded = is_much({key: held for key, held in self._earlier.items() if key not in self._inputs})
        return self._crowded

    def _let_go(self) -> None:
        """Let go of all passes but the first that was not finite."""
        kept = [(each, marks) for each, marks in zip(self.backwards, self.arrived, strict=True) if each is self.guilty]
        self.let_go += len(self.backwards) - len(kept)
        self.backwards, self.arrived = [each for each, _ in kept], [marks for _, marks in kept]
        self._take_first()
        for held in (self._starts, self._inputs, self._earlier):
            held.clear()

    def _forget(self) -> None:
        """Let go of the backward passes that no gradient which is still there was made by."""
        last = len(self.backwards) - 1
        none = [k for k, p in self._parameters.items() if p.grad is None]
        gone = [k for k in none if k not in self._starts or self._starts[k].first < last]
        for key in gone:
            self._starts.pop(key, None)
            del self._parameters[key]
            self._marks.pop(key, None)
        if self.let_go:
            return
        first = min((start.first for start in self._starts.values()), default=last)
        if first:
            self._inputs.clear()
            self._earlier.clear()
            del self.backwards[:first], self.arrived[:first]
            self._starts = {k: GradientStart(start.first - first, start.base) for k, start in self._starts.items()}


def _standing(parameters: list[Tensor]) -> tuple[list[int], list[int]] | None:
    """The gradients of these parameters, by id, and how often each was written into; None where one has none."""
    gradients = list(map(_gradient_of, parameters))
    try:
        return list(map(id, gradients)), list(map(_written, gradients))
    except (AttributeError, RuntimeError):  # there is none, or it is one of inference mode
        return None


def _marks_of(parameters: list[Tensor]) -> dict[int, tuple[int, int]]:
    """The gradients that stand in these parameters, and how often each was written into."""
    try:
        return {id(p): (id(g), g._version) for p in parameters if (g := p.grad) is not None}
    except RuntimeError:  # one of inference mode
        return {id(p): (id(g), version_of(g)) for p in parameters if (g := p.grad) is not None}


def is_averaged(backward: Backward) -> bool:
    """Whether its gradients become an average over processes, so that none of them can compute them alone."""
    kinds = [entry.call for entry in backward.entries if type(entry.call).__name__ == "DistributedDataParallel"]
    if not kinds or not isinstance(kinds[0], nn.Module):
        return False
    known = torch.distributed.is_available() and torch.distributed.is_initialized()
    return known and torch.distributed.get_world_size() > 1


def listening(parameters: list[Tensor], arrived: dict[int, Tensor]) -> list[Any]:
    """Hooks that note marks of the gradient that arrives at each of these parameters."""

    def noting(key: int) -> Callable[[Tensor], None]:
        def note(gradient: Tensor) -> None:
            with suppress(Exception), untouched():  # it runs inside the script's backward pass
                arrived[key] = marks_of(gradient)

        return note

    return [parameter.register_hook(noting(id(parameter))) for parameter in parameters]


def marks_of(gradient: Tensor) -> Tensor:
    """Numbers by which a gradient is known again, without keeping it: its norm, and the sum over each row.

    A sum is divided by the root of the row's length, so that it is a share of the norm. Shape (1 + rows,).
    """
    found = dense(gradient)
    wide = torch.promote_types(found.dtype, torch.float32)
    columns = tuple(range(1, found.dim())) or None
    length = found.numel() // (found.shape[0] if columns else 1)
    norm = torch.linalg.vector_norm(found, dtype=wide)
    sums = found.sum(columns, dtype=wide) / math.sqrt(max(length, 1))
    return torch.cat([norm.reshape(1), sums.reshape(-1)])


def dense(gradient: Tensor) -> Tensor:
    """A gradient's numbers as a dense tensor of real ones."""
    found = gradient.detach()
    found = found.to_dense() if found.layout is not torch.strided else found
    return torch.view_as_real(found.resolve_conj()) if found.is_complex() else found

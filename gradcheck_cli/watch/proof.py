"""Whether a step that was taken again is the step of the run: its losses, and every parameter's gradient."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gradcheck_cli.records.timeline import Replay
from gradcheck_cli.runtime.state import preserved
from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.replay import NotRepeatable, Run, Taped, _autocasting, _low, model_of
from gradcheck_cli.watch.tape import Backward, Tape

_TOLERANCE = 1e-6
"""Of a gradient's norm: sums of several threads differ by 1.3e-7 of it from one time to the next."""


class Replayed(NamedTuple):
    """Whether a step could be repeated, and where not exactly, why."""

    outcome: Replay
    why: str = ""


class Start(NamedTuple):
    """From which backward pass on a parameter's gradient is made of what is known, and what it was before, if not 0."""

    index: int
    base: Tensor | None


class Accumulation:
    """The backward passes whose gradients stand in the parameters, and where each of these began."""

    def __init__(self) -> None:
        self.backwards: list[Backward] = []
        self.starts: dict[int, Start] = {}
        self.inside = False
        self._parameters: dict[int, Tensor] = {}
        self._marks: dict[int, tuple[int, int]] = {}

    def began(self, backward: Backward) -> None:
        """A backward pass is about to run."""
        self.inside = False
        index, unknown = len(self.backwards), []
        parameters = backward.parameters if backward.kind == "backward" else []
        for parameter in parameters:
            key, gradient = id(parameter), parameter.grad
            self._parameters[key] = parameter
            if gradient is None:
                self.starts[key] = Start(index, None)
            elif self._marks.get(key) != (id(gradient), gradient._version):
                unknown.append(parameter)
        with untouched():
            for parameter in unknown:
                gradient = parameter.grad
                assert gradient is not None
                base = gradient.detach().clone() if bool(torch.count_nonzero(_plain(gradient))) else None
                self.starts[id(parameter)] = Start(index, base)
        self.backwards.append(backward)
        self._forget()

    def alone(self, backward: Backward) -> None:
        """The script ends here: there is nothing but this, and no gradient of it."""
        self.updated()
        self.backwards.append(backward)

    def _forget(self) -> None:
        """Let go of what no gradient that is still there was made by."""
        gone = [key for key, p in self._parameters.items() if p.grad is None and self.starts[key].index < self._last]
        for key in gone:
            del self.starts[key], self._parameters[key]
            self._marks.pop(key, None)
        first = min((start.index for start in self.starts.values()), default=self._last)
        if first:
            del self.backwards[:first]
            self.starts = {key: Start(start.index - first, start.base) for key, start in self.starts.items()}

    @property
    def _last(self) -> int:
        return len(self.backwards) - 1

    def changed(self) -> bool:
        """Whether a gradient was written into since the last backward pass, as clipping does."""
        now = {key: p.grad for key, p in self._parameters.items() if p.grad is not None}
        return any(self._marks.get(key) != (id(gradient), gradient._version) for key, gradient in now.items())

    def ended(self, backward: Backward) -> None:
        """It has run."""
        if backward.kind == "backward":
            for parameter in backward.parameters:
                gradient = parameter.grad
                if gradient is not None:
                    self._marks[id(parameter)] = (id(gradient), gradient._version)

    def updated(self) -> None:
        """The parameters have moved: what was before cannot be repeated any more."""
        self.inside = self.inside or bool(self.backwards)
        self.backwards.clear()
        self.starts.clear()
        self._marks.clear()
        self._parameters.clear()


def verify(tape: Tape, accumulation: Accumulation) -> Replayed:
    """Take all backward passes since the gradients were clear again, and compare.

    Everything comes back as it was.
    """
    backwards = accumulation.backwards
    why = next((b.why for b in backwards if b.why), "")
    if why or not backwards:
        moved = "the parameters were updated during or since the backward pass"
        return Replayed(Replay.IMPOSSIBLE, why or (moved if accumulation.inside else "there was no backward pass"))
    with tape.quiet():
        try:
            return _Proof(tape, accumulation).run()
        except NotRepeatable as reason:
            return Replayed(Replay.IMPOSSIBLE, str(reason))
        except Exception as error:
            text = (str(error).strip().splitlines() or [""])[0]
            return Replayed(Replay.IMPOSSIBLE, f"taken again, it raised {type(error).__name__}: {text}")


class _Proof:
    def __init__(self, tape: Tape, accumulation: Accumulation) -> None:
        self.model = model_of(accumulation.backwards, tape.naming)
        self.passes = [Taped(b, self.model, as_run=True) for b in accumulation.backwards]
        self.starts = accumulation.starts
        self.compared = [p for key, p in accumulation._parameters.items() if key in self.starts]
        self.changed = accumulation.changed()
        self.wrong = ""

    def run(self) -> Replayed:
        batch = tuple(taped.batch for taped in self.passes)
        others = nn.ModuleList([module for taped in self.passes for module in taped.loss])
        live = [p.grad for p in self.compared]
        with _silent(), preserved(self.model.module, batch, others):
            for parameter in self._learning():
                parameter.grad = None
                parameter._post_accumulate_grad_hooks = None  # type: ignore[assignment]
            for index, taped in enumerate(self.passes):
                self._again(index, taped)
                if self.wrong:
                    return Replayed(Replay.INEXACT, self.wrong)
            with untouched():
                again = [p.grad for p in self.compared]
                nothing = all(gradient is None for gradient in (*live, *again))
                if nothing and any(taped.backward.kind == "backward" for taped in self.passes):
                    return Replayed(Replay.IMPOSSIBLE, "no gradient is left to compare with")
                wrong = _difference(live, again, factor=self.changed)
        return Replayed(Replay.INEXACT, wrong) if wrong else Replayed(Replay.EXACT)

    def _learning(self) -> list[Tensor]:
        found = {id(p): p for p in self.model.module.parameters()}
        for taped in self.passes:
            found.update((id(t), t) for t in taped.batch if t.requires_grad and t.is_leaf)
        return list(found.values())

    def _again(self, index: int, taped: Taped) -> None:
        backward = taped.backward
        for parameter in self.compared:
            start = self.starts[id(parameter)]
            if start.index == index:
                parameter.grad = None if start.base is None else start.base.clone()
        low = [dtype for entry in taped.entries for dtype in _low(entry.autocast)]
        with torch.autocast("cpu", dtype=low[0], enabled=True) if low else _nothing():
            try:
                run = taped.run(self.model.module, taped.batch)
            except Exception as error:
                was = backward.raised
                if was is None:
                    raise
                if (type(error), str(error)) != (type(was), str(was)):
                    self.wrong = f"it raised {type(error).__name__}, and {type(was).__name__} in the run"
                return
        values = [run.value(slot) for slot in backward.roots]
        if not all(_same(one, other) for one, other in zip(values, backward.values, strict=True)):
            self.wrong = _of_losses(values, backward.values)
            return
        if backward.kind == "stopped":
            return
        given = [run.value(gradient) for gradient in backward.gradients] or None
        if backward.kind == "grad":
            inputs = [run.value(each) for each in backward.inputs or ()]
            made = torch.autograd.grad(values, inputs, given, backward.retain, allow_unused=True)
            with untouched():
                self.wrong = _difference(list(backward.returned), list(made))
            return
        inputs = None if backward.inputs is None else [run.value(each) for each in backward.inputs]
        with _autocast_as(backward):
            torch.autograd.backward(
                values, given, backward.retain or None, backward.create, inputs=inputs
            )


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _autocast_as(backward: Backward) -> Iterator[None]:
    """Autocast as it was around the backward pass."""
    if backward.autocast is None:
        with torch.autocast("cpu", enabled=False):
            yield
        return
    with torch.autocast("cpu"), _autocasting() as cast:
        cast(backward.autocast)
        yield


@contextmanager
def _silent() -> Iterator[None]:
    """Whatever the user's code prints, it has printed already."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same bits, NaN for NaN."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    with untouched():
        return bool(torch.equal(one.detach(), other) or torch.allclose(one.detach(), other, 0.0, 0.0, equal_nan=True))


def _of_losses(values: Sequence[Tensor], before: Sequence[Tensor]) -> str:
    one, other = next(
        (pair for pair in zip(values, before, strict=True) if not _same(*pair)), (values[0], before[0])
    )
    if one.numel() == 1 and other.numel() == 1:
        return f"the loss is {float(one.detach()):.9g}, and was {float(other):.9g} in the run"
    return "the loss differs from the run's"


def _plain(gradient: Tensor) -> Tensor:
    """A gradient's numbers, dense."""
    dense = gradient.detach()
    dense = dense.coalesce().to_dense() if dense.layout is torch.sparse_coo else dense
    return torch.view_as_real(dense.resolve_conj()) if dense.is_complex() else dense


def _difference(before: list[Any], again: list[Any], factor: bool = False) -> str:
    """In words, where gradients differ; empty where they are the same.

    With `factor`, all of them may have been made smaller by one: that is what clipping by norm and a GradScaler's
    `unscale_` do.
    """
    pairs = []
    for one, other in zip(before, again, strict=True):
        if (one is None) != (other is None):
            return "a parameter has a gradient in one of the two only"
        if one is not None:
            pairs.append((_plain(one).double(), _plain(other).double()))
    if any(one.shape != other.shape for one, other in pairs):
        return "a gradient has another shape"
    if any(not torch.equal(one.isnan(), other.isnan()) for one, other in pairs):
        return "other elements of a gradient are NaN"
    if all(_close(one, other) for one, other in pairs):
        return ""
    worst = max(_far(one, other) for one, other in pairs)
    if factor and _by_a_factor(pairs):
        return ""
    return f"the loss is the same and a gradient differs by {worst:.3g} of its norm"


def _by_a_factor(pairs: list[tuple[Tensor, Tensor]]) -> bool:
    dot = sum(float((one.nan_to_num(0, 0, 0) * other.nan_to_num(0, 0, 0)).sum()) for one, other in pairs)
    norm = sum(float(other.nan_to_num(0, 0, 0).square().sum()) for _, other in pairs)
    factor = dot / norm if norm else 0.0
    return 0 < factor < 1 and all(_close(one, other * factor) for one, other in pairs)


def _far(one: Tensor, other: Tensor) -> float:
    finite = one.isfinite() & other.isfinite()
    norm = float(one[finite].norm())
    away = float((one[finite] - other[finite]).norm())
    return away / norm if norm else (0.0 if not away else float("inf"))


def _close(one: Tensor, other: Tensor) -> bool:
    infinite = one.isinf() | other.isinf()
    return _far(one, other) <= _TOLERANCE and torch.equal(one[infinite], other[infinite])

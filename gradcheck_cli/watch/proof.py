"""Whether a step that was taken again is the step of the run: its losses, and every parameter's gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gradcheck_cli.records.timeline import Replay
from gradcheck_cli.runtime.state import preserved
from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.accumulation import Accumulation, dense, is_averaged, listening
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import data_of, version_of
from gradcheck_cli.watch.replay import NotRepeatable, Taped, autocasting, model_of
from gradcheck_cli.watch.tape import Tape
from gradcheck_cli.watch.vitals import Norms, gradient_norms

_TOLERANCE = 1e-6
"""Of a gradient's norm: sums of several threads differ by 1.3e-7 of it from one time to the next."""


class Replayed(NamedTuple):
    """Whether a step could be repeated, and where not exactly, why."""

    outcome: Replay
    why: str = ""


def verify(tape: Tape, accumulation: Accumulation, norms: Norms = Norms((), ())) -> Replayed:  # noqa: B008 - frozen
    """Take all backward passes since the gradients were clear again, and compare losses and gradients.

    Everything comes back as it was.

    Args:
        tape: Where they were taken down.
        accumulation: Those of the gradients that stand in the parameters.
        norms: Of each parameter's gradient as it was after the last of them. They are compared where the gradients
            themselves were written into since: clipping by a norm that is NaN leaves nothing of them.
    """
    backwards = accumulation.backwards
    why = next((backward.why for backward in backwards if backward.why), "")
    if accumulation.let_go and None in accumulation.arrived:
        why = why or "its inputs were too large to keep, and what arrived at each parameter was not noted yet"
    if not why and not backwards:
        updated = "the parameters were updated during or since the backward pass"
        why = updated if accumulation.updated_inside else "there was no backward pass"
    if why:
        return Replayed(Replay.IMPOSSIBLE, why)
    with tape.quiet():
        try:
            proof = _Proof(tape, accumulation, norms)
            found = proof.run()
        except NotRepeatable as reason:
            return Replayed(Replay.IMPOSSIBLE, str(reason))
        except Exception as error:
            text = (str(error).strip().splitlines() or [""])[0]
            return Replayed(Replay.IMPOSSIBLE, f"taken again, it raised {type(error).__name__}: {text}")
    if found.outcome is not Replay.EXACT and proof.moved():
        tape.live.copying = True
        return Replayed(found.outcome, f"an input or the loss was written into after it was used; {found.why}")
    return found


class _Proof:
    def __init__(self, tape: Tape, accumulation: Accumulation, norms: Norms) -> None:
        self.accumulation, self.norms = accumulation, norms
        self.model = model_of(accumulation.backwards, tape.naming)
        self.passes = [Taped(backward, self.model, as_run=True) for backward in accumulation.backwards]
        self.by_marks = accumulation.let_go > 0 or any(map(is_averaged, accumulation.backwards))
        self.compared = accumulation.compared
        self.changed = accumulation.changed()

    def moved(self) -> bool:
        """Whether data, or a loss, was written into after it was used."""
        for taped in self.passes:
            if tuple(map(version_of, taped.backward.values)) != taped.backward.written:
                return True
        return any(data.moved for taped in self.passes for entry in taped.entries for data in data_of(entry))

    def run(self) -> Replayed:
        batch = tuple(taped.batch for taped in self.passes)
        others = nn.ModuleList([taped.loss for taped in self.passes])
        live = [parameter.grad for parameter in self.compared]
        with preserved(self.model.module, batch, others):
            for parameter in self._learning():
                parameter.grad = None
                parameter._post_accumulate_grad_hooks = None  # type: ignore[assignment]
            for index, taped in enumerate(self.passes):
                if wrong := self._again(index, taped):
                    return Replayed(Replay.INEXACT, wrong)
            again = [parameter.grad for parameter in self.compared]
            if all(gradient is None for gradient in (*live, *again)) and self._has_left_gradients():
                return Replayed(Replay.IMPOSSIBLE, "no gradient is left to compare with")
            with untouched():
                wrong = "" if self.by_marks else difference(live, again, factor=self.changed)
                if wrong and self.changed and self._as_after_the_pass():
                    wrong = ""
        return Replayed(Replay.INEXACT, wrong) if wrong else Replayed(Replay.EXACT)

    def _as_after_the_pass(self) -> bool:
        """Whether each gradient has the norm that it had before it was written into."""
        was = {id(p): value for p, value in zip(self.norms.parameters, self.norms.values, strict=True)}
        now = gradient_norms(self.compared)
        pairs = [(was.get(id(p), -1.0), value) for p, value in zip(now.parameters, now.values, strict=True)]
        alike = (
            math.isclose(one, other, rel_tol=_TOLERANCE) or (math.isnan(one) and math.isnan(other))
            for one, other in pairs
        )
        return bool(pairs) and all(alike)

    def _has_left_gradients(self) -> bool:
        return not self.by_marks and any(taped.backward.kind == "backward" for taped in self.passes)

    def _learning(self) -> list[Tensor]:
        found: dict[int, Tensor] = {id(parameter): parameter for parameter in self.model.module.parameters()}
        for taped in self.passes:
            found.update((id(t), t) for t in taped.batch.values() if t.requires_grad and t.is_leaf)
        return list(found.values())

    def _again(self, index: int, taped: Taped) -> str:
        """Take one pass again; in words where it differs."""
        backward = taped.backward
        for parameter in self.compared:
            start = self.accumulation.starts[id(parameter)]
            if start.first == index and not self.accumulation.let_go:
                parameter.grad = None if start.base is None else start.base.clone()
        if backward.kind == "stopped":
            return self._up_to_the_stop(taped)
        with _casting(taped):
            run = taped.run(self.model.module, taped.batch)
        values = [run.value(slot) for slot in backward.roots]
        if not all(_same(one, other) for one, other in zip(values, backward.values, strict=True)):
            return _of_losses(values, backward.values)
        given = [run.value(gradient) for gradient in backward.gradients] or None
        inputs = None if backward.inputs is None else [run.value(each) for each in backward.inputs]
        if backward.kind == "grad":
            made = torch.autograd.grad(values, inputs or [], given, backward.retain, allow_unused=True)
            with untouched():
                return difference(list(backward.returned), list(made))
        arrived: dict[int, Tensor] = {}
        hooks = listening(backward.parameters, arrived) if self.by_marks else []
        with _autocast_as(backward):
            torch.autograd.backward(values, given, backward.retain or None, backward.create, inputs=inputs)
        for hook in hooks:
            hook.remove()
        before = self.accumulation.arrived[index]
        if not self.by_marks or before is None:
            return ""
        if arrived.keys() != before.keys():
            return "other parameters received a gradient"
        with untouched():
            return difference(list(before.values()), [arrived[key] for key in before])

    def _up_to_the_stop(self, taped: Taped) -> str:
        """Take again what ended the script before there was a backward pass; in words where it differs."""
        was = taped.backward.raised
        try:
            with _casting(taped):
                run = taped.run(self.model.module, taped.batch)
        except Exception as error:
            if was is None:
                raise
            alike = (type(error), str(error)) == (type(was), str(was))
            return "" if alike else f"it raised {type(error).__name__}, which the run did not"
        values = [run.value(slot) for slot in taped.backward.roots]
        alike = all(_same(one, other) for one, other in zip(values, taped.backward.values, strict=True))
        return "" if alike else _of_losses(values, taped.backward.values)


@contextmanager
def _casting(taped: Taped) -> Iterator[None]:
    """Autocast on, as a step says it, where the run had it on: the calls give it its state."""
    low = taped.autocast
    with nullcontext() if low is None else torch.autocast("cpu", dtype=low):
        yield


@contextmanager
def _autocast_as(backward: Backward) -> Iterator[None]:
    """Autocast as it was around the backward pass."""
    if backward.autocast is None:
        with torch.autocast("cpu", enabled=False):
            yield
        return
    with torch.autocast("cpu"), autocasting() as cast:
        cast(backward.autocast)
        yield


def _alike(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_TOLERANCE) or (math.isnan(one) and math.isnan(other))


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same bits, NaN for NaN."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    with untouched():
        return bool(torch.equal(one.detach(), other) or torch.allclose(one.detach(), other, 0.0, 0.0, equal_nan=True))


def _of_losses(values: Sequence[Tensor], before: Sequence[Tensor]) -> str:
    one, other = next((pair for pair in zip(values, before, strict=True) if not _same(*pair)), (values[0], before[0]))
    if one.numel() == 1 and other.numel() == 1:
        return f"the loss is {float(one.detach()):.9g}, and was {float(other):.9g} in the run"
    return "the loss differs from the run's"


def difference(before: list[Any], again: list[Any], factor: bool = False) -> str:
    """In words, where gradients differ; empty where they are the same.

    With `factor`, all of them may have been made smaller by one: that is what clipping by norm and a GradScaler's
    `unscale_` do.
    """
    pairs = []
    for one, other in zip(before, again, strict=True):
        if (one is None) != (other is None):
            return "a parameter has a gradient in one of the two only"
        if one is not None:
            pairs.append((dense(one).double(), dense(other).double()))
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

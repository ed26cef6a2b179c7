"""Carry out a rewrite of the user's line on the user's batch: it is shown only if it cures and keeps the numbers.

The line itself is not touched. The call that it makes is answered by the guarded one, wherever the pass comes to it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gradcheck_cli.records.guard import Carried, Guard, spellings
from gradcheck_cli.records.guard import position as place_of
from gradcheck_cli.records.ops import DECOMPOSITIONS
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.spec import Step
from gradcheck_cli.runtime.passes import cut_off, forward_pass, run_backward
from gradcheck_cli.runtime.state import preserved
from gradcheck_cli.runtime.trees import tensors_in
from gradcheck_cli.trials.budget import Budget, too_costly

KEPT = 1e-5
"""By how much of themselves numbers that were healthy may change."""
NEAR = 1e-2
"""By how much a finite value may change whose slope was not finite: more only where nothing else cures."""
PARTED = 1e-5
"""Share of the largest singular value by which two have to differ."""
PASSES = 40
"""Passes for the guards of one finding."""
CLOCK = 30.0
"""Seconds after which no more is tried."""
MOST = 64
"""Calls of one line that are compared; a line in a long loop has more."""
_EXP = ("exp", "exp_")
_BETWEEN = ("torch/_tensor.py", "torch/overrides.py", "torch/functional.py", "torch/nn/functional.py")
"""Torch's own frames between the user's line and the function that it calls."""


def carried_out(
    step: Step,
    source: SourceLine,
    ladders: Mapping[str, Sequence[Guard]],
    loss: float,
    seconds: Mapping[str, float],
) -> Mapping[str, Carried]:
    """By remedy what came of carrying out its guards, each on a pass of its own.

    It has an allowance of its own, of `PASSES`: what is written into a line of the user's is carried out.
    Those are left out for which no pass is left, or that come after an interrupt. The model comes back as it was.

    Args:
        step: The step that is not finite.
        source: The user's line.
        ladders: By remedy its guards, in the order in which to try them.
        loss: The loss without any of them.
        seconds: How long a pass took.

    Raises:
        StateError: A pass changed something that cannot be put back.
    """
    budget = Budget(0 if too_costly(step.target.model, seconds) else PASSES, clock=CLOCK)
    step = Step(target=step.target, batch=cut_off(step.batch), seed=step.seed, autocast=step.autocast)
    found: dict[str, Carried] = {}
    near: dict[str, Carried] = {}
    far: dict[str, Carried] = {}
    loud: dict[str, Carried] = {}
    model = step.target.model
    with suppress(KeyboardInterrupt), preserved(model, step.batch, getattr(step.target.forward, "loss", None)) as state:
        reference = _reference(step, source, ladders)
        state.restore()
        for remedy, ladder in ladders.items():
            found[remedy] = Carried(guard=None, loss=math.nan, seen=False)
            for guard in ladder:
                if not budget.take(1):
                    break
                mode = Guarded(guard, source, reference)
                now = _passed(step, mode)
                state.restore()
                if not mode.calls:
                    break
                found[remedy] = replace(found[remedy], seen=True)
                if now is None or not mode.keeps(near=False):
                    continue
                carried = Carried(guard=guard, loss=now.loss, seen=True)
                if not now.norm:
                    loud.setdefault(remedy, carried)
                elif guard.op in DECOMPOSITIONS or (mode.keeps(near=True) and _is_near(loss, now.loss)):
                    near[remedy] = carried
                    break
                else:
                    far.setdefault(remedy, carried)
    return found | (near or far or loud)


def _reference(step: Step, source: SourceLine, ladders: Mapping[str, Sequence[Guard]]) -> Guarded:
    """A pass with nothing changed: what gradients come back to the call tells which elements are healthy."""
    op = next(guard.op for ladder in ladders.values() for guard in ladder)
    mode = Guarded(Guard(op=op), source)
    _passed(step, mode)
    return mode


def _is_near(before: float, after: float) -> bool:
    return not math.isfinite(before) or abs(after - before) <= NEAR * max(1.0, abs(before))


class _Passed(NamedTuple):
    """A pass whose loss and gradients are finite: the loss, and whether the norms of the gradients are, too."""

    loss: float
    norm: bool


def _passed(step: Step, mode: Guarded) -> _Passed | None:
    """What came of a guarded pass; None where the loss or a gradient is not finite, or the code raised."""
    model = step.target.model
    parameters = list(model.parameters())
    for parameter in parameters:
        parameter.grad = None
    try:
        loss = forward_pass(step, mode).loss
        run_backward(loss)
    except (Exception, SystemExit):  # the user's code on such values, or a guard on a shape that it does not fit
        return None
    gradients = [p.grad.detach().float() for p in parameters if p.grad is not None]
    if not math.isfinite(float(loss.detach())) or not all(bool(torch.isfinite(g).all()) for g in gradients):
        return None
    return _Passed(float(loss.detach()), all(bool(torch.isfinite(g.square().sum())) for g in gradients))


class Guarded(TorchFunctionMode):
    """Answers the calls of an op that one line makes with the guarded ones, and keeps what is needed to compare."""

    def __init__(self, guard: Guard, source: SourceLine, reference: Guarded | None = None) -> None:
        super().__init__()
        self._reference = reference
        self._guard, self._source = guard, source
        self._names = spellings(guard.op)
        self._kept: list[_Call] = []
        self._compiled = {
            text: compile(text, "<guard>", "eval")
            for text in (guard.chosen, guard.argument, guard.result, guard.keyword.partition("=")[2])
            if text
        }
        self._wanted = {name for code in self._compiled.values() for name in code.co_names}
        self._powers: dict[int, tuple[Any, Any]] = {}
        self._instead: dict[int, tuple[Tensor, Tensor]] = {}
        self.calls = 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._guard.before:
            self._precede(sys._getframe(1))
            args, kwargs = self._replaced(args), self._replaced(kwargs)
        name = getattr(function, "__name__", "").strip("_").removeprefix("special_")
        if name in _EXP and "power" in self._wanted and args:
            result = function(*args, **kwargs)
            self._powers[id(result)] = args[0], result
            return result
        if name not in self._names or self._here(sys._getframe(1)) is None:
            return function(*args, **kwargs)
        position = 0 if name in ("rdiv", "rtruediv") else place_of(self._guard.op)
        if len(args) <= position or not isinstance(args[position], Tensor):
            return function(*args, **kwargs)
        self.calls += 1
        call = _Call(function, args, kwargs, position)
        result = self._answered(call, args[position], args)
        call.watch(result)
        if self.calls <= MOST:
            self._kept.append(call)
        return result

    def keeps(self, *, near: bool) -> bool:
        """Whether, wherever the op's output and its gradient were finite, the guarded one has the same.

        With `near` it also has nearly the same where the output alone was finite.
        """
        with torch.enable_grad(), suppress(RuntimeError):  # a guard on a shape that it does not fit
            if self._reference is not None:
                for call, before in zip(self._kept, self._reference._kept, strict=False):
                    call.before = before.gradients
            if self._guard.before:
                kept = self._reference._kept if self._reference is not None else []
                return all(call.spares(before) for call, before in zip(self._kept, kept, strict=False))
            return all(call.keeps(self._answered, near) for call in self._kept)
        return False

    def _precede(self, frame: FrameType) -> None:
        """Where the pass comes to the line, guard the variable that stands there."""
        user = self._here(frame)
        value = user.f_locals.get(self._guard.line.partition(" ")[0]) if user is not None else None
        if isinstance(value, Tensor) and id(value) not in self._instead:
            self._instead[id(value)] = value, self._value(self._guard.argument, {"torch": torch, "x": value})

    def _replaced(self, given: Any) -> Any:
        """Arguments with what stands for the variable from its line on."""
        if isinstance(given, Tensor):
            return self._instead.get(id(given), (given, given))[1]
        if isinstance(given, dict):
            return {key: self._replaced(value) for key, value in given.items()}
        return type(given)(map(self._replaced, given)) if type(given) in (tuple, list) else given

    def _answered(self, call: _Call, x: Tensor, args: tuple[Any, ...]) -> Any:
        guard = self._guard
        rest = args[call.position + 1 :]
        second = rest[0] if rest else None
        names = {"torch": torch, "F": F, "x": x}
        names |= {"dim": call.kwargs.get("dim", second), "second": second}
        names |= {"numerator": args[0], "power": self._power(x) if "power" in self._wanted else None}
        if guard.chosen:
            names["ok"] = self._value(guard.chosen, names)
        new = self._value(guard.argument, names) if guard.argument and not guard.before else x
        keyword, _, value = guard.keyword.partition("=")
        more = {keyword: self._value(value, names)} if keyword else {}
        function = getattr(torch, guard.instead) if guard.instead else call.function
        if not guard.result or "y" in self._compiled[guard.result].co_names:
            out_of_place = tuple(new if i == call.position else a for i, a in enumerate(args))
            names["y"] = call.run(function, out_of_place, more)
        return self._value(guard.result, names) if guard.result else names["y"]

    def _power(self, x: Tensor) -> Tensor:
        """What an exp was taken of; of a value that is only compared, its logarithm."""
        power, result = self._powers.get(id(x), (None, None))
        return x.log() if result is not x else power

    def _value(self, text: str, names: dict[str, Any]) -> Any:
        return eval(self._compiled[text], names)

    def _here(self, frame: FrameType | None) -> FrameType | None:
        """The user's frame, where it stands at the line."""
        while frame is not None and frame.f_code.co_filename.replace("\\", "/").endswith((*_BETWEEN, __file__)):
            frame = frame.f_back
        if frame is None or frame.f_lineno != self._source.line:
            return None
        return frame if _is_file(frame.f_code.co_filename, self._source.file) else None


def _is_file(path: str, shown: str) -> bool:
    parts = Path(shown).parts
    return path == shown or Path(path).parts[-len(parts) :] == parts


class _Call:
    """One call that was answered: what went in, and the gradient that came back to what went out."""

    def __init__(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], position: int) -> None:
        self.function, self.kwargs, self.position = function, kwargs, position
        self.args = args
        self._given = tuple(a.detach().clone() if isinstance(a, Tensor) else a for a in args)
        self.gradients: dict[int, Tensor] = {}
        self.before: dict[int, Tensor] = {}
        self._of_matrices = getattr(function, "__name__", "") in DECOMPOSITIONS

    def run(self, function: Any, args: tuple[Any, ...], more: dict[str, Any]) -> Any:
        """The function on these arguments; what would write into them does so into a copy."""
        name = getattr(function, "__name__", "")
        if name.endswith("_") or name.startswith("__i"):
            args = (args[0].clone(), *args[1:])
        return function(*args, **self.kwargs | more)

    def watch(self, result: Any) -> None:
        """Keep the gradients that come back."""
        for index, tensor in enumerate(tensors_in(result)):
            if tensor.requires_grad:
                tensor.register_hook(partial(self._came_back, index))

    def _came_back(self, index: int, gradient: Tensor | None) -> None:
        if gradient is not None:  # of several outputs some may be unused
            self.gradients[index] = gradient.detach()

    def spares(self, before: _Call) -> bool:
        """Whether what goes in is what went in without the guard, where output and gradient were finite then.

        Where most of it is another, as where a head starts far out, it would never learn: what is cut off gets no
        gradient.
        """
        old, new = before._given[self.position], self._given[self.position]
        (made,) = tensors_in(before.run(before.function, before._given, {}))
        healthy = torch.isfinite(made)
        if (gradient := before.gradients.get(0)) is not None:
            healthy = healthy & torch.isfinite(gradient)
        if not old.shape == new.shape == made.shape:
            return False
        moved = old != new
        return not bool((moved & healthy).any()) and int(moved.sum()) <= moved.numel() // 2

    def keeps(self, guarded: Any, near: bool) -> bool:
        """Whether the guarded call makes the same of what went in, and sends the same back in its pass."""
        came = {i: _known(self.before.get(i), gradient) for i, gradient in self.gradients.items()} or self.before
        before, slope = self._made(lambda x, args: self.run(self.function, args, {}), came)
        after, guarded_slope = self._made(lambda x, args: guarded(self, x, args), self.gradients)
        if len(before) != len(after):
            return False
        healthy = torch.isfinite(slope)
        if self._of_matrices:  # of each matrix all or nothing
            healthy = healthy.flatten(-2).all(-1) & _is_parted(self._given[self.position])
            healthy = healthy[..., None, None].expand_as(slope)
        for old, new in zip(before, after, strict=True):
            finite = torch.isfinite(old)
            both = _both(finite, healthy[..., 0, 0] if self._of_matrices else healthy)
            if not _same(old, new, both, KEPT) or (near and not _same(old, new, finite, NEAR)):
                return False
        for old in before:
            healthy = healthy & _reaching(torch.isfinite(old), slope)
        return _same(slope, guarded_slope, healthy, KEPT)

    def _made(self, call: Any, gradients: Mapping[int, Tensor]) -> tuple[list[Tensor], Tensor]:
        x = self._given[self.position]
        x = x.clone().requires_grad_(x.is_floating_point() or x.is_complex())
        args = tuple(x.clone() if i == self.position else a for i, a in enumerate(self._given))
        outputs = [t for t in tensors_in(call(args[self.position], args)) if t.is_floating_point() or t.is_complex()]
        leading = [(t, gradients.get(i)) for i, t in enumerate(outputs) if t.requires_grad]
        other = torch.zeros_like if gradients else torch.ones_like
        sent = [other(t) if g is None or g.shape != t.shape else g.to(t.dtype) for t, g in leading]
        slope = None
        if leading:
            (slope,) = torch.autograd.grad([t for t, _ in leading], x, sent, allow_unused=True)
        return [t.detach() for t in outputs], torch.zeros_like(x) if slope is None else slope


def _known(before: Tensor | None, now: Tensor) -> Tensor:
    """What came back before, and where that was not finite, what comes back now."""
    if before is None or before.shape != now.shape:
        return now
    return torch.where(torch.isfinite(before), before, now)


def _is_parted(matrices: Tensor) -> Tensor:
    """The matrices whose singular values differ by more than rounding, which alone makes their slopes finite."""
    values = torch.linalg.svdvals(matrices.detach())
    return torch.gt(values.diff().abs(), PARTED * values[..., :1]).all(-1)


def _both(finite: Tensor, healthy: Tensor) -> Tensor:
    """The elements at which output and gradient are finite; of a reduction those whose whole gradient is."""
    try:
        return finite & (healthy if finite.dim() == healthy.dim() else _leading(healthy, finite)).expand_as(finite)
    except RuntimeError:
        return finite & bool(healthy.all())


def _reaching(finite: Tensor, slope: Tensor) -> Tensor:
    """The elements of what went in whose output is finite; of a reduction none where any is not."""
    whole = finite.all().expand_as(slope)
    try:
        return finite.expand_as(slope) if finite.dim() == slope.dim() else whole
    except RuntimeError:
        return whole


def _leading(healthy: Tensor, finite: Tensor) -> Tensor:
    """Health by matrix, laid over what is made of each matrix."""
    return healthy.reshape(*healthy.shape, *(1 for _ in range(finite.dim() - healthy.dim())))


def _same(old: Tensor, new: Tensor, where: Tensor, share: float) -> bool:
    if old.shape != new.shape:
        return False
    share = max(share, torch.finfo(old.dtype).eps)
    return bool(torch.isclose(new[where], old[where], rtol=share, atol=share * 1e-3 if share == KEPT else share).all())

"""A taped step as one that can be taken again: what `pipeline` takes for any other."""

from __future__ import annotations

import ast
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._autograd import _get_sequence_nr
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.spec import LossScale, Pass, Step, Target
from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.backward import Backward, reached
from gradcheck_cli.watch.entries import (
    Autocast,
    Data,
    Lost,
    Named,
    NodeOutput,
    Place,
    Rebuilt,
    Slot,
    TapeEntry,
    flat,
    parts_of,
)
from gradcheck_cli.watch.inputnames import names_of
from gradcheck_cli.watch.naming import Model, Roots
from gradcheck_cli.watch.reachability import Reached


class NotRepeatable(Exception):
    """Why a step cannot be taken again."""


def line_of(place: Place | None) -> SourceLine | None:
    """The file and line of a place."""
    if place is None:
        return None
    code, at = place
    line = next((line for first, last, line in code.co_lines() if first <= at < last and line), code.co_firstlineno)
    return SourceLine(file=code.co_filename, line=line)


class Taped:
    """The way from a batch, as the tape has it, to the loss of one backward pass: the `forward` of a `Target`.

    The batch holds the tensors that came from outside, by their names; `loss` holds the modules that were called and
    have no parameters, so that the state guard knows them.
    """

    def __init__(self, backward: Backward, model: Model, *, as_run: bool = False) -> None:
        self.backward, self.model, self.as_run = backward, model, as_run
        whole = as_run or backward.scaled is None
        self.roots = backward.roots if whole or backward.scaled is None else (backward.scaled[0],)
        self.gradients = backward.gradients if whole else ()
        self.entries = reached([*self.roots, *(g for g in self.gradients if isinstance(g, Slot))])
        taken = _taken(self.entries, self.gradients)
        self.taken = {key: tensor for key, tensor in taken.items() if model.place_of(tensor) is None}
        self.batch = names_of(self.taken, self.entries)
        self.loss = nn.ModuleList()
        self.loss.extend(_outside(self.entries, model))
        called = (part for entry in self.entries for module in _modules(entry) for part in module.modules())
        beside = Reached(called, tuple(self.batch.values()))
        if beside.drawn:
            raise NotRepeatable(beside.drawn)
        self.loss.noted = beside.state  # type: ignore[assignment]
        self.source = f"the loss of {_told(backward.place)}"
        self._rewritten = {id(s.was) for e in self.entries for s in e.needs if isinstance(s.was, Data)}
        self._rewritten |= {id(s.was) for s in self.roots if isinstance(s.was, Data)}

    @property
    def autocast(self) -> torch.dtype | None:
        """The low precision that some call ran in."""
        states = (entry.autocast for entry in self.entries if entry.autocast is not None)
        return next((dtype for state in states for _, enabled, dtype in state[0] if enabled), None)

    def __call__(self, model: nn.Module, batch: Any) -> Pass:
        """Take the step's calls again, up to the loss.

        Raises:
            NotRepeatable: Something that they need was not seen. What the user's code raises passes through.
        """
        run = self.run(model, batch)
        scale = None
        if self.backward.scaled is not None and not self.as_run:
            scaler = self.backward.scaled[1]
            scale = LossScale(factor=float(scaler.get_scale()), backoff=float(scaler.get_backoff_factor()))
        values = [run.value(slot) for slot in self.roots]
        given = [run.value(gradient) for gradient in self.gradients] or [None] * len(values)
        parts = [
            value if gradient is None else (value * gradient).sum()
            for value, gradient in zip(values, given, strict=True)
        ]
        loss = parts[0] if len(parts) == 1 else torch.stack([part.reshape(()) for part in parts]).sum()
        return Pass(loss=loss, loss_source=self.source, scale=scale)

    def run(self, model: nn.Module, batch: Any) -> ReplayPass:
        """The calls, taken again."""
        return ReplayPass(self, model, batch).taken()


def step_of(backward: Backward, naming: Roots, root: str = "") -> Step:
    """The step of one backward pass, for the pipeline.

    Raises:
        NotRepeatable: It cannot be taken again.
    """
    if backward.why:
        raise NotRepeatable(backward.why)
    model = model_of([backward], naming)
    forward = Taped(backward, model)
    line = line_of(backward.place)
    folder = root or (str(Path(line.file).resolve().parent) if line is not None else "")
    target = Target(
        name=type(model.module).__name__,
        model=model.module,
        batches=(forward.batch,),
        forward=forward,
        loss_source=forward.source,
        picked=(),
        root=folder,
        batch_size=_rows(tuple(forward.batch.values())),
    )
    return Step(target=target, batch=forward.batch, autocast=forward.autocast)


def model_of(backwards: Sequence[Backward], naming: Roots) -> Model:
    """The model, or the models, of these backward passes."""
    entries = [entry for backward in backwards for entry in backward.entries]
    modules = [part for entry in entries for part in _modules(entry)]
    leaves = {id(leaf): leaf for entry in entries for leaf in entry.leaves}
    given = _given(entries)
    own = [leaf for key, leaf in leaves.items() if key not in given or isinstance(leaf, nn.Parameter)]
    made = Model(naming, modules, own)
    if not any(p.requires_grad for p in made.module.parameters()):
        made = Model(naming, modules, leaves.values())
    return made


def _modules(entry: TapeEntry) -> Iterator[nn.Module]:
    if isinstance(entry.call, nn.Module):
        yield entry.call
    yield from (part for part in parts_of((entry.args, entry.kwargs)) if isinstance(part, nn.Module))


def _given(entries: Sequence[TapeEntry]) -> set[int]:
    """The ids of the tensors that learn and are data: given to a module, or what a gradient is taken of."""
    found: set[int] = set()
    for entry in entries:
        name = getattr(entry.call, "__name__", "")
        if isinstance(entry.call, nn.Module) or name == "grad":
            found |= {id(leaf) for leaf in entry.leaves}
    return found


def _taken(entries: Sequence[TapeEntry], gradients: tuple[Any, ...]) -> dict[int, Tensor]:
    """The tensors from outside, each once, in the order of their use."""
    found: dict[int, Tensor] = {}
    for taken in (*((e.args, e.kwargs) for e in entries), gradients):
        for part in parts_of(taken):
            if isinstance(part, Data):
                found.setdefault(id(part.tensor), part.tensor)
            elif isinstance(part, Tensor):
                found.setdefault(id(part), part)
    return found


def _outside(entries: Sequence[TapeEntry], model: Model) -> list[nn.Module]:
    found = {id(module): module for entry in entries for module in _modules(entry) if model.path_of(module) is None}
    return list(found.values())


def _rows(batch: tuple[Tensor, ...]) -> int | None:
    with untouched():
        sizes = Counter(tensor.shape[0] for tensor in batch if tensor.dim())
    return sizes.most_common(1)[0][0] if sizes else None


def _told(place: Place | None) -> str:
    line = line_of(place)
    return f"{Path(line.file).name}:{line.line}" if line is not None else "the backward pass"


class ReplayPass:
    """One time that the calls are taken again."""

    def __init__(self, taped: Taped, model: nn.Module, batch: Any) -> None:
        self._taped, self._model = taped, model
        self._live = model is taped.model.module
        self._batch: dict[int, Tensor] = dict(zip(taped.taken, batch.values(), strict=True))
        self._copies: dict[int, Tensor] = {}
        self._results: dict[int, list[Tensor]] = {}
        self._made: dict[tuple[int, int, int], Tensor] = {}
        self._wanted: dict[int, list[NodeOutput]] = {}
        for slot in (*(s for e in taped.entries for s in e.needs), *taped.roots):
            if isinstance(slot.index, NodeOutput):
                self._wanted.setdefault(slot.entry.number, []).append(slot.index)

    def taken(self) -> ReplayPass:
        """Take all calls."""
        with autocasting() as cast, _parametrized_anew():
            for entry in self._taped.entries:
                cast(entry.autocast)
                self._take(entry)
        return self

    def _take(self, entry: TapeEntry) -> None:
        args, kwargs = self.value(entry.args), self.value(entry.kwargs)
        call = entry.call
        if isinstance(call, nn.Module):
            module = self._module(call)
            self._prepare(module, entry)
            call = functools.partial(nn.Module.__call__, module)  # as taped: what a class does around it is on the tape
        for generator, state in entry.random or ():
            generator.put(state)
        caller = _caller_at(entry.place)
        wanted = self._wanted.get(entry.number)
        with torch.set_grad_enabled(entry.grad):
            if wanted is None:
                result = caller(call, args, kwargs)
            else:
                with _Catching(wanted) as caught:
                    result = caller(call, args, kwargs)
                self._made.update({(entry.number, *key): tensor for key, tensor in caught.found.items()})
        self._results[entry.number] = flat(result)

    def _prepare(self, module: nn.Module, entry: TapeEntry) -> None:
        if entry.training is not None and module.training != entry.training:
            module.train(entry.training)
        for owner, name, before in entry.buffers:
            self._module(owner)._buffers[name] = before.clone()

    def _module(self, module: nn.Module) -> nn.Module:
        path = self._taped.model.path_of(module)
        if path is None or (self._live and self._taped.as_run and not _averages(module)):
            return module
        return self._model.get_submodule(path) if path else self._model  # a scripted one has no get_submodule

    def value(self, taken: Any) -> Any:
        """What the tape has of an argument, as this run has it."""
        how = _WAYS.get(type(taken))
        if how is not None:
            return how(self, taken)
        if isinstance(taken, Tensor):
            return self._learning(taken)
        return self._module(taken) if isinstance(taken, nn.Module) else taken

    def _slot(self, slot: Slot) -> Tensor:
        if slot.was is not None:
            return self._slot(slot.was) if isinstance(slot.was, Slot) else self._data(slot.was)
        if isinstance(slot.index, NodeOutput):
            made = self._made.get((slot.entry.number, slot.index.number, slot.index.output))
            if made is None:
                raise NotRepeatable("a tensor that a module left behind was not made again")
            return made
        assert slot.index is not None
        results = self._results[slot.entry.number]
        if slot.index >= len(results):
            raise NotRepeatable("a call returned fewer tensors than in the run")
        return results[slot.index]

    def _data(self, data: Data) -> Tensor:
        place = self._taped.model.place_of(data.tensor)
        if place is not None:
            return self._named(place)
        key = id(data.tensor)
        if id(data) in self._taped._rewritten:
            if key not in self._copies:
                self._copies[key] = self._batch[key].detach().clone()
            return self._copies[key]
        return self._batch[key]

    def _learning(self, leaf: Tensor) -> Tensor:
        place = self._taped.model.place_of(leaf)
        if place is not None:
            return self._named(place)
        key = id(leaf)
        if key not in self._copies:
            given: Tensor = self._batch[key]
            learns = given.is_leaf and given.requires_grad
            self._copies[key] = given if learns else given.detach().requires_grad_()
        return self._copies[key]

    def _named(self, place: tuple[str, str]) -> Tensor:
        owner = self._model.get_submodule(place[0]) if place[0] else self._model
        found = owner._parameters.get(place[1])
        buffer = owner._buffers.get(place[1]) if found is None else found
        assert buffer is not None
        return buffer


_WAYS: Mapping[type, Callable[[ReplayPass, Any], Any]] = {
    Slot: ReplayPass._slot,
    Data: ReplayPass._data,
    Lost: lambda run, lost: _lost(lost),
    tuple: lambda run, taken: tuple(map(run.value, taken)),
    list: lambda run, taken: list(map(run.value, taken)),
    dict: lambda run, taken: {key: run.value(part) for key, part in taken.items()},
    Named: lambda run, taken: taken.made(list(map(run.value, taken.parts))),
    Rebuilt: lambda run, taken: taken.made({key: run.value(part) for key, part in taken.parts.items()}),
}
"""How a run takes what the tape has of an argument. A run does not hold it: a cycle would keep all that it made."""


def _averages(module: nn.Module) -> bool:
    """Whether a wrapper talks to other processes when it is called."""
    return type(module).__name__ in ("DistributedDataParallel", "DataParallel")


def _lost(lost: Lost) -> None:
    raise NotRepeatable(lost.told)


class _Catching(TorchFunctionMode):
    """Catches tensors as they are made, by the nodes that make them."""

    def __init__(self, wanted: list[NodeOutput]) -> None:
        super().__init__()
        self._first = _get_sequence_nr()
        self._wanted = {(made.number, made.output) for made in wanted}
        self.found: dict[tuple[int, int], Tensor] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in flat(result):
            node = tensor.grad_fn
            if node is not None:
                key = (node._sequence_nr() - self._first, tensor.output_nr)
                if key in self._wanted:
                    self.found[key] = tensor
        return result


@contextmanager
def _parametrized_anew() -> Iterator[None]:
    """Inside `parametrize.cached()`, weights are made once: those of the run have a graph that is freed by now."""
    kept, parametrize._cache = parametrize._cache, {}
    try:
        yield
    finally:
        parametrize._cache = kept


@contextmanager
def autocasting() -> Iterator[Callable[[Autocast | None], None]]:
    """Yields what gives autocast a state of the tape; off where it is off all around: then it is not wanted."""
    if not torch._C._is_any_autocast_enabled():
        yield lambda state: None
        return
    devices = ("cpu", torch._C._get_accelerator().type)
    before = [(d, torch.is_autocast_enabled(d), torch.get_autocast_dtype(d)) for d in dict.fromkeys(devices)]
    keeps = torch.is_autocast_cache_enabled()
    torch.autocast_increment_nesting()
    region: list[int] = []

    def put(state: Autocast | None) -> None:
        if state is None:
            for name, _, _ in before:
                torch.set_autocast_enabled(name, False)
            return
        for name, enabled, dtype in state[0]:
            torch.set_autocast_enabled(name, enabled)
            torch.set_autocast_dtype(name, dtype)
        torch.set_autocast_cache_enabled(state[1])
        if region and region[0] != state[2]:
            torch.clear_autocast_cache()
        region[:] = [state[2]]

    try:
        yield put
    finally:
        for name, enabled, dtype in before:
            torch.set_autocast_enabled(name, enabled)
            torch.set_autocast_dtype(name, dtype)
        torch.set_autocast_cache_enabled(keeps)
        if not torch.autocast_decrement_nesting():
            torch.clear_autocast_cache()


def _caller_at(place: Place | None) -> Callable[..., Any]:
    line = line_of(place)
    return _plain if line is None or place is None else _caller(line.file, line.line, place[0].co_name)


def _plain(call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    return call(*args, **kwargs)


@functools.lru_cache(maxsize=4096)
def _caller(file: str, line: int, name: str) -> Callable[..., Any]:
    """A function that calls, and stands at a line of the user's: so every tool that asks for the line gets that one."""
    tree = ast.parse("def caller(call, args, kwargs):\n    return call(*args, **kwargs)\n")
    for node in ast.walk(tree):
        if isinstance(node, (ast.stmt, ast.expr, ast.arg)):
            node.lineno = node.end_lineno = line
            node.col_offset = node.end_col_offset = 0
    space: dict[str, Any] = {}
    exec(compile(tree, file, "exec"), space)
    made = space["caller"]
    assert isinstance(made, FunctionType)
    made.__code__ = made.__code__.replace(co_name=name)
    return made


__all__ = ["NotRepeatable", "ReplayPass", "Taped", "line_of", "model_of", "step_of"]

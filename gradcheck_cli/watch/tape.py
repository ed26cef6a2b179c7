"""The tape: what outermost modules and torch functions were given, on the way to a loss. Read `entries` first."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import isfinite
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch._C._autograd import _get_sequence_nr
from torch.overrides import TorchFunctionMode

from gradcheck_cli.runtime.state.writes import function_name, written
from gradcheck_cli.watch.backward import Backward, reached
from gradcheck_cli.watch.entries import (
    ATOMS,
    Data,
    Lost,
    NodeOutput,
    Slot,
    Taker,
    TapeEntry,
    data_of,
    flat,
    memory_of,
    version_of,
)
from gradcheck_cli.watch.isolation import unseen
from gradcheck_cli.watch.naming import Roots
from gradcheck_cli.watch.places import Places
from gradcheck_cli.watch.sideeffects import SideEffectWatch, autocast_now, torch_states
from gradcheck_cli.watch.tracebacks import trimmed

_RANDOM = frozenset(
    "dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout native_dropout rrelu "
    "bernoulli multinomial normal poisson binomial uniform random exponential geometric cauchy log_normal rand_like "
    "randn_like randint_like gumbel_softmax scaled_dot_product_attention multi_head_attention_forward _standard_gamma "
    "_sample_dirichlet fractional_max_pool2d fractional_max_pool3d lstm gru rnn_tanh rnn_relu".split()
)
"""Functions that may draw, without the underscore of those that write in place."""
_ALIASING = frozenset(("detach", "data"))
"""Functions whose result shares memory with their argument and is no view to autograd."""
_RISKY = frozenset(
    "log log2 log10 log1p logit sqrt rsqrt exp exp2 expm1 div truediv true_divide divide rtruediv reciprocal pow "
    "rpow xlogy acos arccos asin arcsin acosh atanh erfinv std var std_mean var_mean lgamma digamma normalize".split()
)
"""Functions that may make something that is not finite of data alone: what a logarithm makes of a target of 0."""


_READING = frozenset(("item", "tolist", "numpy", "__bool", "__float", "__format", "__repr"))
"""Functions by which a script looks at a number, by their plain names."""
_LOOKED_THROUGH = 4
"""Calls between a loss and what a script looks at, to see whether it is finite: `not loss.detach().isnan().any()`."""
_NOTHING: Mapping[int, Data] = MappingProxyType({})
_MOST_CALLS = 256
"""Calls of modules after which those that nothing comes from any more are left out."""


_MOST_SLOTS = 20_000
"""Tensors alive that calls have made, after which those without a graph are taken for data."""


class TapeListener(Protocol):
    """Who is told of backward passes, and of an error of ours."""

    def forward(self) -> None:
        """An outermost module is about to be called; what this raises reaches the script."""

    def began(self, backward: Backward) -> None:
        """A backward pass is about to run; what this raises reaches the script."""

    def ended(self, backward: Backward, raised: BaseException | None) -> None:
        """It has run, or raised."""

    def failed(self, error: BaseException) -> None:
        """Something in the tape raised; it is switched off."""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_lost(tensor: Tensor) -> bool:
    """Whether a tensor holds NaN, or is one number that is not finite; -Inf in a mask is as it should be."""
    with torch.no_grad():
        values = tensor.detach()
        return bool(values.isnan().any()) or (values.numel() == 1 and not bool(values.isfinite().all()))


class _Mode(TorchFunctionMode):
    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self._tape = tape

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        try:
            return self._tape.function(
                func, args, kwargs or {}, torch._C.DisableTorchFunctionSubclass if types else nullcontext
            )
        except BaseException as error:
            trimmed(error)
            raise


class Tape:
    """Takes down calls; `taps` feeds it.

    Attributes:
        heard: The modules that are called, and whether gradients were enabled, while somebody wants to know; None else.
        evaluations: Calls, without gradients, of modules that are trained.
        alone: Held while gradients are read that another thread might write to; its first backward pass waits for it.
        shared: Whether another thread makes backward passes: then gradients may be read of those parameters alone that
            this one's reach, since torch frees and sets the others' without a lock.
    """

    def __init__(self, listener: TapeListener) -> None:
        self.listener = listener
        self.enabled = True
        self.busy = False
        self.always = False
        self.copying = False
        self.naming = Roots()
        self.heard: weakref.WeakKeyDictionary[nn.Module, bool] | None = None
        self.alone = threading.Lock()
        self.shared = False
        self.evaluations = 0
        self.window = 0
        self._number = 0
        self.depth = 0
        self._thread: int | None = None
        self._whose: threading.Thread | None = None
        self._trains = self._blind = False
        self._slots: dict[int, Slot] = {}
        self._watches: dict[int, SideEffectWatch] = {}
        self._used: set[int] = set()
        self._used_before: set[int] = set()
        self._kept: list[weakref.ref[Backward]] = []
        self._copies: dict[int, Data] = {}
        self._most_slots = _MOST_SLOTS
        self._calls: list[tuple[int, int, weakref.ref[TapeEntry]]] = []
        self._scaled: dict[int, tuple[Slot, Slot, Any]] = {}
        self._mode = _Mode(self)
        self._taker = Taker(self._slots, self._outside, self._unknown)
        self._places = Places()
        self._interrupted: tuple[int, TapeEntry] | None = None
        self._looked: Tensor | None = None

    # -- the mode

    def open(self) -> None:
        """Let torch functions pass through the tape; below all modes of the user's, who leave theirs from the top."""
        if not torch._C._len_torch_function_stack():
            torch._C._push_on_torch_function_stack(self._mode)
            return
        above = []
        while torch._C._len_torch_function_stack():
            mode = torch._C._pop_torch_function_stack()
            if mode is self._mode:
                torch._C._push_on_torch_function_stack(mode)
                break
            if mode is getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None):  # it has to stay at the bottom
                torch._C._push_on_torch_function_stack(mode)
                torch._C._push_on_torch_function_stack(self._mode)
                break
            above.append(mode)
        else:
            torch._C._push_on_torch_function_stack(self._mode)
        for mode in reversed(above):
            torch._C._push_on_torch_function_stack(mode)

    def is_on_top(self) -> bool:
        """Whether torch functions pass through the tape before any other mode."""
        depth = torch._C._len_torch_function_stack()
        return bool(depth) and torch._C._get_function_stack_at(depth - 1) is self._mode

    def close(self) -> bool:
        """Take the mode away; whether it was there."""
        above, found = [], False
        while torch._C._len_torch_function_stack() and not found:
            mode = torch._C._pop_torch_function_stack()
            found = mode is self._mode
            if not found:
                above.append(mode)
        for mode in reversed(above):
            torch._C._push_on_torch_function_stack(mode)
        return found

    def reopen(self) -> None:
        """Let them pass again after an update, where losses are made of more than modules' calls."""
        if self.always and self.enabled:
            self.open()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Inside, nothing is taped: for what is ours."""
        was, busy = self.close(), self.busy
        self.depth += 1
        self.busy = True
        try:
            yield
        finally:
            self.depth -= 1
            self.busy = busy
            if was and self.enabled:
                self.open()

    @contextmanager
    def blind(self) -> Iterator[None]:
        """Inside, no thread is the one that is watched."""
        with self.quiet():
            self._blind = True
            try:
                yield
            finally:
                self._blind = False

    def stop(self) -> None:
        """Tape nothing from now on, and let go of everything."""
        self.enabled = False
        self.close()
        self._slots.clear()
        self._calls.clear()
        self._scaled.clear()
        self._looked = None

    def _failed(self, error: BaseException) -> None:
        self.stop()
        self.listener.failed(error)

    # -- calls

    def idle(self) -> bool:
        """Whether a call that begins now is for the tape."""
        if self.busy or not self.enabled or self.depth or not torch.is_grad_enabled():
            return False
        return (
            self.is_ours()
            and torch._C._functorch.peek_interpreter_stack() is None
            and torch._C._get_tracing_state() is None
        )

    def is_ours(self, *, trains: bool = False) -> bool:
        """Whether this thread is the one that is watched: the first that makes a backward pass.

        Before there was one, it is the first that makes a call; once it has ended, the next.
        """
        if self._blind:
            return False
        here = threading.get_ident()
        if here != self._thread and (self._thread is None or (trains and not self._trains) or self._has_ended(here)):
            self._thread, self._whose = here, threading._active.get(here)  # type: ignore[attr-defined]
            self.busy = False  # the other one may be inside a module's call
        if here == self._thread:
            self._trains = self._trains or trains
            return True
        return False

    def _has_ended(self, here: int) -> bool:
        """Whether the thread that was watched is over, and this is none of autograd's: Python does not know these."""
        running = threading._active  # type: ignore[attr-defined]
        return here in running and running.get(self._thread) is not self._whose  # numbers are used again

    def evaluating(self, module: nn.Module) -> None:
        """A module is called without gradients; one that is trained by calls of its own is evaluated."""
        watch = self._watches.get(id(module))
        self.evaluations += watch is not None and watch.module() is module and self._thread == threading.get_ident()

    def may_be_ours(self) -> bool:
        """Whether this thread is the one that is watched, or none is so far; asking makes it none."""
        return not self._blind and self._thread in (None, threading.get_ident())

    def module(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        """An outermost call of a module."""
        self._looked = None
        self.listener.forward()
        try:
            with unseen():
                watch = self._watches.get(id(module))
                if watch is None or watch.module() is not module:
                    watch = self._watched(module)
                entry = self._entry(module, args, kwargs)
                states, kept, versions = watch.before(module)
                entry.parameters, entry.training = watch.parameters, module.training
        except Exception as error:
            self._failed(error)
            return original(module, *args, **kwargs)
        was = self._suspended()
        try:
            result = original(module, *args, **kwargs)
        except BaseException as error:
            entry.random = states
            self._interrupted = id(error), entry
            raise
        finally:
            self._resumed(was)
        try:
            with unseen():
                entry.random, entry.buffers = watch.after(states, kept, versions)
                if len(self._slots) > self._most_slots:
                    self._fewer()
                if len(self._calls) > _MOST_CALLS:
                    self._calls = [call for call in self._calls if call[2]() is not None]
                self._calls.append((entry.sequence, _get_sequence_nr(), weakref.ref(entry)))
                self._made(entry, result)
            if not was:
                self.open()
        except Exception as error:
            self._failed(error)
        return result

    def _watched(self, module: nn.Module) -> SideEffectWatch:
        """A module that is called for the first time."""
        self._watches = {key: watch for key, watch in self._watches.items() if watch.module() is not None}
        self.naming.seen(module, sys._getframe(3))
        watch = self._watches[id(module)] = SideEffectWatch(module)
        return watch

    def one(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A call that is one for the tape if it is for it at all."""
        return self.single(call, *args, **kwargs) if self.idle() else self.aside(call, *args, **kwargs)

    def aside(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A call that is not for the tape, such as a target network's under no_grad: the mode is off inside."""
        if not self.is_on_top():
            return call(*args, **kwargs)
        was = self._suspended()
        try:
            return call(*args, **kwargs)
        finally:
            self._resumed(was)

    def single(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A call that is one for the tape, whatever torch functions are called inside."""
        try:
            with unseen():
                entry = self._entry(call, args, kwargs)
                entry.random = torch_states()
        except Exception as error:
            self._failed(error)
            return call(*args, **kwargs)
        was = self._suspended()
        try:
            result = call(*args, **kwargs)
        finally:
            self._resumed(was)
        try:
            with unseen():
                self._keep(entry, result)
            if not was:
                self.open()
        except Exception as error:
            self._failed(error)
        return result

    def function(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        hiding: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> Any:
        """A torch function, as the mode sees it; `hiding` keeps what is ours from the script's classes of tensors."""
        if self.busy or not self.enabled or self.depth:
            return func(*args, **kwargs)
        try:
            with hiding():
                name = function_name(func)
                target = written(name, args, kwargs)
                if target is not None:
                    self._before_write(target)
                entry = self._entry(func, args, kwargs)
                if name.rstrip("_") in _RANDOM and entry.needs:
                    entry.random = torch_states()
                before: Mapping[int, Data] = _NOTHING
                if target is not None and entry.grad and (entry.needs or entry.leaves):
                    before = _written(entry, target)
        except Exception as error:
            self._failed(error)
            return func(*args, **kwargs)
        result = func(*args, **kwargs)
        try:
            with hiding():
                self._keep(entry, result, target, name in _ALIASING, before, risky=target is None and name in _RISKY)
                if name in _READING and entry.needs and not (type(result) is float and isfinite(result)):
                    self._look(entry)
        except Exception as error:
            self._failed(error)
        return result

    def _suspended(self) -> bool:
        """Nothing is taped until `_resumed`; whether the mode was there and could be taken off."""
        self.busy = True
        if self.is_on_top():
            torch._C._pop_torch_function_stack()
            return True
        return False

    def _resumed(self, was: bool) -> None:
        self.busy = False
        if was and self.enabled:
            self.open()

    def _entry(self, call: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TapeEntry:
        entry, take = TapeEntry(), self._taker.take
        self._number += 1
        entry.number, entry.window, entry.call = self._number, self.window, call
        entry.args = [value if type(value) in ATOMS else take(value, entry) for value in args]
        if kwargs:
            entry.kwargs = {k: value if type(value) in ATOMS else take(value, entry) for k, value in kwargs.items()}
        for slot in entry.needs:
            if slot.entry.lost is not None:
                entry.lost = slot.entry.lost
        entry.sequence, entry.place = _get_sequence_nr(), self._places.here()
        entry.grad, entry.autocast = torch.is_grad_enabled(), autocast_now()
        return entry

    # -- what goes in

    def _outside(self, tensor: Tensor) -> Data:
        key = id(tensor)
        if not self.copying:
            self._used.add(key)
            return Data(tensor)
        found = self._copies.get(key)
        if found is None or found.source != (key, version_of(tensor)):
            found = self._copies[key] = Data(tensor.detach().clone(), (key, version_of(tensor)))
        return found

    def _unknown(self, tensor: Tensor) -> Slot | Lost:
        """A tensor with a graph that no call returned: a module's call may have left it somewhere."""
        with torch._C.DisableTorchFunction():
            node = tensor.grad_fn
            number = node._sequence_nr() if node is not None else -1
            for first, last, ref in reversed(self._calls):
                entry = ref()
                if entry is not None and first <= number < last:
                    return self._slot(tensor, entry, NodeOutput(number - first, tensor.output_nr))
            return Lost(tensor)

    def _before_write(self, target: Any) -> None:
        """What came from outside and is written into stays on the tape as it was."""
        for tensor in flat(target):
            key = id(tensor)
            if key not in self._slots and (key in self._used or key in self._used_before):
                self._used.discard(key)
                self._used_before.discard(key)
                kept = tensor.detach().clone()
                for data in self._held():
                    if data.tensor is tensor:
                        data.keep(kept)

    def _held(self) -> Iterator[Data]:
        """All data that is on the tape."""
        entries = {entry.number: entry for entry in reached(list(self._slots.values()))}
        kept = (backward for ref in self._kept if (backward := ref()) is not None)
        entries.update((entry.number, entry) for backward in kept for entry in backward.entries)
        for entry in entries.values():
            yield from data_of(entry)

    # -- what comes out

    def _fewer(self) -> None:
        """What has no graph is data from now on: a memory of what an agent did grows for long."""
        for slot in list(self._slots.values()):
            if not slot.learns:
                self._slots.pop(slot.key, None)
        self._most_slots = max(_MOST_SLOTS, 2 * len(self._slots))

    def _slot(
        self, tensor: Tensor, entry: TapeEntry, index: int | NodeOutput | None, was: Slot | Data | None = None
    ) -> Slot:
        slot = Slot(tensor, self._died)
        slot.key = id(tensor)
        slot.entry, slot.index, slot.learns = entry, index, tensor.requires_grad
        if was is not None:
            slot.was = was
        self._slots[slot.key] = slot
        return slot

    def _died(self, slot: weakref.ref[Tensor]) -> None:
        assert isinstance(slot, Slot)
        if self._slots.get(slot.key) is slot:
            del self._slots[slot.key]

    def _made(self, entry: TapeEntry, result: Any) -> None:
        for index, tensor in enumerate([result] if type(result) is Tensor else flat(result)):
            if not (tensor.requires_grad and tensor.is_leaf):
                self._slot(tensor, entry, index)

    def _keep(
        self,
        entry: TapeEntry,
        result: Any,
        target: Any = None,
        aliasing: bool = False,
        before: Mapping[int, Data] = _NOTHING,
        risky: bool = False,
    ) -> None:
        """Take a function's call down, if it is part of what may lead to a loss.

        With `risky`, also one of data alone.
        """
        tensors = [result] if type(result) is Tensor else flat(result)
        targets = () if target is None else flat(target)
        for tensor in tensors:
            if tensor.requires_grad:
                if not (entry.needs or entry.leaves or entry.lost is not None):
                    return
                break
        else:
            written = any(t.requires_grad and not t.is_leaf for t in targets)
            made = self._of_before(entry) if entry.needs else not risky
            if not written and made:
                return
        for index, tensor in enumerate(tensors):
            if (targets and any(tensor is t for t in targets)) or (tensor.requires_grad and tensor.is_leaf):
                continue
            slot = self._slot(tensor, entry, index)
            if (aliasing or tensor._is_view()) and entry.needs:
                self._share(slot, tensor, entry)
        for tensor in targets:
            self._wrote(tensor, entry, before)

    def _look(self, reading: TapeEntry) -> None:
        """Where a script looks at one number that is not finite, hold it: the functions that it leaves will not.

        It is let go of when the next module is called, or a backward pass begins.
        """
        needs = reading.needs
        for _ in range(_LOOKED_THROUGH):
            for slot in needs:
                tensor = slot()
                if slot.learns and tensor is not None and tensor.numel() == 1 and _is_lost(tensor):
                    self._looked = tensor
                    return
            needs = [need for slot in needs for need in slot.entry.needs if not slot.learns]

    def _of_before(self, entry: TapeEntry) -> bool:
        """Whether a result without a graph is made of what was there before the last backward pass: it is data now."""
        window = self.window
        return entry.needs[0].entry.window < window and all(slot.entry.window < window for slot in entry.needs)

    def _share(self, slot: Slot, tensor: Tensor, entry: TapeEntry) -> None:
        memory = memory_of(tensor)
        for need in entry.needs:
            other = need()
            if other is not None and self._slots.get(need.key) is need and memory_of(other) == memory:
                if need.home is None:
                    need.home = [need.key]
                need.home.append(slot.key)
                slot.home = need.home
                return

    def _wrote(self, tensor: Tensor, entry: TapeEntry, before: Mapping[int, Data]) -> None:
        """What is written into is another value from now on, under all names that it has."""
        slot = self._slots.get(id(tensor))
        if slot is None:
            if id(tensor) in before and tensor.requires_grad and not tensor.is_leaf:
                self._slot(tensor, entry, None, before[id(tensor)])
            return
        for key in slot.home or [slot.key]:
            old = self._slots.get(key)
            alive = old() if old is not None and old.home is slot.home else None
            if old is not None and alive is not None:
                new = self._slot(alive, entry, None, old)
                new.home = old.home

    # -- backward passes

    def backward(self, run: Callable[[], Any], made: Callable[[], Backward]) -> Any:
        """Run a backward pass: what it was is told before and after."""
        ours = self.is_ours(trains=True)
        if ours and self.depth:
            return run()
        if ours:
            self._looked = None
        self.close()
        if not ours and not self.shared:
            with self.alone:
                self.shared = True
        if not ours or not self.enabled:
            return run()
        self.depth += 1
        try:
            try:
                with unseen():
                    backward = made()
                self.listener.began(backward)
            except Exception as error:
                self._failed(error)
                return run()
            return self._run(run, backward)
        finally:
            self.depth -= 1
            if self.enabled and self.always:
                self.open()

    def _run(self, run: Callable[[], Any], backward: Backward) -> Any:
        raised: BaseException | None = None
        try:
            result = run()
            if backward.kind == "grad":
                backward.returned = result
            return result
        except BaseException as error:
            raised = error
            raise
        finally:
            try:
                self.listener.ended(backward, raised)
                if self.enabled:
                    self._ended(backward)
            except Exception as error:
                self._failed(error)
            finally:
                raised = None

    def started(self, kind: str, tensors: Any, gradients: Any, retain: bool, create: bool, inputs: Any) -> Backward:
        """What is known of a backward pass before it runs."""
        backward = Backward(kind, self._places.here(sys.getrecursionlimit()), autocast_now())
        given = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
        if retain:
            backward.retain, backward.create = retain, create
        if self.busy:
            backward.why = "the backward pass runs inside a module's call"
            return backward
        if not all([isinstance(tensor, Tensor) for tensor in given]):  # noqa: C419 - each step pays for it
            backward.why = "it starts from edges of the graph"
            return backward
        entry, take = TapeEntry(), self._taker.take
        backward.rootless = all([tensor.grad_fn is None for tensor in given])  # noqa: C419
        roots = tuple([take(tensor, entry) for tensor in given])
        backward.values = tuple([tensor.detach() for tensor in given])
        backward.written = tuple(map(version_of, backward.values))
        if len(entry.needs) < len(roots):
            backward.why = "the loss was not made by anything that was seen"
            self.always = True
            return backward
        backward.roots = roots
        self._kept.append(weakref.ref(backward))
        if gradients is not None:
            many = (gradients,) if isinstance(gradients, Tensor) else gradients
            backward.gradients = tuple(take(each, entry) for each in many)
        if inputs is not None:
            many = (inputs,) if isinstance(inputs, Tensor) else inputs
            backward.inputs = tuple(take(each, entry) for each in many)
        if self._scaled:
            self._note_scale(backward, given)
        for root in roots:
            if root.entry.lost is not None:
                self.always = True
                backward.why = root.entry.lost.told
        return backward

    def unfinished(self, raised: BaseException | None) -> Backward | None:
        """What leads to the newest tensor that is not finite, where the script ends before its backward pass.

        Where a module's call raised what ends it, what leads there; None where all is finite, and nothing was called.
        """
        with self.quiet():
            for slot in sorted(self._slots.values(), key=lambda slot: slot.entry.number, reverse=True):
                tensor = slot()
                if tensor is not None and slot.learns and _is_lost(tensor):
                    return self._stopped(tensor, None)
            if self._interrupted is None or self._interrupted[0] not in map(id, _chain(raised)):
                return None
            nothing = torch.zeros(())
            self._slot(nothing, self._interrupted[1], 0)
            return self._stopped(nothing, raised)

    def _stopped(self, tensor: Tensor, raised: BaseException | None) -> Backward:
        self.busy = False
        gradient = None if tensor.numel() == 1 else torch.ones_like(tensor)
        backward = self.started("stopped", tensor, gradient, False, False, None)
        backward.raised = raised
        backward.place = backward.roots[0].entry.place if backward.roots else None
        return backward

    def _note_scale(self, backward: Backward, given: tuple[Tensor, ...]) -> None:
        found = self._scaled.get(id(given[0]))
        if len(given) == 1 and found is not None and found[0] is backward.roots[0]:
            backward.scaled = found[1:]

    def _ended(self, backward: Backward) -> None:
        """What is freed, and what is a value now, leads nowhere any more."""
        spent = () if backward.retain else self._spent(backward)
        slots = self._slots
        for slot in list(slots.values()):
            if not slot.learns or slot.entry in spent:
                slots.pop(slot.key, None)
        self._calls = [call for call in self._calls if (e := call[2]()) is not None and e not in spent]
        self._copies.clear()
        self._scaled.clear()
        self._kept = [ref for ref in self._kept if ref() is not None]
        self._used_before = self._used | self._used_before if len(self._kept) > 1 else self._used
        self._used = set()
        self.window += 1

    def _spent(self, backward: Backward) -> set[TapeEntry]:
        """The calls, among those that something alive comes from, whose graph this backward pass has freed."""
        alive = {slot.entry for slot in self._slots.values() if slot.learns}
        alive.update([entry for *_, ref in self._calls if (entry := ref()) is not None])
        spent: set[TapeEntry] = set()
        seen: set[TapeEntry] = set()
        stack = list(backward.roots)
        while stack and len(spent) < len(alive):
            slot = stack.pop()
            entry = slot.entry
            if slot.was is not None and isinstance(slot.was, Slot):
                stack.append(slot.was)
            if entry not in seen:
                seen.add(entry)
                if entry in alive:
                    spent.add(entry)
                stack += [need for need in entry.needs if need.learns]
        return spent

    def scaled(self, given: Any, returned: Any, scaler: Any) -> None:
        """A GradScaler has multiplied `given`."""
        if isinstance(given, Tensor) and isinstance(returned, Tensor) and not self.busy:
            before, after = self._slots.get(id(given)), self._slots.get(id(returned))
            if before is not None and after is not None and before is not after:
                self._scaled[id(returned)] = (after, before, scaler)


def _written(entry: TapeEntry, target: Any) -> dict[int, Data]:
    """What came from outside and this very call writes into, as it is before: by the tensors' ids."""
    found = {}
    for tensor in flat(target):
        for data in data_of(entry):
            if data.tensor is tensor:
                data.keep(tensor.detach().clone())
                found[id(tensor)] = data
    return found

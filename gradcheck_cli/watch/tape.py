"""The tape: what outermost modules and torch functions were given, on the way to a loss. Read `entries` first."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import isfinite
from time import perf_counter  # as it is now: a script may put its own clock in its place
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch._C._autograd import _get_sequence_nr

from gradcheck_cli.runtime.state.writes import written
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.draft import Draft
from gradcheck_cli.watch.entries import (
    ATOMS,
    Data,
    Slot,
    TapeEntry,
    flat,
    version_of,
)
from gradcheck_cli.watch.functionmode import FunctionMode
from gradcheck_cli.watch.functiontraits import traits_of
from gradcheck_cli.watch.isolation import unseen
from gradcheck_cli.watch.livetensors import NOTHING, LiveTensors, kept_before
from gradcheck_cli.watch.lostvalues import behind, chain, is_lost
from gradcheck_cli.watch.naming import Roots
from gradcheck_cli.watch.places import Places
from gradcheck_cli.watch.sideeffects import SideEffectWatch, autocast_now, torch_states
from gradcheck_cli.watch.watchedthread import WatchedThread


class TapeListener(Protocol):
    """Who is told of backward passes, and of an error of ours."""

    def forward(self) -> None:
        """An outermost module is about to be called; what this raises reaches the script."""

    def began(self, backward: Backward) -> None:
        """A backward pass is about to run; what this raises reaches the script."""

    def ended(self, backward: Backward, raised: BaseException | None) -> None:
        """It has run, or raised."""

    def late(self, backward: Backward, draft: Draft) -> None:
        """One that was only noted is on the tape after all; the parameters have not moved since."""

    def failed(self, error: BaseException) -> None:
        """Something in the tape raised; it is switched off."""


class Tape:
    """Takes down calls; `taps` feeds it.

    Attributes:
        heard: The modules that are called, and whether gradients were enabled, while somebody wants to know; None else.
        evaluations: Calls, without gradients, of modules that are trained.
        seconds: What taking calls down took so far; the listener counts its own.
        draft: Where calls are noted instead, as long as nobody asks for more than that.
        asleep: Whether nothing is taken down at all.
        places: Where in the user's code things are done.
        live: The tensors that are alive, and the calls that they come from.
        alone: Held while gradients are read that another thread might write to; its first backward pass waits for it.
        shared: Whether another thread makes backward passes: then gradients may be read of those parameters alone that
            this one's reach, since torch frees and sets the others' without a lock.
    """

    def __init__(self, listener: TapeListener) -> None:
        self.listener = listener
        self.enabled = True
        self.busy = False
        self.always = False
        self.naming = Roots()
        self.heard: weakref.WeakKeyDictionary[nn.Module, bool] | None = None
        self.alone = threading.Lock()
        self.shared = False
        self.evaluations = 0
        self.seconds = 0.0
        self.draft: Draft | None = None
        self.asleep = False
        self._number = 0
        self.depth = 0
        self._threads = WatchedThread(self._thread_changed)
        self.is_ours, self.may_be_ours = self._threads.is_ours, self._threads.may_be_ours
        self._watches: dict[int, SideEffectWatch] = {}
        self._scaled: dict[int, tuple[Slot, Slot, Any]] = {}
        mode = FunctionMode(self.function)
        self.open, self.close, self.is_on_top = mode.open, mode.close, mode.is_on_top
        self.live = LiveTensors()
        self.places = Places()
        self._interrupted: tuple[int, TapeEntry] | None = None
        self._looked: Tensor | None = None

    # -- the mode

    def reopen(self) -> None:
        """Let them pass again after an update, where losses are made of more than modules' calls."""
        if self.always and self.enabled and not self.asleep:
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
            self._threads.blind = True
            try:
                yield
            finally:
                self._threads.blind = False

    def stop(self) -> None:
        """Tape nothing from now on, and let go of everything."""
        self.enabled = False
        self.draft, self.asleep = None, False
        self.close()
        self.live.clear()
        self._scaled.clear()
        self._looked = None

    def fail(self, error: BaseException) -> None:
        """Something of ours has raised: the tape is off from now on."""
        self.stop()
        self.listener.failed(error)

    # -- calls

    def idle(self) -> bool:
        """Whether a call that begins now is for the tape."""
        if self.busy or self.asleep or not self.enabled or self.depth or not torch.is_grad_enabled():
            return False
        return (
            self.is_ours()
            and torch._C._functorch.peek_interpreter_stack() is None
            and torch._C._get_tracing_state() is None
        )

    def _thread_changed(self) -> None:
        self.busy = False  # the other one may be inside a module's call

    def evaluating(self, module: nn.Module) -> None:
        """A module is called without gradients; one that is trained by calls of its own is evaluated."""
        watch = self._watches.get(id(module))
        self.evaluations += watch is not None and watch.module() is module and self._threads.is_here()

    def module(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        """An outermost call of a module."""
        self._looked = None
        draft, watch = self.draft, self._watches.get(id(module))
        known = watch if watch is not None and watch.module() is module else None
        if draft is not None:
            noted = draft.versions(args, kwargs) if known is not None and self._is_alone() else None
            if known is not None and noted is not None:
                return draft.module(original, module, args, kwargs, noted, known)
            draft.write_out()
        self.listener.forward()
        started = perf_counter()
        try:
            with unseen():
                watch = known or self._watched(module)
                entry = self.entry(module, args, kwargs)
                states, kept, versions = watch.before(module)
                entry.parameters, entry.training = watch.parameters, module.training
        except Exception as error:
            self.fail(error)
            return original(module, *args, **kwargs)
        was = self.suspend()
        self.seconds += perf_counter() - started
        try:
            result = original(module, *args, **kwargs)
        except BaseException as error:
            entry.random = states
            self.interrupted(error, entry)
            raise
        finally:
            self.resume(was)
        started = perf_counter()
        try:
            with unseen():
                entry.random, entry.buffers = watch.after(states, kept, versions)
                self.live.called(entry, _get_sequence_nr())
                self.live.made(entry, _numbered(result))
            if not was:
                self.open()
        except Exception as error:
            self.fail(error)
        self.seconds += perf_counter() - started
        return result

    def _is_alone(self) -> bool:
        """Whether no mode of the script's is on."""
        modes = torch._C._len_torch_function_stack()
        return modes == 0 or (modes == 1 and self.is_on_top())

    def interrupted(self, error: BaseException, entry: TapeEntry) -> None:
        """A module's call has raised, by which the script may end."""
        self._interrupted = id(error), entry

    def looked(self, args: Sequence[Any]) -> None:
        """The script has looked at what is not one finite number: what leads there is held, as nothing else may be."""
        needs = [slot for value in args if (slot := self.live.of(value)) is not None]
        self._looked = behind(needs) or self._looked

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
        was = self.suspend()
        try:
            return call(*args, **kwargs)
        finally:
            self.resume(was)

    def single(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A call that is one for the tape, whatever torch functions are called inside."""
        if self.draft is not None:
            self.draft.write_out()
        try:
            with unseen():
                entry = self.entry(call, args, kwargs)
                entry.random = torch_states()
        except Exception as error:
            self.fail(error)
            return call(*args, **kwargs)
        was = self.suspend()
        try:
            result = call(*args, **kwargs)
        finally:
            self.resume(was)
        try:
            with unseen():
                self.live.keep(entry, _numbered(result))
            if not was:
                self.open()
        except Exception as error:
            self.fail(error)
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
        kind, draft = traits_of(func), self.draft
        if kind.name == "grad_":  # gradients are cleared between the forward pass and the backward pass
            return func(*args, **kwargs)
        if draft is not None:
            alone = not torch._C._len_torch_function_stack()
            versions = draft.versions(args, kwargs) if alone and written(kind.name, args, kwargs) is None else None
            if versions is not None:
                return draft.function(func, args, kwargs, versions, kind)
            draft.write_out()
        started = perf_counter()
        try:
            with hiding():
                target = written(kind.name, args, kwargs)
                if target is not None:
                    self.live.before_write(target)
                entry = self.entry(func, args, kwargs)
                if kind.draws and entry.needs:
                    entry.random = torch_states()
                before: Mapping[int, Data] = NOTHING
                if target is not None and entry.grad and (entry.needs or entry.leaves):
                    before = kept_before(entry, target)
        except Exception as error:
            self.fail(error)
            return func(*args, **kwargs)
        self.seconds += perf_counter() - started
        result = func(*args, **kwargs)
        started = perf_counter()
        try:
            with hiding():
                self.live.keep(
                    entry, _numbered(result), target, kind.aliases, before, risky=target is None and kind.risky
                )
                if kind.reads and entry.needs and not (type(result) is float and isfinite(result)):
                    self.looked(args)
        except Exception as error:
            self.fail(error)
        self.seconds += perf_counter() - started
        return result

    def suspend(self) -> bool:
        """Nothing is taped until `resume`; whether the mode was there and could be taken off."""
        self.busy = True
        if self.is_on_top():
            torch._C._pop_torch_function_stack()
            return True
        return False

    def resume(self, was: bool) -> None:
        """What `suspend` has returned is given back."""
        self.busy = False
        if was and self.enabled:
            self.open()

    def entry(self, call: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TapeEntry:
        """A call as the tape has it, made here and now."""
        entry, take = TapeEntry(), self.live.taker.take
        self._number += 1
        entry.number, entry.window, entry.call = self._number, self.live.window, call
        entry.args = [value if type(value) in ATOMS else take(value, entry) for value in args]
        if kwargs:
            entry.kwargs = {k: value if type(value) in ATOMS else take(value, entry) for k, value in kwargs.items()}
        for slot in entry.needs:
            if slot.entry.lost is not None:
                entry.lost = slot.entry.lost
        entry.sequence, entry.place = _get_sequence_nr(), self.places.here()
        entry.grad, entry.autocast = torch.is_grad_enabled(), autocast_now()
        return entry

    # -- backward passes

    def backward(self, run: Callable[[], Any], *given: Any) -> Any:
        """Run a backward pass that is `given` as `started` wants it: what it was is told before and after."""
        ours = self.is_ours(trains=True)
        if ours and self.depth:
            return run()
        if ours:
            self._looked = None
        self.close()
        if not ours and not self.shared:
            with self.alone:
                self.shared = True
        if not ours or not self.enabled or self.asleep:
            return run()
        self.depth += 1
        try:
            if self.draft is not None:
                if self.draft.takes(*given):
                    return self.draft.backward(run, given[1])
                self.draft.write_out()
            try:
                begun = perf_counter()
                with unseen():
                    backward = self.started(*given)
                self.seconds += perf_counter() - begun
                self.listener.began(backward)
            except Exception as error:
                self.fail(error)
                return run()
            return self._run(run, backward)
        finally:
            self.depth -= 1
            if self.enabled and self.always and not self.asleep:
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
                begun = perf_counter()
                if self.enabled:
                    self.live.ended(backward)
                    self._scaled.clear()
                self.seconds += perf_counter() - begun
            except Exception as error:
                self.fail(error)
            finally:
                raised = None

    def started(self, kind: str, tensors: Any, gradients: Any, retain: bool, create: bool, inputs: Any) -> Backward:
        """What is known of a backward pass before it runs."""
        backward = Backward(kind, self.places.here(sys.getrecursionlimit()), autocast_now())
        given = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
        if retain:
            backward.retain, backward.create = retain, create
        if self.busy:
            backward.why = "the backward pass runs inside a module's call"
            return backward
        if not all([isinstance(tensor, Tensor) for tensor in given]):  # noqa: C419 - each step pays for it
            backward.why = "it starts from edges of the graph"
            return backward
        entry, take = TapeEntry(), self.live.taker.take
        backward.rootless = all([tensor.grad_fn is None for tensor in given])  # noqa: C419
        roots = tuple([take(tensor, entry) for tensor in given])
        backward.values = tuple([tensor.detach() for tensor in given])
        backward.written = tuple(map(version_of, backward.values))
        if len(entry.needs) < len(roots):
            backward.why = "the loss was not made by anything that was seen"
            self.always = True
            return backward
        backward.roots = roots
        self.live.begun(backward)
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
        if self.draft is not None:
            self.draft.write_out()
        with self.quiet():
            for slot in self.live.newest():
                tensor = slot()
                if tensor is not None and slot.learns and is_lost(tensor):
                    return self._stopped(tensor, None)
            if not isinstance(raised, Exception) or self._interrupted is None:  # nobody asks why somebody stopped it
                return None
            if self._interrupted[0] not in map(id, chain(raised)):
                return None
            nothing = torch.zeros(())
            self.live.slot(nothing, self._interrupted[1], 0)
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

    def scaled(self, given: Any, returned: Any, scaler: Any) -> None:
        """A GradScaler has multiplied `given`."""
        if isinstance(given, Tensor) and isinstance(returned, Tensor) and not self.busy:
            before, after = self.live.of(given), self.live.of(returned)
            if before is not None and after is not None and before is not after:
                self._scaled[id(returned)] = (after, before, scaler)


def _numbered(result: Any) -> list[tuple[int, Tensor]]:
    """The tensors in what a call returned, in order."""
    return [(0, result)] if type(result) is Tensor else list(enumerate(flat(result)))

"""What is noted of a step that nobody is expected to ask for: its calls as they came, and its numbers.

Most steps are as usual, and what the tape makes of their calls is thrown away. So where steps are short their calls are
noted alone, in the fewest of Python's, and the tape is written from the notes where somebody asks for it all the same.
That comes to the same as long as nothing is written into what the notes hold, only plain tensors are passed, and all
that has a graph was made in this very step. Where that ends, the tape is written, and goes on as ever.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from math import hypot, isfinite
from operator import attrgetter, is_
from time import perf_counter  # as it is now: a script may put its own clock in its place
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._C._autograd import _get_sequence_nr

from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import ATOMS, Autocast, Data, Place, TapeEntry, flat, parts_of, version_of
from gradcheck_cli.watch.functiontraits import FunctionTraits
from gradcheck_cli.watch.isolation import unseen
from gradcheck_cli.watch.sideeffects import Kept, SideEffectWatch, State, autocast_now, torch_states
from gradcheck_cli.watch.vitals import Norms, can_glimpse, glimpse, readings

if TYPE_CHECKING:
    from gradcheck_cli.watch.tape import Tape

_MOST = 32
"""Calls that are noted at most: what is passed is held until the step ends."""
_PASSED = ATOMS | {nn.Parameter, torch.ScriptObject}
"""Classes of what may be passed beside tensors."""
_CONTAINERS = frozenset((tuple, list, dict))
_gradient_of = attrgetter("grad")
_functions, _dispatches = torch._C._len_torch_function_stack, torch._C._len_torch_dispatch_stack
_is_autocast = torch._C._is_any_autocast_enabled


class Note(NamedTuple):
    """One call; what it is made of is what a `TapeEntry` is.

    Attributes:
        versions: How often each part of its arguments had been written into; None for what is no tensor.
        results: The tensors that it returned.
        after: The number of the first autograd node that is not its own any more.
        of: What is known of the module, or of the function.
    """

    call: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    versions: list[int | None]
    results: list[weakref.ref[Tensor]]
    sequence: int
    after: int
    place: Place | None
    grad: bool
    autocast: Autocast | None
    random: tuple[State, ...]
    buffers: tuple[Kept, ...]
    training: bool | None
    of: SideEffectWatch | FunctionTraits


class Draft:
    """The notes of a step that is made of one backward pass, and of the next once they are cleared.

    Args:
        tape: The tape.
        held: All parameters whose gradients the step makes, as they are by then.

    Attributes:
        parameters: Those, as they were when it was made.
        fits: Whether notes have done so far.
        is_settled: Whether its update is counted, so that nothing is told of it any more.
        is_read: Whether the backward pass has run, and the gradients were read.
        loss: The loss, then; None where it is no single real number.
        norm: The norm of the gradients, then; None where there is none.
    """

    loss: float | None
    norm: float | None

    def __init__(self, tape: Tape, held: Callable[[], Sequence[Tensor]]) -> None:
        self._tape, self._held_now, self.parameters = tape, held, list(held())
        self._is_plain, self.fits = can_glimpse(self.parameters), True
        self.clear()

    def clear(self) -> None:
        """Begin another step."""
        self.is_read = self.is_settled = False
        self._told: Backward | None = None
        self._let_go()

    def _let_go(self) -> None:
        """Hold nothing of the step any more."""
        self._notes: list[Note] = []
        self._made: set[int] = set()
        self._reads: list[tuple[Any, ...]] = []
        self._gradients: list[Any] = []
        self._from: Tensor | None = None

    # -- its backward pass

    def takes(self, kind: str, tensors: Any, gradients: Any, retain: bool, create: bool, inputs: Any) -> bool:
        """Whether a backward pass can be noted: the first, by all that was noted, where there is no gradient yet."""
        return (
            kind == "backward"
            and type(tensors) is Tensor
            and id(tensors) in self._made
            and self._from is None
            and gradients is None
            and inputs is None
            and not (retain or create)
            and not (_functions() or _dispatches())
            and set(map(_gradient_of, self.parameters)) == {None}
            and self._holds_the_same()
        )

    def _holds_the_same(self) -> bool:
        """Whether the optimiser's parameters are those that it had, and no group has come."""
        now = self._held_now()
        return len(now) == len(self.parameters) and all(map(is_, now, self.parameters))

    def backward(self, run: Callable[[], Any], loss: Tensor) -> Any:
        """Run it; whoever listens is told of one that raises, as ever."""
        started, tape = perf_counter(), self._tape
        self._from, self._version, self._place = loss, version_of(loss), tape.places.here(sys.getrecursionlimit())
        self._autocast = autocast_now() if _is_autocast() else None
        tape.seconds += perf_counter() - started
        try:
            result = run()
        except BaseException as error:
            if self._told is None:
                self.write_out()
            self._ended(error)
            raise
        started = perf_counter()
        try:
            if self._told is None and tape.shared:  # another thread trains as well, and owns some
                self.write_out()
            if self._told is not None:
                self._ended(None)
            else:
                with tape.alone:
                    self._read(loss)
        except Exception as error:
            tape.fail(error)
        tape.seconds += perf_counter() - started
        return result

    def _ended(self, error: BaseException | None) -> None:
        """One that was told of while it ran has ended."""
        told, self._told = self._told, None
        if told is not None and self._tape.enabled:
            self._tape.listener.ended(told, error)
            self._tape.live.ended(told)

    def _read(self, loss: Tensor) -> None:
        """It has run: read the loss and the gradients, and by what these are known again."""
        held = [p for p in self.parameters if p.grad is not None]
        gradients: list[Any] = list(map(_gradient_of, held))
        plain = self._is_plain and loss.dtype is torch.float32 and loss.numel() == 1
        norms = glimpse(gradients) if plain else None
        if norms is not None:
            self.loss = loss.item()
        else:
            self.loss, slowly = readings(loss, held)
            held, norms = list(slowly.parameters), list(slowly.values)
            gradients = list(map(_gradient_of, held))
        self._held, self._gradients, self._norms = held, gradients, norms
        self._versions = list(map(version_of, gradients))
        self.norm, self.is_read = hypot(*norms) if norms else None, True

    def norms(self) -> Norms:
        """The norms of the gradients, by parameter."""
        return Norms(tuple(self._held), tuple(self._norms), tuple(map(id, self._held)))

    def standing(self) -> dict[int, tuple[int, int]]:
        """By the parameters' ids, which gradients they had then, and how often each had been written into."""
        marks = zip(map(id, self._gradients), self._versions, strict=True)
        return dict(zip(map(id, self._held), marks, strict=True))

    # -- what becomes of it

    def write_out(self) -> None:
        """Write the tape from the notes, and leave the rest of the step to it."""
        tape, self.fits = self._tape, False
        try:
            if self.is_settled:  # the update raised, and never came to its end
                tape.draft = None
                return
            backward = self._pass()
            if backward is None:
                return
            if self.is_read:
                tape.listener.late(backward, self)
                tape.live.ended(backward)
            else:  # it is still running
                self._told = backward
                tape.listener.began(backward)
        except Exception as error:
            tape.fail(error)
        finally:
            self._let_go()

    # -- what is noted

    def versions(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[int | None] | None:
        """How often each part of a call's arguments was written into; None where the call is not for a draft."""
        if _dispatches() or self._from is not None or len(self._notes) >= _MOST:
            return None
        found: list[int | None] = []
        try:
            return found if self._fits((*args, *kwargs.values()) if kwargs else args, found) else None
        except RuntimeError:  # a tensor of inference mode has no version
            return None

    def _fits(self, given: Sequence[Any], versions: list[int | None]) -> bool:
        for value in given:
            kind = type(value)
            if kind is Tensor:
                if value.requires_grad and id(value) not in self._made and not value.is_leaf:
                    return False  # made before this step
                versions.append(value._version)
            elif kind is torch.Size:
                versions += [None] * len(value)
            elif kind in _PASSED:
                versions.append(None)
            elif kind is dict:
                if not self._fits(tuple(value.values()), versions):
                    return False
            elif not ((kind is tuple or kind is list) and self._fits(value, versions)):
                return False
        return True

    def module(
        self,
        original: Callable[..., Any],
        module: nn.Module,
        args: Any,
        kwargs: Any,
        versions: list[int | None],
        watch: SideEffectWatch,
    ) -> Any:
        """An outermost call of a module."""
        started, tape = perf_counter(), self._tape
        noted = _as_they_are(args, kwargs)
        if was := _functions() > 0:  # the tape's alone: what follows is ours
            torch._C._pop_torch_function_stack()
        try:
            states, kept, before = watch.before(module)
            autocast = autocast_now() if _is_autocast() else None
            sequence, place, training = _get_sequence_nr(), tape.places.here(), module.training
        except Exception as error:
            tape.fail(error)
            return original(module, *args, **kwargs)
        tape.busy = True
        tape.seconds += perf_counter() - started
        try:
            result = original(module, *args, **kwargs)
        except BaseException as error:
            note = Note(module, *noted, versions, [], sequence, 0, place, True, autocast, states, (), training, watch)
            tape.busy = False
            self.write_out()
            tape.interrupted(error, _entry(tape, note))
            raise
        finally:
            tape.resume(was)
        started = perf_counter()
        try:
            buffers: tuple[Kept, ...] = ()
            if states or kept:
                states, buffers = watch.after(states, kept, before)
            results, after = self._results(result), _get_sequence_nr()
            self._notes.append(
                Note(
                    module,
                    *noted,
                    versions,
                    results,
                    sequence,
                    after,
                    place,
                    True,
                    autocast,
                    states,
                    buffers,
                    training,
                    watch,
                )
            )
            if not was:
                tape.open()
        except Exception as error:
            tape.fail(error)
        tape.seconds += perf_counter() - started
        return result

    def function(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        versions: list[int | None],
        traits: FunctionTraits,
    ) -> Any:
        """A torch function that writes nowhere."""
        started, tape = perf_counter(), self._tape
        noted = _as_they_are(args, kwargs)
        try:
            states = torch_states() if traits.draws else ()
            autocast = autocast_now() if _is_autocast() else None
            sequence, place, grad = _get_sequence_nr(), tape.places.here(), torch.is_grad_enabled()
        except Exception as error:
            tape.fail(error)
            return func(*args, **kwargs)
        tape.seconds += perf_counter() - started
        result = func(*args, **kwargs)
        started = perf_counter()
        try:
            if traits.reads:
                if not (type(result) is float and isfinite(result)):
                    self._reads.append(args)
            elif results := self._results(result):
                self._notes.append(
                    Note(
                        func,
                        *noted,
                        versions,
                        results,
                        sequence,
                        0,
                        place,
                        grad,
                        autocast,
                        states,
                        (),
                        None,
                        traits,
                    )
                )
        except Exception as error:
            tape.fail(error)
        tape.seconds += perf_counter() - started
        return result

    def _results(self, result: Any) -> list[weakref.ref[Tensor]]:
        """The tensors in what a call returned; they are made in this step."""
        tensors = (result,) if type(result) is Tensor else flat(result)
        self._made.update(map(id, tensors))
        return list(map(weakref.ref, tensors))

    def _pass(self) -> Backward | None:
        """All that was noted goes on the tape."""
        tape = self._tape
        tape.draft = None
        with unseen():
            for note in self._notes:
                alive = [(index, t) for index, ref in enumerate(note.results) if (t := ref()) is not None]
                entry = _entry(tape, note)
                if isinstance(note.of, SideEffectWatch):
                    tape.live.called(entry, note.after)
                    tape.live.made(entry, alive)
                elif alive:
                    tape.live.keep(entry, alive, aliasing=note.of.aliases, risky=note.of.risky)
            if self._from is None:
                for args in self._reads:
                    tape.looked(args)
                return None
            backward = tape.started("backward", self._from, None, False, False, None)
        backward.written, backward.place, backward.autocast = (self._version,), self._place, self._autocast
        return backward


def _as_they_are(args: Any, kwargs: Any) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Arguments whose containers are copies: the script may change its own later on."""
    found = tuple([_copied(value) if type(value) in _CONTAINERS else value for value in args])
    return found, {key: _copied(value) for key, value in kwargs.items()} if kwargs else kwargs


def _copied(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {key: _copied(part) for key, part in value.items()}
    return kind([_copied(part) for part in value]) if kind in _CONTAINERS else value


def _entry(tape: Tape, note: Note) -> TapeEntry:
    """A call as the tape has it."""
    entry = tape.entry(note.call, note.args, note.kwargs)
    entry.sequence, entry.place, entry.grad, entry.autocast = note.sequence, note.place, note.grad, note.autocast
    entry.random, entry.buffers, entry.training = note.random, note.buffers, note.training
    if isinstance(note.of, SideEffectWatch):
        entry.parameters = note.of.parameters
    for part, version in zip(parts_of((entry.args, entry.kwargs)), note.versions, strict=True):
        if isinstance(part, Data) and version is not None:
            part.version = version
    return entry

"""Watch one forward pass: which module and which line of the user's source made each op.

Every autograd node carries the sequence number of its creation, so noting the number when a module
starts and ends, and around every torch function, attributes all nodes, functional ones included,
without touching them.
"""

from __future__ import annotations

import sys
import sysconfig
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._autograd import _get_sequence_nr
from torch.nn.modules import module as module_hooks
from torch.overrides import TorchFunctionMode

from gradcheck_cli.probe.targetcomparisons import Comparisons
from gradcheck_cli.probe.terms import ScalarSums
from gradcheck_cli.probe.unfused import unfused
from gradcheck_cli.records.ops import (
    CHOOSING,
    CONVOLUTION_CALLS,
    JOINING_CALLS,
    LEAVING,
    LOSS_CALLS,
    PRODUCT_CALLS,
    SHAPE_ONLY_CALLS,
    SHAPED_CALLS,
    TARGETED_CALLS,
)
from gradcheck_cli.runtime.norms import Scalar, norm
from gradcheck_cli.runtime.state import State, function_name, written
from gradcheck_cli.runtime.trees import tensors_in

_TORCH = str(Path(torch.__file__).parent)
_OURS = str(Path(__file__).parent.parent)
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})

_LAST_FED = 4
"""Frozen layers whose input is kept until the forward pass is over: predictions are made by the last ones."""

_VIEWS = frozenset(("view", "reshape"))
LOOKING_ON = ("__torch_function__", "__torch_dispatch__", "apply", "tapped")
"""Functions of the probe's, and of the watcher's, that stand between the user's code and an op."""

Place = tuple[CodeType, int]
"""A code object and the offset of an instruction in it: a line that is looked up only when needed."""


class Tracer(TorchFunctionMode):
    """Records the forward pass that runs inside `with tracer:`.

    After it, `module_at(sequence)` and `place_at(sequence)` attribute a node.
    """

    def __init__(self, model: nn.Module, state: State, *, outputs: bool = True) -> None:
        super().__init__()
        self.modules: list[tuple[str, nn.Module]] = []
        self.index: dict[int, int] = {}
        self.calls: list[int] = []
        self.outputs: dict[int, list[_Output]] = {}
        self.cuts: list[RawCut] = []
        self.swaps: dict[tuple[tuple[int, ...], tuple[int, ...], str], Place | None] = {}
        self.comparisons = Comparisons()
        self.terms = ScalarSums()
        self._state = state
        self._root = model if outputs else None
        self._stack = [-1]
        self._grad_at_entry = [True]
        self._switched_off_at: list[Place | None] = [None]
        self._writes: set[int] = set()
        self._learnable = {id(p) for p in model.parameters() if p.requires_grad}
        self._module_events: list[tuple[int, int]] = []
        self._place_events: list[tuple[int, Place | None]] = []
        self._products: list[tuple[int, int]] = []
        self._shapes: list[tuple[int, ...]] = []
        self._derivatives: list[tuple[int, int]] = []
        self._fed: deque[tuple[int, Tensor, int]] = deque(maxlen=_LAST_FED)
        self._frames = _FrameFilter()
        self._cut_values: dict[int, tuple[Tensor, frozenset[int]]] = {}
        for path, module in model.named_modules():
            self._add(path, module)

    # -- modules

    def _add(self, path: str, module: nn.Module) -> None:
        if id(module) not in self.index:
            self.index[id(module)] = len(self.modules)
            self.modules.append((path, module))
            self.calls.append(0)

    def _registered(self, parent: nn.Module, name: str, module: nn.Module | None) -> None:
        """A submodule that the forward pass makes: its ops and parameters are its own."""
        index = self.index.get(id(parent))
        if index is not None and isinstance(module, nn.Module):
            above = self.modules[index][0]
            for path, new in module.named_modules(prefix=f"{above}.{name}" if above else name):
                self._add(path, new)

    @contextmanager
    def watching_modules(self) -> Iterator[None]:
        """Bracket the calls of every module; nn.RNN and its kin run step by step, so that time shows."""
        with ExitStack() as stack:
            for hook in (
                module_hooks.register_module_forward_pre_hook(self._enter),
                module_hooks.register_module_forward_hook(self._leave, always_call=True),
                module_hooks.register_module_module_registration_hook(self._registered),
            ):
                stack.callback(hook.remove)
            stack.enter_context(_wrapped_apply(self._before_custom_function))
            yield

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        index = self.index.get(id(module))
        if index is None:
            return
        self._stack.append(index)
        self._note_entry(torch.is_grad_enabled())
        self.calls[index] += 1
        self._module_events.append((_get_sequence_nr(), index))
        if self._cut_values:
            self._note_use(inputs)
        if isinstance(module, nn.RNNBase):
            self._stepwise = (torch._C._get_mkldnn_enabled(), torch.backends.cudnn.enabled)
            torch._C._set_mkldnn_enabled(False)
            torch.backends.cudnn.enabled = False

    def _leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        """After a call, also after one that raised: the user's code may catch that and go on."""
        index = self.index.get(id(module))
        if index is None or index not in self._stack:
            return
        while self._stack.pop() != index:  # a call inside was interrupted
            self._forget_entry()
        off = self._switched_off_at[-1]
        self._forget_entry()
        sequence = _get_sequence_nr()
        self._module_events.append((sequence, self._stack[-1]))
        if isinstance(module, nn.RNNBase):
            mkldnn, torch.backends.cudnn.enabled = self._stepwise
            torch._C._set_mkldnn_enabled(mkldnn)
        if self._root is not None and (module._parameters or module is self._root):
            with torch._C.DisableTorchFunction():
                self.outputs.setdefault(index, []).extend(_Output(t) for t in tensors_in(output) if _is_measurable(t))
        if not torch.is_grad_enabled() and any(p.requires_grad for p in module._parameters.values() if p is not None):
            self._note_no_grad(index, output, off)

    def _note_entry(self, grad: bool) -> None:
        """Whether a module is called with gradients on; a tower without is known by the line that calls it."""
        above = self._switched_off_at[-1]
        off = None if grad else (above or self._frames.user_place(sys._getframe(1)))
        self._grad_at_entry.append(grad)
        self._switched_off_at.append(off)

    def _forget_entry(self) -> None:
        self._grad_at_entry.pop()
        self._switched_off_at.pop()

    # -- ops

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = function_name(func)
        target = written(name, args, kwargs)
        if target is not None:
            self._state.before_write(target)
            self._note_write(target)
        before = _get_sequence_nr()
        result = unfused(name, func, args)(*args, **(kwargs or {}))
        after = _get_sequence_nr()
        if self._root is not None and (self._stack[-1] < 0 or name in LOSS_CALLS):
            self.comparisons.note(name, args, kwargs, result, lambda: self._frames.user_place(sys._getframe()))
        if self._root is not None and name in JOINING_CALLS:
            self.terms.note(name, args, kwargs or {}, result)
        if name in _VIEWS:
            self._note_swap(name, args, result)
        if name in PRODUCT_CALLS:
            self._products.append((before, after))
            self._shapes.append(_shape_of_first(args))
            if after != before:
                self._note_fed(name, args)
        if after != before:
            if name == "grad":
                self._derivatives.append((before, after))
            self._place_events.append((before, self._frames.user_place(sys._getframe())))
            self._place_events.append((after, None))
            if self._cut_values:
                self._note_joining(name, args)
            if name in CHOOSING:
                self._note_choice(name, args, result)
        elif isinstance(result, Tensor) or name in LEAVING or (self._cut_values and isinstance(result, (tuple, list))):
            self._follow(name, args, kwargs or {}, result)
        return result

    def _note_fed(self, name: str, args: tuple[Any, ...]) -> None:
        """What goes into a layer that is frozen: autograd does not keep it."""
        if len(args) > 1 and type(args[0]) is Tensor and isinstance(args[1], nn.Parameter):
            fed, weight = args[:2]
            if not weight.requires_grad and name not in CONVOLUTION_CALLS:  # whose input is kept in any case
                self._fed.append((len(self._products) - 1, fed, fed._version))

    def _note_swap(self, name: str, args: tuple[Any, ...], result: Any) -> None:
        """Sizes that stand in another order than before, of three or more: of two, pairs may be put together."""
        before, after = _shape_of_first(args), tuple(result.shape)
        if before != after and _are_swapped(before, after) and args[0].is_contiguous():
            self.swaps.setdefault((before, after, name), self._frames.user_place(sys._getframe(1)))

    def _before_custom_function(self) -> None:
        self._place_events.append((_get_sequence_nr(), self._frames.user_place(sys._getframe())))

    # -- cuts: values that leave the graph, and where they go

    def _follow(self, name: str, args: Any, kwargs: dict[str, Any], result: Any) -> None:
        """An op that made no node: its inputs' graph, if they had one, ends here."""
        inputs = [t for t in _flat((*args, *kwargs.values())) if isinstance(t, Tensor)]
        made = [t for t in _flat((result,)) if isinstance(t, Tensor)]
        with torch._C.DisableTorchFunction():
            if torch.is_grad_enabled() and any(t.requires_grad for t in made):
                return
            label = name if torch.is_grad_enabled() else "no_grad"
            cuts = [self._cut(label, node) for t in inputs if (node := _node_of(t)) is not None]
            if name not in SHAPE_ONLY_CALLS and (read := self._leaves_read(name, inputs)):
                cuts += [self._cut(label, None, leaf=leaf) for leaf in read if leaf is not result]
        if self._cut_values:
            cuts += [index for t in inputs for index in self._cuts_in(t)]
        if label == "no_grad" and cuts:
            self._note_mixing(cuts, inputs)
        if made:
            for tensor in made if cuts else ():
                if id(tensor) not in self._learnable:
                    self._mark(tensor, cuts)
        elif name in LEAVING and name != "item":  # an array may come back as a tensor that nothing links to this one
            for index in cuts:
                self.cuts[index].used = True

    def _leaves_read(self, name: str, inputs: list[Tensor]) -> list[Tensor]:
        """The parameters whose values an op without a node reads, where what it makes may have been meant to learn.

        A tower that is called with gradients off is told by its modules; so is what reads another tower's.
        """
        if not torch.is_grad_enabled() and not self._grad_at_entry[-1]:
            return []
        read = inputs[:1] if name in SHAPED_CALLS else inputs
        return [t for t in read if id(t) in self._learnable]

    def _note_mixing(self, cuts: list[int], inputs: list[Tensor]) -> None:
        """Under no_grad, what is computed of data is a target; what is computed of parameters alone is a weight."""
        if any(id(t) not in self._learnable and not self._cuts_in(t) and t.is_floating_point() for t in inputs):
            for index in cuts:
                self.cuts[index].mixed = True

    def _note_write(self, target: Any) -> None:
        """A parameter that the pass writes to learns in another way, as a codebook by moving averages does."""
        with torch._C.DisableTorchFunction():
            for tensor in _flat((target,)):
                if isinstance(tensor, Tensor) and (memory := _memory(tensor)) is not None:
                    self._writes.add(memory)

    def is_written(self, tensor: Tensor) -> bool:
        """Whether the forward pass wrote to a tensor, or to another that shares its memory."""
        return _memory(tensor) in self._writes

    def _note_choice(self, name: str, args: Any, result: Any) -> None:
        """topk and its kin hand on a gradient through the values, but none through the indexes."""
        if not isinstance(result, tuple) or not args or not isinstance(args[0], Tensor):
            return
        with torch._C.DisableTorchFunction():
            for tensor in result:
                if isinstance(tensor, Tensor) and not tensor.requires_grad and args[0].grad_fn is not None:
                    self._mark(tensor, [self._cut(name, args[0].grad_fn)])

    def _note_no_grad(self, index: int, output: Any, place: Place | None) -> None:
        cut = self._cut("no_grad", None, index, place=place)
        for tensor in tensors_in(output):
            self._mark(tensor, [cut])

    def _cut(
        self,
        op: str,
        node: Any,
        module: int | None = None,
        *,
        leaf: Tensor | None = None,
        place: Place | None = None,
    ) -> int:
        place = place or self._frames.user_place(sys._getframe())
        self.cuts.append(RawCut(op, self._stack[-1] if module is None else module, place, node, leaf))
        return len(self.cuts) - 1

    def _mark(self, tensor: Tensor, cuts: list[int]) -> None:
        _, known = self._cut_values.get(id(tensor), (tensor, frozenset()))
        self._cut_values[id(tensor)] = (tensor, known | set(cuts))  # kept alive, so that the id stays its own

    def _cuts_in(self, tensor: Tensor) -> frozenset[int]:
        found = self._cut_values.get(id(tensor))
        return found[1] if found else frozenset()

    def _note_use(self, inputs: Any) -> None:
        """A cut value goes into a layer that learns, so those behind the cut were meant to learn too."""
        if torch.is_grad_enabled():
            for tensor in tensors_in(inputs):
                for index in self._cuts_in(tensor):
                    self.cuts[index].used = True

    def _note_joining(self, name: str, args: tuple[Any, ...]) -> None:
        """A cut value meets the graph again. With a parameter it was meant to be learned from; so it was
        inside the model, unless it was computed under no_grad as the target networks of BYOL and DQN are."""
        tensors = [t for t in _flat(args) if isinstance(t, Tensor)]
        if any(isinstance(t, nn.Parameter) for t in tensors):
            self._note_use(tensors)
        elif self._stack[-1] >= 0:
            for index in {i for t in tensors for i in self._cuts_in(t)}:
                cut = self.cuts[index]
                if cut.leaf is not None and (name.endswith("_loss") or name in TARGETED_CALLS):
                    continue  # a target that stands still, such as the centres of clusters
                cut.used |= cut.op != "no_grad" or (cut.leaf is not None and not cut.mixed)

    # -- after the pass

    def release(self) -> None:
        """Let go of nodes and values; counts and places stay."""
        self.outputs.clear()
        self.cuts.clear()
        self.comparisons.release()
        self.terms.release()
        self._cut_values.clear()
        self._fed.clear()

    @property
    def current_module(self) -> int:
        """The index of the module that is running; -1 outside of all."""
        return self._stack[-1]

    def place_of(self, frame: FrameType) -> Place | None:
        """The innermost place of the user's code at or above `frame`."""
        return self._frames.user_place(frame)

    def module_at(self, sequence: int) -> int:
        """The index of the innermost module in which the node of this sequence number was made; -1."""
        at = bisect_right(self._module_events, sequence, key=_first) - 1
        return self._module_events[at][1] if at >= 0 else -1

    def place_at(self, sequence: int) -> Place | None:
        """Where the user's source called the op that made the node of this sequence number."""
        at = bisect_right(self._place_events, sequence, key=_first) - 1
        return self._place_events[at][1] if at >= 0 else None

    def shape_at(self, call: int) -> tuple[int, ...]:
        """The shape of the first argument of a call of a product, where it is a plain tensor; () of no call."""
        return self._shapes[call] if call >= 0 else ()

    def product_at(self, sequence: int) -> int:
        """Which call of a product made the node of this sequence number, from 0; -1 where none did."""
        return _inside(self._products, sequence)

    def fed_to(self, call: int) -> Tensor | None:
        """What went into a call of a product, where that is one of the last frozen layers' and was not written to."""
        return next((fed for at, fed, version in self._fed if at == call and fed._version == version), None)

    def forget_fed(self) -> None:
        """Let go of what went into frozen layers, as autograd has."""
        self._fed.clear()

    def is_derived(self, sequence: int) -> bool:
        """Whether a gradient that the forward pass takes made the node of this sequence number."""
        return _inside(self._derivatives, sequence) >= 0


def _shape_of_first(args: tuple[Any, ...]) -> tuple[int, ...]:
    first = args[0] if args else None
    return tuple(first.shape) if type(first) is Tensor and not first.is_nested else ()


def _are_swapped(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    one, other = ([size for size in shape if size > 1] for shape in (before, after))
    return len(one) > 2 and one != other and sorted(one) == sorted(other)


class RawCut:
    """A place where a value left the graph, before it is known whose gradient that cost."""

    def __init__(self, op: str, module: int, place: Place | None, node: Any, leaf: Tensor | None = None) -> None:
        self.op, self.module, self.place, self.node, self.leaf = op, module, place, node, leaf
        self.used = self.mixed = False


class _Output:
    """A floating output of a layer: its node, its size and its norm."""

    def __init__(self, tensor: Tensor) -> None:
        self.node = tensor.grad_fn
        self.numel = tensor.numel()
        self.norm: Scalar = norm(tensor)


def _is_measurable(tensor: Tensor) -> bool:
    """Floating, and one plain tensor: not a batch of them under vmap, nor a nested one."""
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor(tensor) or tensor.is_nested
    return not wrapped and (tensor.is_floating_point() or tensor.is_complex())


def _memory(tensor: Tensor) -> int | None:
    """Where a tensor's memory begins; None where it has none of its own."""
    try:
        return tensor.untyped_storage().data_ptr() or None
    except (RuntimeError, NotImplementedError):
        return None


def _node_of(tensor: Tensor) -> Any:
    try:
        return tensor.grad_fn
    except RuntimeError:  # a view made under no_grad whose base was written to since
        return None


def _inside(spans: list[tuple[int, int]], sequence: int) -> int:
    """The index of the span that holds a sequence number, or -1."""
    at = bisect_right(spans, sequence, key=_first) - 1
    return at if at >= 0 and sequence < spans[at][1] else -1


def _first(event: tuple[int, Any]) -> int:
    return event[0]


def _flat(args: Any) -> Iterator[Any]:
    for value in args:
        if isinstance(value, (list, tuple)):
            yield from value
        else:
            yield value


class _FrameFilter:
    """Finds the innermost frame of the user's own code; of a library's where they have none."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}

    def user_place(self, frame: FrameType | None) -> Place | None:
        """The innermost place in the user's code; frames of ours on top are the probe looking on, and those
        further down are the call into the model, behind which nothing belongs to this forward pass."""
        while frame is not None and self._kind(frame.f_code.co_filename) == "ours":
            frame = frame.f_back
        library: Place | None = None
        while frame is not None:
            code = frame.f_code
            kind = self._kind(code.co_filename)
            if kind == "user":
                return code, frame.f_lasti
            if kind == "ours" and code.co_name not in LOOKING_ON:
                break
            if kind == "library" and library is None:
                library = code, frame.f_lasti
            frame = frame.f_back
        return library

    def _kind(self, filename: str) -> str:
        return self._kinds.get(filename) or self._classify(filename)

    def _classify(self, filename: str) -> str:
        if filename.startswith(_TORCH) or filename.startswith("<frozen"):
            kind = "torch"
        elif filename.startswith(_OURS):
            kind = "ours"
        else:
            kind = "library" if filename.startswith(_LIBRARIES) else "user"
        self._kinds[filename] = kind
        return kind


@contextmanager
def _wrapped_apply(before: Callable[[], None]) -> Iterator[None]:
    """Custom autograd Functions do not pass through torch functions, so their `apply` is watched."""
    original = torch.autograd.Function.__dict__["apply"]

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        before()
        return original.__func__(cls, *args, **kwargs)

    torch.autograd.Function.apply = classmethod(apply)  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        torch.autograd.Function.apply = original  # type: ignore[method-assign]

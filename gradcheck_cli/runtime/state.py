"""Leave the user's model, and the process around it, as they were found."""

from __future__ import annotations

import random
import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

_CONTAINERS = frozenset((dict, OrderedDict, defaultdict, list, set))
"""Exact types: a subclass may forbid what restoring it needs, as diffusers' FrozenDict does."""


@contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Restore everything of `model` and of the process that a forward and backward pass can change.

    Module attributes, modes, hooks, `requires_grad`, `.grad`, buffers, the random generators and
    torch's global switches come back, also when the body raises. Parameters are not copied here, which
    would double their memory: see `WriteGuard`.
    """
    with ExitStack() as stack:  # every step is taken, also after one that raises
        for saving in (_undo_parameters, _undo_buffers, _undo_modules):
            stack.callback(saving(model))
        stack.callback(_undo_random())
        stack.callback(_undo_switches())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        yield


def _undo_modules(model: nn.Module) -> Callable[[], None]:
    """Attributes come back as the same objects, and plain containers with the same contents."""
    attributes = [(module, dict(module.__dict__)) for module in model.modules()]
    contents = [
        (value, value.copy()) for _, saved in attributes for value in saved.values() if type(value) in _CONTAINERS
    ]

    def undo() -> None:
        for module, saved in attributes:
            module.__dict__.clear()
            module.__dict__.update(saved)
        for container, saved_content in contents:
            container.clear()
            extend = container.extend if isinstance(container, list) else container.update
            extend(saved_content)

    return undo


def _undo_buffers(model: nn.Module) -> Callable[[], None]:
    saved = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]

    def undo() -> None:
        with torch.no_grad():
            for buffer, copy in saved:
                if (buffer.shape, buffer.dtype, buffer.device) != (copy.shape, copy.dtype, copy.device):
                    buffer.data = copy
                elif not _identical(buffer, copy):
                    buffer.detach().copy_(copy)

    return undo


def _identical(a: Tensor, b: Tensor) -> bool:
    """Bit for bit, so that a NaN equals itself."""
    return a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)) and _same_nans(a, b)


def _same_nans(a: Tensor, b: Tensor) -> bool:
    return not a.is_floating_point() or torch.equal(a.isnan(), b.isnan())


def _undo_parameters(model: nn.Module) -> Callable[[], None]:
    saved = [(p, p.data, p.grad, p.requires_grad, p._post_accumulate_grad_hooks) for p in model.parameters()]

    def undo() -> None:
        for parameter, data, grad, requires_grad, hooks in saved:
            if (parameter.data_ptr(), parameter.dtype) != (data.data_ptr(), data.dtype):
                parameter.grad = None  # it may be of the dtype that the forward pass cast the model to
                parameter.data = data
            parameter.requires_grad_(requires_grad)
            parameter.grad = grad
            parameter._post_accumulate_grad_hooks = hooks

    return undo


def _undo_random() -> Callable[[], None]:
    cpu, python = torch.get_rng_state(), random.getstate()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    numpy = sys.modules.get("numpy")
    numpy_state = numpy.random.get_state() if numpy else None

    def undo() -> None:
        torch.set_rng_state(cpu)
        random.setstate(python)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        if numpy:
            numpy.random.set_state(numpy_state)

    return undo


def _undo_switches() -> Callable[[], None]:
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    now_deterministic = torch.are_deterministic_algorithms_enabled
    now_warn_only = torch.is_deterministic_algorithms_warn_only_enabled
    deterministic, warn_only = now_deterministic(), now_warn_only()
    anomaly, check_nan = torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()
    mkldnn, cudnn = torch._C._get_mkldnn_enabled(), torch.backends.cudnn.enabled

    def undo() -> None:
        torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if (now_deterministic(), now_warn_only()) != (deterministic, warn_only):  # setting it imports the compiler
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.autograd.set_detect_anomaly(anomaly, check_nan)
        torch._C._set_mkldnn_enabled(mkldnn)
        torch.backends.cudnn.enabled = cudnn

    return undo


class WriteGuard:
    """Copies a parameter just before something first writes into it, and puts the copy back at the end.

    A forward pass rarely writes into parameters (weight clamping, an optimiser step inside
    `training_step`), so copying all of them beforehand would double the memory for nothing.
    """

    def __init__(self, model: nn.Module) -> None:
        self._by_storage: dict[int, list[Tensor]] = {}
        for parameter in model.parameters():
            if not isinstance(parameter, nn.parameter.UninitializedParameter):
                pointer = _storage(parameter)
                self._by_storage.setdefault(pointer, []).append(parameter)
        self._saved: list[tuple[Tensor, Tensor]] = []

    def before_write(self, target: Any) -> None:
        """Save the parameters whose memory `target`, a tensor or a list of tensors, is about to change."""
        for tensor in target if isinstance(target, (list, tuple)) else (target,):
            if isinstance(tensor, Tensor):
                for parameter in self._by_storage.pop(_storage(tensor), ()):
                    self._saved.append((parameter, parameter.detach().clone()))

    def restore(self) -> None:
        """Undo all writes."""
        with torch.no_grad():
            for parameter, copy in self._saved:
                parameter.data.copy_(copy)  # .data, since views of it may have been written to under no_grad


def _storage(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):  # sparse and opaque tensors have no storage
        return 0

"""A snapshot of all that a check must leave alone, taken by means that gradcheck has no part in.

The scripts of `tests.hostile.fresh` use it: `held(model, batch, ...)` calls `gradcheck_cli.check` and prints one line,

- `SAME`: a report came (or the failure that was announced) and every bit is as it was;
- `TOLD: message`: a GradcheckError came that was not announced;
- `CHANGED: what`: something differs, or something came that is neither a report nor a GradcheckError.
"""

from __future__ import annotations

import collections
import gc
import io
import itertools
import logging
import os
import random
import signal
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

MISSING = object()
HOOKS = (
    "_forward_hooks _forward_pre_hooks _backward_hooks _backward_pre_hooks _state_dict_hooks _state_dict_pre_hooks "
    "_load_state_dict_pre_hooks _load_state_dict_post_hooks _forward_hooks_with_kwargs _forward_pre_hooks_with_kwargs "
    "_forward_hooks_always_called"
).split()


def bits(tensor: Tensor) -> tuple[Any, ...]:
    """Dtype, shape, layout and every bit of a tensor of any make."""
    with torch.no_grad(), torch._C.DisableTorchFunctionSubclass():
        return _bits(tensor)


def _bits(t: Tensor) -> tuple[Any, ...]:
    if isinstance(t, nn.parameter.UninitializedTensorMixin):
        return (type(t).__name__, str(t.dtype))
    head = (type(t).__name__, str(t.dtype), tuple(t.shape), str(t.layout), str(t.device))
    if t.device.type == "meta":
        return head
    if hasattr(t, "__tensor_flatten__"):
        return (*head, *(bits(getattr(t, name)) for name in t.__tensor_flatten__()[0]))
    if t.layout is torch.sparse_coo:
        return (*head, t.is_coalesced(), _bits(t._indices()), _bits(t._values()))
    if t.layout in (torch.sparse_csr, torch.sparse_bsr):
        return (*head, _bits(t.crow_indices()), _bits(t.col_indices()), _bits(t.values()))
    if t.layout is torch._mkldnn:
        return (*head, _bits(t.to_dense()))
    flat = t.detach().resolve_conj().resolve_neg().reshape(-1).contiguous()
    raw = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    return (*head, t.stride(), t.storage_offset(), t.is_conj(), t.is_neg(), t.is_inference(), raw)


def value(x: Any, seen: tuple[int, ...] = ()) -> Any:
    """What an attribute holds, as something that can be compared."""
    if id(x) in seen:
        return "itself"
    seen = (*seen, id(x))
    if isinstance(x, Tensor):
        return (bits(x), x.requires_grad, x.grad is not None and bits(x.grad)) if x.is_leaf else bits(x)
    if isinstance(x, np.ndarray):
        return ("ndarray", x.dtype.str, x.shape, x.tobytes())
    for kind, inside in _INSIDE.items():
        if isinstance(x, kind):
            return (type(x).__name__, inside(x, seen))
    if isinstance(x, type | types.FunctionType | types.BuiltinFunctionType | types.MethodType | types.ModuleType):
        return ("object", id(x))
    if hasattr(x, "__dict__"):
        return (type(x).__name__, value(vars(x), seen))
    if hasattr(type(x), "__slots__"):
        return (type(x).__name__, [value(getattr(x, s, None), seen) for s in type(x).__slots__])
    return x if isinstance(x, str | bytes | int | float | complex | None) else ("object", id(x))


def _items(x: Any, seen: tuple[int, ...]) -> list[Any]:
    return [(value(k, seen), value(v, seen)) for k, v in x.items()]


_INSIDE: dict[Any, Callable[[Any, Any], Any]] = {
    nn.Module: lambda x, seen: id(x),
    torch.Generator: lambda x, seen: bits(x.get_state()),
    random.Random: lambda x, seen: x.getstate(),
    np.random.Generator: lambda x, seen: repr(x.bit_generator.state),
    io.StringIO: lambda x, seen: (x.getvalue(), x.tell()),
    itertools.count: lambda x, seen: repr(x),
    torch.optim.Optimizer: lambda x, seen: value(x.state_dict(), seen),
    dict: _items,
    collections.UserDict: _items,
    list: lambda x, seen: [value(v, seen) for v in x],
    tuple: lambda x, seen: [value(v, seen) for v in x],
    collections.deque: lambda x, seen: [value(v, seen) for v in x],
    set: lambda x, seen: sorted(map(repr, x)),
    bytearray: lambda x, seen: bytes(x),
}


def of_model(model: nn.Module) -> dict[str, Any]:
    """Every tensor, gradient, mode, hook and attribute of a model, by name."""
    held: dict[str, Any] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        at = name or "model"
        held[f"class of {at}"] = type(module)
        for hooks in HOOKS:
            if hooks in module.__dict__:
                held[f"{hooks} of {at}"] = [(k, id(v)) for k, v in module.__dict__[hooks].items()]
        own = vars(module)
        held[f"submodules of {at}"] = [(k, id(v)) for k, v in own["_modules"].items()]
        held[f"non-persistent buffers of {at}"] = sorted(own["_non_persistent_buffers_set"])
        held[f"names of the attributes of {at}"] = sorted(own)
        for kind in ("_parameters", "_buffers"):
            held[f"{kind} of {at}"] = [(k, id(v)) for k, v in own[kind].items()]
            for key, tensor in own[kind].items():
                held |= of_tensor(tensor, f"{name}.{key}".lstrip("."))
        for key, attribute in own.items():
            if not key.startswith("_") or key.strip("_") in ("cache", "state", "it"):
                held[f"attribute {name}.{key}"] = value(attribute)
                if not isinstance(attribute, str | bytes | int | float | complex | tuple | None):
                    held[f"identity of {name}.{key}"] = id(attribute)
    return held


def of_tensor(tensor: Tensor | None, name: str) -> dict[str, Any]:
    """The bits of a parameter or buffer, its gradient's, where both live, and what hangs on it."""
    if tensor is None:
        return {name: None}
    held = {name: bits(tensor), f"requires_grad of {name}": tensor.requires_grad}
    held[f"where {name} lives"] = _place(tensor)
    if tensor.is_leaf:
        held[f"grad of {name}"] = None if tensor.grad is None else (id(tensor.grad), bits(tensor.grad))
        held[f"where the grad of {name} lives"] = None if tensor.grad is None else _place(tensor.grad)
    for hooks in ("_backward_hooks", "_post_accumulate_grad_hooks"):
        now = getattr(tensor, hooks, None)
        held[f"{hooks} of {name}"] = [(k, id(v)) for k, v in (now or {}).items()]
    held[f"attributes of {name}"] = value(dict(getattr(tensor, "__dict__", {})))
    return held


def _place(tensor: Tensor) -> Any:
    try:
        return tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.stride(), tensor.is_shared()
    except (RuntimeError, ValueError):  # no storage, or none yet
        return None


SWITCHES: dict[str, Callable[[], Any]] = {
    "default dtype": torch.get_default_dtype,
    "default device": torch.get_default_device,
    "grad mode": torch.is_grad_enabled,
    "inference mode": torch.is_inference_mode_enabled,
    "anomaly mode": lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
    "deterministic algorithms": lambda: (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    ),
    "torch threads": torch.get_num_threads,
    "print options": lambda: vars(torch._tensor_str.PRINT_OPTS).copy(),
    "autograd multithreading": torch._C._is_multithreading_enabled,
    "view replay": torch._C._is_view_replay_enabled,
    "mkldnn": torch._C._get_mkldnn_enabled,
    "nnpack": torch._C._get_nnpack_enabled,
    "opt_einsum": lambda: (torch.backends.opt_einsum.enabled, torch.backends.opt_einsum.strategy),
    "quantized engine": lambda: torch.backends.quantized.engine,
    "swap on conversion": torch.__future__.get_swap_module_params_on_conversion,
    "overwrite on conversion": torch.__future__.get_overwrite_module_params_on_conversion,
    "autocast": lambda: (torch.is_autocast_enabled("cpu"), str(torch.get_autocast_dtype("cpu"))),
    "dispatch modes": torch._C._len_torch_dispatch_stack,
    "function modes": torch._C._len_torch_function_stack,
    "checkpoint debug": lambda: torch.utils.checkpoint._checkpoint_debug_enabled,
    "default hooks of modules": lambda: [
        list(getattr(nn.modules.module, name))
        for name in (
            "_global_forward_hooks",
            "_global_forward_pre_hooks",
            "_global_backward_hooks",
            "_global_backward_pre_hooks",
            "_global_parameter_registration_hooks",
            "_global_buffer_registration_hooks",
            "_global_module_registration_hooks",
        )
    ],
    "python's random": random.getstate,
    "numpy's random": lambda: repr(np.random.get_state(legacy=False)),
    "torch's random": lambda: (bits(torch.get_rng_state()), torch.initial_seed()),
}

PROCESS: dict[str, Callable[[], Any]] = {
    "warning filters": lambda: list(warnings.filters),
    "showwarning": lambda: id(warnings.showwarning),
    "hooks of sys": lambda: [id(sys.excepthook), id(sys.displayhook), id(sys.unraisablehook), id(threading.excepthook)],
    "trace and profile": lambda: [sys.gettrace(), sys.getprofile()],
    "streams": lambda: [id(sys.stdin), id(sys.stdout), id(sys.stderr)],
    "recursion limit": sys.getrecursionlimit,
    "switch interval": sys.getswitchinterval,
    "garbage collector": lambda: (gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.get_freeze_count()),
    "signal handlers": lambda: [id(signal.getsignal(s)) for s in sorted(signal.valid_signals())],
    "timers": lambda: signal.getitimer(signal.ITIMER_REAL),
    "working folder": Path.cwd,
    "umask": lambda: _umask(),
    "environment": lambda: dict(os.environ),
    "module path": lambda: (list(sys.path), [id(f) for f in sys.meta_path]),
    "logging": lambda: [logging.root.level, list(map(id, logging.root.handlers)), logging.root.manager.disable],
    "numpy's errors": np.geterr,
    "threads of Python": lambda: sorted(t.name for t in threading.enumerate()),
}


def _umask() -> int:
    now = os.umask(0o022)
    os.umask(now)
    return now


def of_process(switches: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    return {name: look() for name, look in switches.items()}


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [k for k in before | after if not _equal(before.get(k, MISSING), after.get(k, MISSING))]


def _equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and repr(a) == repr(b)


def held(
    model: nn.Module,
    batch: Any,
    *,
    also: Callable[[], Any] = lambda: None,
    fails: bool = False,
    process: bool = False,
    check: Callable[..., Any] | None = None,
    **options: Any,
) -> Any:
    """Check `model`, print the one line, return the report or the error.

    Args:
        model: What is checked and looked at.
        batch: As for `check`; looked at as well.
        also: Gives anything else that must stay as it is.
        fails: A GradcheckError is what should come.
        process: Look at what belongs to the process, besides torch's switches and the random generators.
        check: Called in place of `gradcheck_cli.check`.
        options: For `check`.
    """
    import gradcheck_cli
    from gradcheck_cli.errors import GradcheckError

    def now() -> dict[str, Any]:
        looks = SWITCHES | PROCESS if process else SWITCHES
        return {**of_process(looks), **of_model(model), "the batch": value(batch), "what the script holds": also()}

    now()  # looking for the first time imports
    before = now()
    came: Any = None
    odd = ""
    try:
        came = (check or gradcheck_cli.check)(model, batch, **options)
    except GradcheckError as error:
        came = error
    except BaseException as error:
        odd = f"{type(error).__name__} came out: {error}".replace("\n", " ")
    changed = differences(before, now())
    failed = isinstance(came, GradcheckError)
    if odd:
        print("CHANGED:", odd)
    elif failed and not fails:
        print("TOLD:", str(came).replace("\n", " "))
    elif changed or failed != fails:
        print("CHANGED:", ", ".join(changed) or "no error came")
    else:
        print("SAME")
    return came


def plain(batch_size: int = 16) -> tuple[Tensor, Tensor]:
    """A batch of 4 numbers and one of 3 classes each."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch_size, 4, generator=generator), torch.randint(3, (batch_size,), generator=generator)


class Net(nn.Module):
    """A healthy net; what a script does to it, it does in `between`."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 3)

    def between(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.tanh(self.between(self.a(x))))


class Deep(nn.Module):
    """A net whose gradient vanishes, so that trials have something to try."""

    def __init__(self, depth: int = 12) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(depth))
        self.b = nn.Linear(4, 3)

    def between(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.sigmoid(layer(x))
        return self.b(self.between(x))


def numbers(report: Any) -> Iterator[Any]:
    """What must be equal in two reports: all but the times."""
    from dataclasses import fields

    return (getattr(report, f.name) for f in fields(report) if f.name != "seconds")

"""Torch's switches: every setting of the process or the thread that a forward pass may turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import is_
from typing import Any

import torch
from torch._C import _autograd
from torch.nn.modules import module as module_hooks
from torch.overrides import TorchFunctionMode
from torch.utils import _device, _python_dispatch, deterministic

Undo = Callable[[], None]
Switch = tuple[Callable[[], Any], Callable[[Any], Any]]
"""How to read a setting and how to make it; what was read is made again only where it reads otherwise."""


def undoing_switches() -> list[Undo]:
    """What turns every switch back to where it is now."""
    stacks = [_undo_stack(torch.overrides), _undo_stack(_python_dispatch), _undo_default_device()]
    return [*stacks, *map(_undo_switch, _switches()), _undo_saved_tensor_hooks(), _undo_global_hooks()]


def _undo_switch(switch: Switch) -> Undo:
    read, make = switch
    try:
        saved = read()
    except (RuntimeError, AttributeError):  # this build of torch does not know it
        return lambda: None

    def undo() -> None:
        if read() != saved:
            make(saved)

    return undo


def _switches() -> Iterator[Switch]:
    yield torch.get_default_dtype, torch.set_default_dtype
    yield torch.get_num_threads, torch.set_num_threads
    yield torch.is_warn_always_enabled, torch.set_warn_always
    yield _deterministic, lambda made: torch.use_deterministic_algorithms(made[0], warn_only=made[1])
    yield _attribute(deterministic, "fill_uninitialized_memory")
    yield _anomaly, lambda made: torch.autograd.set_detect_anomaly(*made)
    yield _flushes_denormals, torch.set_flush_denormal
    yield _autograd_threads, torch.autograd.set_multithreading_enabled
    yield _conversions, lambda made: _convert(*made)
    yield _printing, _print
    yield from _precisions()
    yield from _kernels()
    yield from _autocast()


def _conversions() -> tuple[bool, bool]:
    """How `module.to()` changes parameters."""
    future = torch.__future__
    return future.get_overwrite_module_params_on_conversion(), future.get_swap_module_params_on_conversion()


def _convert(overwrite: bool, swap: bool) -> None:
    torch.__future__.set_overwrite_module_params_on_conversion(overwrite)
    torch.__future__.set_swap_module_params_on_conversion(swap)


def _printing() -> dict[str, Any]:
    return dict(vars(torch._tensor_str.PRINT_OPTS))


def _print(made: dict[str, Any]) -> None:
    vars(torch._tensor_str.PRINT_OPTS).update(made)


def _precisions() -> Iterator[Switch]:
    yield torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    for name in ("allow_tf32", "allow_fp16_reduced_precision_reduction", "allow_bf16_reduced_precision_reduction"):
        yield _attribute(torch.backends.cuda.matmul, name)
    yield _attribute(torch.backends.cudnn, "allow_tf32")


def _kernels() -> Iterator[Switch]:
    for name in ("enabled", "benchmark", "deterministic", "benchmark_limit"):
        yield _attribute(torch.backends.cudnn, name)
    yield torch._C._get_mkldnn_enabled, torch._C._set_mkldnn_enabled
    yield torch._C._get_nnpack_enabled, torch._C._set_nnpack_enabled
    sdp = torch.backends.cuda
    yield sdp.flash_sdp_enabled, sdp.enable_flash_sdp
    yield sdp.math_sdp_enabled, sdp.enable_math_sdp
    yield sdp.mem_efficient_sdp_enabled, sdp.enable_mem_efficient_sdp
    if hasattr(sdp, "cudnn_sdp_enabled"):
        yield sdp.cudnn_sdp_enabled, sdp.enable_cudnn_sdp


def _autocast() -> Iterator[Switch]:
    yield torch.is_autocast_cache_enabled, torch.set_autocast_cache_enabled
    yield _nesting, _nest
    for device in ("cpu", "cuda"):
        yield _of(torch.is_autocast_enabled, torch.set_autocast_enabled, device)
        yield _of(torch.get_autocast_dtype, torch.set_autocast_dtype, device)


def _of(read: Callable[[str], Any], make: Callable[[str, Any], Any], device: str) -> Switch:
    return lambda: read(device), lambda made: make(device, made)


def _attribute(owner: Any, name: str) -> Switch:
    return lambda: getattr(owner, name), lambda made: setattr(owner, name, made)


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _anomaly() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def _autograd_threads() -> bool:
    return bool(torch._C._is_multithreading_enabled())


def _flushes_denormals() -> bool:
    """Torch does not tell, but a number too small for float64's normal range shows it."""
    return float(torch.full((1,), 1e-310, dtype=torch.float64, device="cpu").mul(1.0)[0]) == 0.0


def _nesting() -> int:
    torch.autocast_increment_nesting()
    return int(torch.autocast_decrement_nesting())


def _nest(depth: int) -> None:
    while (now := _nesting()) != depth:
        (torch.autocast_increment_nesting if now < depth else torch.autocast_decrement_nesting)()


def _undo_stack(of: Any) -> Undo:
    """Function modes (torch.overrides) or dispatch modes: those that were entered and not left are left."""
    read = getattr(of, "_get_current_function_mode_stack", None) or of._get_current_dispatch_mode_stack
    saved = list(read())

    def undo() -> None:
        now = list(read())
        if len(now) == len(saved) and all(map(is_, now, saved)):
            return
        for _ in now:
            of._pop_mode()
        for mode in saved:
            of._push_mode(mode)

    return undo


def _undo_default_device() -> Undo:
    """The function mode is on the stack of modes; this is what torch notes beside it."""
    context = torch._GLOBAL_DEVICE_CONTEXT
    missing: Any = object()
    mode: TorchFunctionMode | Any = getattr(context, "device_context", missing)
    device = _device.CURRENT_DEVICE

    def undo() -> None:
        _device.CURRENT_DEVICE = device
        if mode is not missing:
            context.device_context = mode
        elif hasattr(context, "device_context"):
            del context.device_context

    return undo


def _undo_saved_tensor_hooks() -> Undo:
    """Pack and unpack hooks that were pushed and not popped; those that were popped are pushed again."""

    def top() -> Any:
        return _autograd._top_saved_tensors_default_hooks(True)

    def alike(now: Any) -> bool:
        return now is saved or bool(now and saved and all(map(is_, now, saved)))

    saved = top()

    def undo() -> None:
        while not alike(now := top()) and now is not None:
            _autograd._pop_saved_tensors_default_hooks()
        if not alike(top()):
            _autograd._push_saved_tensors_default_hooks(*saved)

    return undo


def _undo_global_hooks() -> Undo:
    """The hooks on all modules."""
    names = [name for name in vars(module_hooks) if name.startswith("_global_")]
    saved = {name: (value, dict(value)) for name in names if isinstance(value := getattr(module_hooks, name), dict)}
    full = module_hooks._global_is_full_backward_hook

    def undo() -> None:
        module_hooks._global_is_full_backward_hook = full
        for hooks, items in saved.values():
            if hooks != items:
                hooks.clear()
                hooks.update(items)

    return undo

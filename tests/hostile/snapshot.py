"""What can be compared of a model, a batch and the process, recorded without any code of gradcheck's."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks


def bits(tensor: Tensor) -> Any:
    """Every bit of a tensor, so that -0.0 is not 0.0 and NaN payloads count."""
    with torch._C.DisableTorchFunction(), torch.no_grad():
        about = type(tensor), tensor.layout, tensor.dtype
        if nn.parameter.is_lazy(tensor) or tensor.is_meta:
            return about
        if tensor.is_nested:
            return *about, [bits(part) for part in tensor.detach().unbind()]
        if tensor.layout is torch.sparse_coo:
            return *about, bits(tensor.detach()._indices()), bits(tensor.detach()._values())
        if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
            parts = tensor.detach().crow_indices(), tensor.detach().col_indices(), tensor.detach().values()
            return *about, [bits(part) for part in parts]
        if tensor.is_quantized:
            return *about, bits(tensor.int_repr()), tensor.q_scale()
        plain = tensor.detach() if tensor.layout is torch.strided else tensor.to_dense()
        plain = plain.as_subclass(Tensor).resolve_conj().resolve_neg().contiguous().reshape(-1)
        return *about, tuple(tensor.shape), plain.view(torch.uint8).numpy().tobytes() if plain.numel() else b""


def value(found: Any, depth: int = 0) -> Any:
    """Anything that a model may keep, by content."""
    if isinstance(found, Tensor):
        return bits(found)
    if isinstance(found, np.ndarray):
        return found.tobytes(), found.shape
    if isinstance(found, torch.Generator):
        return bits(found.get_state())
    if isinstance(found, np.random.Generator):
        return str(found.bit_generator.state)
    if isinstance(found, random.Random):
        return found.getstate()
    if depth < 6 and isinstance(found, dict):
        return [(key, value(item, depth + 1)) for key, item in found.items()]
    if depth < 6 and type(found).__name__ in ("list", "tuple", "deque", "set"):
        return [value(item, depth + 1) for item in found]
    if depth < 6 and hasattr(found, "__dict__") and not isinstance(found, (nn.Module, type)) and not callable(found):
        return value(vars(found), depth + 1)
    return id(found) if callable(found) or isinstance(found, nn.Module) else found


def _hooks(tensor: Tensor) -> list[Any]:
    return [h if h is None else list(h) for h in (tensor._backward_hooks, tensor._post_accumulate_grad_hooks)]


def of_model(model: nn.Module) -> dict[str, Any]:
    """Everything about a model that can be compared with ==."""
    found: dict[str, Any] = {"modules": [(path, id(m)) for path, m in model.named_modules()]}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        found[f"values of {name}"] = id(tensor), bits(tensor)
        with torch._C.DisableTorchFunction():
            found[f"requires_grad of {name}"] = tensor.requires_grad
            found[f"grad of {name}"] = tensor.is_leaf and tensor.grad is not None and bits(tensor.grad)
            found[f"hooks of {name}"] = _hooks(tensor)
    for path, module in model.named_modules():
        for name, kept in vars(module).items():
            if name not in ("_parameters", "_buffers", "_modules"):
                found[f"attribute {path}.{name}"] = value(kept)
    return found


def of_batch(batch: Any) -> dict[str, Any]:
    """The batch's values, and what autograd knows of its tensors."""
    tensors = [t for t in (batch if isinstance(batch, (tuple, list)) else [batch]) if isinstance(t, Tensor)]
    with torch._C.DisableTorchFunction():
        known = [(t.requires_grad, t.is_leaf and t.grad is None) for t in tensors]
    return {"batch": [value(t) for t in tensors], "requires_grad or grad of the batch": known}


def _flushes_denormals() -> bool:
    return float(torch.full((1,), 1e-310, dtype=torch.float64, device="cpu").mul(1.0)[0]) == 0.0


def of_process() -> dict[str, Any]:
    """The switches and random generators of the process."""
    with torch._C.DisableTorchFunction():
        return {
            "torch rng": bits(torch.get_rng_state()),
            "python rng": random.getstate(),
            "numpy rng": str(np.random.get_state()),
            "grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
            "default dtype": torch.get_default_dtype(),
            "function modes": torch._C._len_torch_function_stack(),
            "dispatch modes": torch._C._len_torch_dispatch_stack(),
            "autocast": (
                torch.is_autocast_enabled("cpu"),
                torch.get_autocast_dtype("cpu"),
                torch.is_autocast_cache_enabled(),
            ),
            "matmul precision": torch.get_float32_matmul_precision(),
            "tf32": (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32),
            "cudnn": (
                torch.backends.cudnn.enabled,
                torch.backends.cudnn.benchmark,
                torch.backends.cudnn.deterministic,
            ),
            "sdp": (
                torch.backends.cuda.flash_sdp_enabled(),
                torch.backends.cuda.math_sdp_enabled(),
                torch.backends.cuda.mem_efficient_sdp_enabled(),
            ),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "fill uninitialised": torch.utils.deterministic.fill_uninitialized_memory,
            "denormals": _flushes_denormals(),
            "saved tensor hooks": torch._C._autograd._top_saved_tensors_default_hooks(True),
            "global hooks": {n: list(v) for n, v in vars(global_hooks).items() if n.startswith("_global_") and v},
            "warn always": torch.is_warn_always_enabled(),
            "anomaly": torch.is_anomaly_enabled(),
            "threads": torch.get_num_threads(),
            "mkldnn": torch._C._get_mkldnn_enabled(),
        }


@contextmanager
def unchanged(model: nn.Module, batch: Any) -> Iterator[None]:
    """Assert that nothing changed inside, also where it raises; names what did."""
    before = {**of_process(), **of_model(model), **of_batch(batch)}
    try:
        yield
    finally:
        after = {**of_process(), **of_model(model), **of_batch(batch)}
        changed = [key for key in {**before, **after} if before.get(key, "gone") != after.get(key, "gone")]
        assert changed == [], changed

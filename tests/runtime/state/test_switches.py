"""Every switch of the process is back where it was, whoever turned it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules import module as module_hooks
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

from gradcheck_cli.runtime.state.switches import undoing_switches


@pytest.fixture(autouse=True)
def _left_alone() -> Iterator[None]:
    """Whatever a test turns and does not turn back is turned back for the others."""
    undos = undoing_switches()
    yield
    for undo in undos:
        undo()


class Mode(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class Dispatch(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def _attribute(owner: Any, name: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    def turn() -> None:
        was = getattr(owner, name)
        setattr(owner, name, was + 1 if type(was) is int else not was)

    return lambda: getattr(owner, name), turn


def _keeps_denormals() -> bool:
    return bool(torch.full((1,), 1e-310, dtype=torch.float64).mul(1.0).view(torch.int64))


def _autocast_depth() -> int:
    torch.autocast_increment_nesting()
    return torch.autocast_decrement_nesting()


def _module_hooks() -> list[int]:
    return [id(value) for value in module_hooks._global_forward_hooks.values()]


BACKENDS = torch.backends
SWITCHES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "default dtype": (torch.get_default_dtype, lambda: torch.set_default_dtype(torch.float64)),
    "default device": (torch.get_default_device, lambda: torch.set_default_device("meta")),
    "threads": (torch.get_num_threads, lambda: torch.set_num_threads(torch.get_num_threads() + 1)),
    "warn always": (torch.is_warn_always_enabled, lambda: torch.set_warn_always(True)),
    "deterministic": (
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    ),
    "filled memory": _attribute(torch.utils.deterministic, "fill_uninitialized_memory"),
    "anomaly": (
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        lambda: torch.autograd.set_detect_anomaly(True, check_nan=False),
    ),
    "denormals": (
        _keeps_denormals,
        lambda: torch.set_flush_denormal(True),
    ),
    "autograd threads": (
        torch._C._is_multithreading_enabled,
        lambda: torch._C._set_multithreading_enabled(False),
    ),
    "matmul precision": (
        torch.get_float32_matmul_precision,
        lambda: torch.set_float32_matmul_precision("medium"),
    ),
    "cudnn": _attribute(BACKENDS.cudnn, "enabled"),
    "cudnn benchmark": _attribute(BACKENDS.cudnn, "benchmark"),
    "cudnn deterministic": _attribute(BACKENDS.cudnn, "deterministic"),
    "mkldnn": (torch._C._get_mkldnn_enabled, lambda: torch._C._set_mkldnn_enabled(False)),
    "flash": (BACKENDS.cuda.flash_sdp_enabled, lambda: BACKENDS.cuda.enable_flash_sdp(False)),
    "math": (BACKENDS.cuda.math_sdp_enabled, lambda: BACKENDS.cuda.enable_math_sdp(False)),
    "efficient": (BACKENDS.cuda.mem_efficient_sdp_enabled, lambda: BACKENDS.cuda.enable_mem_efficient_sdp(False)),
    "half reduction": _attribute(BACKENDS.cuda.matmul, "allow_fp16_reduced_precision_reduction"),
    "autocast": (lambda: torch.is_autocast_enabled("cpu"), lambda: torch.set_autocast_enabled("cpu", True)),
    "autocast cache": (torch.is_autocast_cache_enabled, lambda: torch.set_autocast_cache_enabled(False)),
    "autocast dtype": (
        lambda: torch.get_autocast_dtype("cpu"),
        lambda: torch.set_autocast_dtype("cpu", torch.float16),
    ),
    "an autocast that was entered": (
        lambda: (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"), _autocast_depth()),
        lambda: torch.autocast("cpu", torch.float16).__enter__(),
    ),
    "function modes": (torch._C._len_torch_function_stack, lambda: Mode().__enter__()),
    "dispatch modes": (_get_current_dispatch_mode_stack, lambda: Dispatch().__enter__()),
    "module hooks": (
        _module_hooks,
        lambda: module_hooks.register_module_forward_hook(lambda *_: None),
    ),
    "full backward hooks": (
        lambda: (module_hooks._global_is_full_backward_hook, len(module_hooks._global_backward_hooks)),
        lambda: module_hooks.register_module_full_backward_hook(lambda *_: None),
    ),
}


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_switch_that_was_turned_is_turned_back_as_often_as_it_is_asked_for(name: str) -> None:
    read, turn = SWITCHES[name]
    before, undos = read(), undoing_switches()
    for _ in range(2):
        turn()
        assert read() != before
        for undo in undos:
            undo()
        assert read() == before


def test_what_the_user_had_turned_stays_turned() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_warn_always(True)
    with Mode() as mode, torch.autocast("cpu", torch.bfloat16):
        undos = undoing_switches()
        torch.set_default_dtype(torch.float32)
        torch.set_warn_always(False)
        for undo in undos:
            undo()
        assert (torch.get_default_dtype(), torch.is_warn_always_enabled()) == (torch.float64, True)
        assert torch.is_autocast_enabled("cpu")
        assert torch.overrides._get_current_function_mode() is mode


def test_a_mode_that_was_left_is_entered_again() -> None:
    with Mode() as outer, Mode() as inner:
        undos = undoing_switches()
        for _ in range(2):
            torch.overrides._pop_mode()
        for undo in undos:
            undo()
        assert torch.overrides._get_current_function_mode_stack() == [outer, inner]


def test_a_default_device_of_the_users_comes_back_with_its_mode() -> None:
    with torch.device("meta"):
        undos = undoing_switches()
        torch.set_default_device("cpu")
        for undo in undos:
            undo()
        assert torch.empty(1).device.type == "meta"
    assert torch.empty(1).device.type == "cpu"


def packed() -> list[str]:
    """What the hooks on saved tensors that are in force say when one is saved."""
    said.clear()
    torch.ones(1, requires_grad=True).exp()
    return list(said)


said: list[str] = []


def hooks(name: str) -> saved_tensors_hooks:
    return saved_tensors_hooks(lambda x: said.append(name) or x, lambda x: x)


def test_saved_tensor_hooks_that_were_pushed_are_popped_and_the_users_stay() -> None:
    with hooks("the user's"):
        undos = undoing_switches()
        hooks("left behind").__enter__()
        assert packed() == ["left behind"]
        for undo in undos:
            undo()
        assert packed() == ["the user's"]
    assert packed() == []


def test_saved_tensor_hooks_that_were_popped_are_pushed_again() -> None:
    with hooks("the user's"):
        undos = undoing_switches()
        torch._C._autograd._pop_saved_tensors_default_hooks()
        assert packed() == []
        for undo in undos:
            undo()
        assert packed() == ["the user's"]


def test_global_hooks_that_were_removed_are_there_again_and_fire() -> None:
    fired: list[str] = []
    handle = module_hooks.register_module_forward_hook(lambda m, i, o: fired.append(type(m).__name__))
    try:
        undos = undoing_switches()
        module_hooks._global_forward_hooks.clear()
        for undo in undos:
            undo()
        nn.Linear(2, 1)(torch.ones(1, 2))
    finally:
        handle.remove()
    assert fired == ["Linear"]

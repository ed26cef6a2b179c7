"""What is ours is not heard nor seen by the script: what it says while a step is repeated, it has said once."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from _lsprof import Profiler
from collections.abc import Iterable, Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    contextmanager,
    nullcontext,
    redirect_stderr,
    redirect_stdout,
    suppress,
)
from typing import Any

import torch
from torch.profiler import ProfilerActivity
from torch.utils._device import DeviceContext
from torch.utils._python_dispatch import _disable_current_modes

from gradcheck_cli.watch.scriptfiles import unwritten

_functions, _dispatches = torch._C._len_torch_function_stack, torch._C._len_torch_dispatch_stack


class _Nowhere(io.TextIOBase):
    """A stream that takes everything, with the descriptor of none."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def isatty(self) -> bool:
        return False


@contextmanager
def unheard() -> Iterator[None]:
    """Inside, prints, log records, warnings and what is written to files by this process go nowhere.

    Warnings are dropped where they would be shown, and which were shown already is afterwards what it was:
    `warnings.catch_warnings` would let those come again that the script has shown.
    """
    with hushed():
        registries, version = {id(each): dict(each) for each in _registries()}, _version()
        try:
            yield
        finally:
            _put_back(registries, version)


@contextmanager
def hushed() -> Iterator[None]:
    """The same, for what the script has just done itself: there is no warning that was not shown yet."""
    shown: Any = warnings._showwarnmsg  # type: ignore[attr-defined]
    disabled = logging.root.manager.disable
    nowhere = _Nowhere()
    warnings._showwarnmsg = lambda message: None  # type: ignore[attr-defined]
    logging.disable(max(disabled, logging.CRITICAL))
    try:
        with redirect_stdout(nowhere), redirect_stderr(nowhere), unwritten(), _untraced(), _unprofiled():
            yield
    finally:
        warnings._showwarnmsg = shown  # type: ignore[attr-defined]
        logging.disable(disabled)


@contextmanager
def _untraced() -> Iterator[None]:
    """Inside, nothing of the script's is told of lines and calls, as by `sys.settrace`."""
    trace, profile = sys.gettrace(), sys.getprofile()
    sys.settrace(None)
    if isinstance(profile, Profiler):  # what cProfile has is no function that could be set again
        profile.disable()
    else:
        sys.setprofile(None)
    try:
        yield
    finally:
        if isinstance(profile, Profiler):
            profile.enable()
        else:
            sys.setprofile(profile)
        sys.settrace(trace)


@contextmanager
def _unprofiled() -> Iterator[None]:
    """Inside, torch's profiler notes no calls, where it can be told so; it warns of that by the system, unheard."""
    toggle = getattr(torch._C._autograd, "_toggle_collection_dynamic", None)
    if toggle is None or torch._C._autograd._profiler_type() != torch._C._profiler.ActiveProfilerType.KINETO:
        yield
        return
    calls = {ProfilerActivity.CPU}
    toggle(False, calls)
    try:
        yield
    finally:
        toggle(True, calls)


def has_modes() -> bool:
    """Whether there is a mode, of the script's or of a default device."""
    return _functions() > 0 or _dispatches() > 0


def without_modes() -> AbstractContextManager[None]:
    """Inside, no mode of the script's sees what torch is asked for, such as one that counts; a default device stays."""
    return _modes_off() if has_modes() else nullcontext()


@contextmanager
def _modes_off() -> Iterator[None]:
    with _disable_current_modes() if torch._C._len_torch_dispatch_stack() else nullcontext():
        modes = [torch._C._pop_torch_function_stack() for _ in range(torch._C._len_torch_function_stack())]
        _put_on(mode for mode in reversed(modes) if isinstance(mode, DeviceContext))
        try:
            yield
        finally:
            while torch._C._len_torch_function_stack():
                torch._C._pop_torch_function_stack()
            _put_on(reversed(modes))


def _put_on(modes: Iterable[Any]) -> None:
    for mode in modes:
        torch._C._push_on_torch_function_stack(mode)


def unseen() -> AbstractContextManager[None]:
    """Inside, no mode or class of tensors of the script's sees what torch is asked for: where nothing of it is run."""
    return _without_dispatch() if _dispatches() else torch._C.DisableTorchFunction()


@contextmanager
def _without_dispatch() -> Iterator[None]:
    with torch._C.DisableTorchFunction(), _disable_current_modes():
        yield


def _registries() -> Iterator[dict[Any, Any]]:
    """Where Python keeps which warnings were shown: one a module, and one for filters that say "once"."""
    modules = [getattr(module, "__dict__", {}) for module in list(sys.modules.values())]
    kept = [space.get("__warningregistry__") for space in modules]
    yield from (each for each in (*kept, warnings.onceregistry) if isinstance(each, dict))  # type: ignore[attr-defined]


def _version() -> int:
    """The number of the filters in force; a registry of another is forgotten."""
    registry: dict[Any, Any] = {}
    with suppress(Warning):  # filters may make an error of it
        warnings.warn_explicit("", PendingDeprecationWarning, "", 0, registry=registry)
    return int(registry["version"])


def _put_back(before: Mapping[int, Mapping[Any, Any]], version: int) -> None:
    now = _version()
    for registry in _registries():
        kept = dict(before.get(id(registry), {}))
        if kept.get("version") == version:
            kept["version"] = now
        registry.clear()
        registry.update(kept)

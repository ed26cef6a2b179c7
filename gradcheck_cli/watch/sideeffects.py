"""What a module's call changes beside what it returns: random generators and buffers, kept only where it does."""

from __future__ import annotations

import random
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration
from torch.nn.parameter import is_lazy

from gradcheck_cli.watch.entries import Autocast, version_of

_FRESH = 2
_AGAIN = 64
"""All is kept and compared in the first calls of a module, and in every 64th; in the others what was seen to change."""


class Generator(NamedTuple):
    """One of the process's random generators."""

    name: str
    read: Callable[[], Any]
    put: Callable[[Any], Any]


def _numpy_state() -> Any:
    numpy = sys.modules.get("numpy.random")
    return None if numpy is None else numpy.get_state()


def _put_numpy(state: Any) -> None:
    if state is not None:
        sys.modules["numpy.random"].set_state(state)


def _cuda_state() -> Any:
    return torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None


def _put_cuda(state: Any) -> None:
    if state is not None:
        torch.cuda.set_rng_state(state)


TORCH = Generator("torch", torch.get_rng_state, torch.set_rng_state)
CUDA = Generator("cuda", _cuda_state, _put_cuda)
GENERATORS = (
    TORCH,
    CUDA,
    Generator("python", random.getstate, random.setstate),
    Generator("numpy", _numpy_state, _put_numpy),
)
State = tuple[Generator, Any]


def torch_states() -> tuple[State, ...]:
    """The states of torch's own generators."""
    if torch.cuda.is_initialized():
        return (TORCH, TORCH.read()), (CUDA, CUDA.read())
    return ((TORCH, TORCH.read()),)


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and torch.equal(one, other)
    if isinstance(one, tuple):
        return isinstance(other, tuple) and len(one) == len(other) and all(map(_alike, one, other))
    if hasattr(one, "tobytes"):
        return hasattr(other, "tobytes") and one.tobytes() == other.tobytes()
    return bool(one == other)


class _Structure:
    """Counts what is registered in any module: what is known of a module's parts is stale when it has moved."""

    count = 0

    @classmethod
    def moved(cls, *registered: Any) -> None:
        cls.count += 1


def noticing_structure() -> list[Callable[[], None]]:
    """From now on, registrations are counted; what undoes that is returned."""
    made = (
        registration.register_module_module_registration_hook(_Structure.moved),
        registration.register_module_parameter_registration_hook(_Structure.moved),
        registration.register_module_buffer_registration_hook(_Structure.moved),
    )
    return [hook.remove for hook in made]


Kept = tuple[nn.Module, str, Tensor]


def _is_there(buffer: Tensor | None) -> bool:
    """Whether a buffer has values: that of a lazy module has none before the first call."""
    return buffer is not None and not is_lazy(buffer)


class SideEffectWatch:
    """What is known of one outermost module."""

    def __init__(self, module: nn.Module) -> None:
        self.module = weakref.ref(module)
        self._structure = -1
        self._calls = 0
        self._training: bool | None = None
        self._fresh = False
        self._drawing: list[Generator] = []
        self._moving: set[tuple[int, str]] = set()
        self.parameters: list[Tensor] = []
        self._buffers: list[tuple[nn.Module, str]] = []

    def before(self, module: nn.Module) -> tuple[tuple[State, ...], list[Kept], list[int]]:
        """The generators' states and the buffers that a call may change, and these buffers' versions."""
        if self._structure != _Structure.count:
            self._read(module)
        self._fresh = self._calls < _FRESH or module.training is not self._training or self._calls % _AGAIN == 0
        self._calls += 1
        self._training = module.training
        if self._fresh:
            states = tuple((generator, generator.read()) for generator in GENERATORS)
            kept = [self._kept(owner, name) for owner, name in self._buffers if _is_there(owner._buffers.get(name))]
        elif not (self._drawing or self._moving):
            return (), [], []
        else:
            states = tuple([(generator, generator.read()) for generator in self._drawing])
            kept = (
                [
                    self._kept(owner, name)
                    for owner, name in self._buffers
                    if (id(owner), name) in self._moving and _is_there(owner._buffers.get(name))
                ]
                if self._moving
                else []
            )
        return states, kept, [version_of(owner._buffers[name]) for owner, name, _ in kept]  # type: ignore[arg-type]

    def after(
        self, states: tuple[State, ...], kept: list[Kept], versions: list[int]
    ) -> tuple[tuple[State, ...], tuple[Kept, ...]]:
        """What of that the call has changed."""
        if not self._fresh:
            return states, tuple(kept)
        moved = [state for state in states if not _alike(state[0].read(), state[1])]
        self._drawing += [generator for generator, _ in moved if generator not in self._drawing]
        changed = [one for one, version in zip(kept, versions, strict=True) if _changed(one, version)]
        self._moving |= {(id(owner), name) for owner, name, _ in changed}
        return tuple(moved), tuple(changed)

    def _read(self, module: nn.Module) -> None:
        self._structure = _Structure.count
        self.parameters = list(module.parameters())
        self._buffers = list(_buffers_of(module))

    def _kept(self, owner: nn.Module, name: str) -> Kept:
        buffer = owner._buffers[name]
        assert buffer is not None
        return owner, name, buffer.detach().clone()


def _buffers_of(module: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    for owner in module.modules():
        yield from ((owner, name) for name, buffer in owner._buffers.items() if buffer is not None)


def _changed(kept: Kept, version: int) -> bool:
    """Whether a buffer was written into, or replaced; a batch norm writes without a trace in its version."""
    owner, name, before = kept
    now = owner._buffers.get(name)
    return now is None or version_of(now) != version or not torch.equal(now, before)


_regions = 0


def region_left() -> None:
    """The casts of autocast were forgotten: a new region begins."""
    global _regions  # noqa: PLW0603
    _regions += 1


def autocast_now() -> Autocast | None:
    """The state of autocast; None where it is off."""
    if not torch._C._is_any_autocast_enabled():
        return None
    devices = tuple((name, torch.is_autocast_enabled(name), torch.get_autocast_dtype(name)) for name in _devices())
    return devices, torch.is_autocast_cache_enabled(), _regions


def _devices() -> tuple[str, ...]:
    found = torch._C._get_accelerator() if hasattr(torch._C, "_get_accelerator") else torch.device("cuda")
    return ("cpu",) if found.type == "cpu" else ("cpu", found.type)

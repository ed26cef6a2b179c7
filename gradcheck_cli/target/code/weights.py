"""`--weights FILE`: load a checkpoint into the model, strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from gradcheck_cli.errors import TargetError
from gradcheck_cli.suffixes import SAFETENSORS, suffix_of
from gradcheck_cli.target.data.storage import read_pt, read_safetensors
from gradcheck_cli.words import listing

# What checkpoints keep the state_dict under, and what wrappers put before its names.
_KEYS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")


def load_weights(model: nn.Module, path: str, *, trust_pickle: bool) -> None:
    """Load the state_dict in `path` (.safetensors, or whatever torch.save wrote) into `model`.

    Raises:
        TargetError: The file cannot be read, holds no state_dict, or does not fit the model.
    """
    is_safe = suffix_of(path) == SAFETENSORS
    stored = read_safetensors(path) if is_safe else read_pt(path, trust_pickle=trust_pickle)
    state = _state_dict(stored, path)
    _add_tied(model, state)
    try:
        model.load_state_dict(state)
    except (RuntimeError, KeyError, AttributeError) as exc:
        raise _mismatch(model, state, path, exc) from exc


def _state_dict(stored: Any, path: str) -> dict[str, Any]:
    if isinstance(stored, nn.Module):
        return dict(stored.state_dict())
    for key in _KEYS:
        if isinstance(stored, Mapping) and isinstance(stored.get(key), (Mapping, nn.Module)):
            return _state_dict(stored[key], path)
    is_state = isinstance(stored, Mapping) and any(isinstance(value, torch.Tensor) for value in stored.values())
    if not is_state or not all(isinstance(key, str) for key in stored):
        raise TargetError(
            f"--weights {path} holds a {type(stored).__name__}, not a state_dict",
            hint="Save it with torch.save(model.state_dict(), PATH).",
        )
    return _without_prefix(dict(stored))


def _without_prefix(state: dict[str, Any]) -> dict[str, Any]:
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in state):
            return _without_prefix({key.removeprefix(prefix): value for key, value in state.items()})
    return state


def _add_tied(model: nn.Module, state: dict[str, Any]) -> None:
    # safetensors stores a tied parameter once, under one of its names.
    groups: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        groups.setdefault(id(parameter), []).append(name)
    for names in groups.values():
        stored = [name for name in names if name in state]
        if stored:
            state.update({name: state[stored[0]] for name in names if name not in state})


def _kind(value: Any) -> str:
    """The shape of a tensor, or what it is if it is none."""
    return str(tuple(value.shape)) if isinstance(value, torch.Tensor) else f"a {type(value).__name__}"


def _mismatch(model: nn.Module, state: Mapping[str, Any], path: str, exc: Exception) -> TargetError:
    own = model.state_dict()
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    shapes = [
        f"{name}: {_kind(state[name])} in the file, {_kind(own[name])} in the model"
        for name in own
        if name in state and getattr(state[name], "shape", None) != getattr(own[name], "shape", None)
    ]
    parts = [f"missing {listing(missing, 4)}"] if missing else []
    parts += [f"unexpected {listing(unexpected, 4)}"] if unexpected else []
    parts += [f"{len(shapes)} of another shape, first {shapes[0]}"] if shapes else []
    told = "; ".join(parts) or str(exc).splitlines()[0]
    return TargetError(
        f"--weights {path} does not fit the model: {told}",
        hint="Build the model that the weights were saved from; --set gives a factory its arguments.",
    )

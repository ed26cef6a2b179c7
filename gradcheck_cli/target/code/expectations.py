"""What torch's layers expect of their input, and how a tensor falls short of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from gradcheck_cli.target.loss.guess import described


def shortfall(module: nn.Module, given: Sequence[Any]) -> str:
    """Say what a layer expects and what it got, or "" where they agree as far as one can tell."""
    tensor = next((item for item in given if isinstance(item, torch.Tensor)), None)
    if tensor is None:
        return ""
    wanted = next((ask(module, tensor) for kind, ask in _BY_LAYER if isinstance(module, kind)), "")
    return f"it expects {wanted}, it got {described(tensor)}" if wanted else _by_weights(module, tensor)


def _linear(module: Any, tensor: torch.Tensor) -> str:
    fits = tensor.shape[-1:] == (module.in_features,)
    return "" if fits else f"a last dimension of {module.in_features} (in_features)"


def _recurrent(module: Any, tensor: torch.Tensor) -> str:
    fits = tensor.shape[-1:] == (module.input_size,)
    return "" if fits else f"a last dimension of {module.input_size} (input_size)"


def _layer_norm(module: Any, tensor: torch.Tensor) -> str:
    shape = tuple(module.normalized_shape)
    return "" if tuple(tensor.shape[-len(shape) :]) == shape else f"last dimensions {list(shape)} (normalized_shape)"


def _batch_norm(module: Any, tensor: torch.Tensor) -> str:
    fits = tensor.shape[1:2] == (module.num_features,)
    return "" if fits else f"{module.num_features} channels in dimension 1 (num_features)"


def _convolution(module: Any, tensor: torch.Tensor) -> str:
    axes = len(module.kernel_size)
    if tensor.ndim not in (axes + 1, axes + 2):
        return f"{axes + 2} dimensions (batch, channels and {axes} of space)"
    fits = tensor.shape[-axes - 1] == module.in_channels
    return "" if fits else f"{module.in_channels} channels in dimension {tensor.ndim - axes - 1} (in_channels)"


def _embedding(module: Any, tensor: torch.Tensor) -> str:
    if tensor.is_floating_point():
        return "whole numbers as indices"
    low, high = (int(tensor.min()), int(tensor.max())) if tensor.numel() else (0, 0)
    if low >= 0 and high < module.num_embeddings:
        return ""
    return f"indices from 0 to {module.num_embeddings - 1} (num_embeddings) and not {low} to {high}"


def _by_weights(module: nn.Module, tensor: torch.Tensor) -> str:
    """A mismatch of dtype or device with the layer's own weights."""
    own = next(module.parameters(recurse=False), None)
    if own is None:
        return ""
    if own.device != tensor.device:
        return f"its weights are on {own.device}, it got a tensor on {tensor.device}"
    if own.dtype != tensor.dtype and not isinstance(module, nn.Embedding):
        return f"its weights are {str(own.dtype).removeprefix('torch.')}, it got {described(tensor)}"
    return ""


_BY_LAYER: tuple[tuple[type[nn.Module], Callable[[Any, torch.Tensor], str]], ...] = (
    (nn.Linear, _linear),
    (_ConvNd, _convolution),
    (nn.Embedding, _embedding),
    (nn.RNNBase, _recurrent),
    (nn.LayerNorm, _layer_norm),
    (_BatchNorm, _batch_norm),
)

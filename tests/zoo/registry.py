"""The record of one architecture and the decorator that registers it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a zoo that needs the network is not a test

Step = Callable[[nn.Module, Any], torch.Tensor]
Built = tuple[nn.Module, Any, Step]
Build = Callable[[], Built]


@dataclass(frozen=True)
class Architecture:
    """One real model: `build()` returns (model, batch, step), the same ones at every call."""

    name: str
    library: str
    build: Build
    learning_rate: float = 1e-3  # with which AdamW proves that the model trains
    published: bool = False  # at its published size, seconds a pass: for the sweep alone


REGISTRY: dict[str, Architecture] = {}
ABSENT: set[str] = set()  # the libraries that are not installed: their architectures are not registered
PACKAGES = {  # where the package is not called like the library
    "pytorch-crf": "torchcrf",
    "s5-pytorch": "s5",
    "itransformer": "iTransformer",
    "neuraloperator": "neuralop",
}


def installed(library: str) -> bool:
    """Whether a library can be imported, found out without importing it."""
    return find_spec(PACKAGES.get(library, library.replace("-", "_"))) is not None


def architecture(
    name: str, library: str, learning_rate: float = 1e-3, published: bool = False
) -> Callable[[Build], Build]:
    """Register a builder under a name if its library is installed; it runs with the seed set."""

    def register(build: Build) -> Build:
        def seeded() -> Built:
            torch.manual_seed(0)
            return build()

        if name in REGISTRY:
            raise ValueError(f"two architectures are called {name}")
        if installed(library):
            REGISTRY[name] = Architecture(name, library, seeded, learning_rate, published)
        else:
            ABSENT.add(library)
        return build

    return register

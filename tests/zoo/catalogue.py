"""Which libraries the zoo draws on, all its architectures, and the slice of them that CI runs."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from .registry import REGISTRY, Architecture

# The package that each module of the zoo needs.
MODULES = {
    "torch_zoo": "torch",
    "transformers_zoo": "transformers",
    "transformers_media_zoo": "transformers",
    "geometric_zoo": "torch_geometric",
}


def load() -> tuple[str, ...]:
    """Import the modules whose library is installed; return the libraries that are not."""
    missing = []
    for module, package in MODULES.items():
        if find_spec(package) is None:
            missing.append(package)
        else:
            import_module(f".{module}", __package__)
    return tuple(missing)


MISSING = load()
ARCHITECTURES: tuple[Architecture, ...] = tuple(REGISTRY.values())
SLICE: tuple[str, ...] = (
    "torch-lstm",
    "torch-gru-bidirectional",
    "torch-rnn-packed",
    "torch-rnn-cell-loop",
    "torch-transformer",
    "torch-transformer-encoder-prenorm",
    "torch-sdpa-gpt",
    "torch-mlp-relu",
    "torch-mlp-batchnorm",
    "torch-vgg",
    "gpt2",
    "llama",
    "mixtral",
    "mamba",
    "rwkv",
    "gemma2",
    "bert",
    "roberta",
    "albert",
    "distilbert",
    "deberta",
    "electra",
    "opt",
    "bloom",
    "xlnet",
)

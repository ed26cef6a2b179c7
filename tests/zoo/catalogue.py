"""All the architectures of the zoo, and the slice of them that CI runs."""

from __future__ import annotations

from . import (  # noqa: F401 - importing them fills the registry
    diffusers_zoo,
    geometric_zoo,
    lightning_zoo,
    misc_zoo,
    monai_zoo,
    torch_zoo,
    transformers_media_zoo,
    transformers_zoo,
)
from .registry import ABSENT, REGISTRY, Architecture

LIBRARIES: tuple[str, ...] = tuple(sorted({a.library for a in REGISTRY.values()} | ABSENT))
MISSING: tuple[str, ...] = tuple(sorted(ABSENT))
ARCHITECTURES: tuple[Architecture, ...] = tuple(REGISTRY.values())
SLICE: tuple[str, ...] = (
    "torch-lstm",
    "torch-gru-bidirectional",
    "torch-rnn-packed",
    "torch-rnn-cell-loop",
    "torch-transformer",
    "torch-sdpa-gpt",
    "torch-mlp-relu",
    "torch-vgg",
    "gpt2",
    "llama",
    "mixtral",
    "mamba",
    "rwkv",
    "bert",
    "albert",
    "t5",
    "bart",
    "vit",
    "swin",
    "resnet",
    "segformer",
    "detr",
    "wav2vec2",
    "whisper",
    "clip",
    "llava",
    "patchtst",
    "vit-mae",
    "pyg-gcn",
    "pyg-gat",
    "pyg-gcnii",
    "pyg-gps",
    "pyg-schnet",
    "monai-unet-residual",
    "monai-unetr",
    "monai-variational-autoencoder",
    "diffusers-unet",
    "diffusers-dit",
    "diffusers-autoencoder-kl",
    "lightning-image-classifier",
    "lightning-variational-autoencoder",
    "rtdl-ft-transformer",
    "neural-ode-rk4",
    "zuko-maf",
    "x-transformers-rotary-swiglu",
)

"""Diffusers: denoising networks trained to find the noise, and the autoencoders below them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .registry import Built, Step, architecture

LIBRARY = "diffusers"
BATCH = 2
Batch = dict[str, Any]


def denoise(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Mean squared error of the noise; a model that learns its variance returns twice the channels."""
    output = model(**batch["inputs"], return_dict=False)[0]
    return F.mse_loss(output[:, : batch["noise"].shape[1]], batch["noise"])


def noisy(*shape: int, key: str = "sample", time: str = "timestep", **extra: torch.Tensor) -> Batch:
    """Half a smooth image, half noise, the time, and what else the model takes."""
    coarse = torch.randn(BATCH, shape[0], *[max(2, s // 8) for s in shape[1:]])
    image = F.interpolate(coarse, size=shape[1:])
    noise = torch.randn(BATCH, *shape)
    return {
        "inputs": {key: (image + noise) / 2**0.5, time: torch.tensor([300, 500]), **extra},
        "noise": noise,
    }


def text(width: int, length: int = 8) -> torch.Tensor:
    """A text encoder's output."""
    return torch.randn(BATCH, length, width)


def denoiser(name: str, model: str, batch: Callable[[], Batch], **settings: Any) -> None:
    @architecture(f"diffusers-{name}", LIBRARY)
    def build() -> Built:
        import diffusers

        return getattr(diffusers, model)(**settings).train(), batch(), denoise


UNET = {"block_out_channels": (16, 32), "layers_per_block": 1, "norm_num_groups": 8, "sample_size": 16}
LATENT = UNET | {"in_channels": 4, "out_channels": 4, "cross_attention_dim": 32, "attention_head_dim": 8}
TRANSFORMER = {"num_attention_heads": 4, "attention_head_dim": 12, "num_layers": 2, "in_channels": 4}

denoiser(
    "unet",
    "UNet2DModel",
    lambda: noisy(3, 16, 16),
    **UNET,
    attention_head_dim=8,
    down_block_types=("DownBlock2D", "AttnDownBlock2D"),
    up_block_types=("AttnUpBlock2D", "UpBlock2D"),
)
denoiser(
    "unet-classes",
    "UNet2DModel",
    lambda: noisy(3, 16, 16, class_labels=torch.tensor([1, 2])),
    **UNET,
    attention_head_dim=8,
    num_class_embeds=4,
    down_block_types=("DownBlock2D", "AttnDownBlock2D"),
    up_block_types=("AttnUpBlock2D", "UpBlock2D"),
)
denoiser(
    "stable-diffusion-unet",
    "UNet2DConditionModel",
    lambda: noisy(4, 16, 16, encoder_hidden_states=text(32)),
    **LATENT,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
)
denoiser(
    "unet-1d",
    "UNet1DModel",
    lambda: noisy(2, 64),
    in_channels=2,
    out_channels=2,
    sample_size=64,
    block_out_channels=(16, 32, 32),
    extra_in_channels=32,
)
denoiser(
    "unet-3d",
    "UNet3DConditionModel",
    lambda: noisy(4, 2, 16, 16, encoder_hidden_states=text(32)),
    **LATENT,
    down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
    up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
)
denoiser(
    "dit",
    "DiTTransformer2DModel",
    lambda: noisy(4, 16, 16, key="hidden_states", class_labels=torch.tensor([1, 2])),
    **TRANSFORMER,
    out_channels=4,
    sample_size=16,
    norm_num_groups=4,
    num_embeds_ada_norm=1000,
)
denoiser(
    "pixart",
    "PixArtTransformer2DModel",
    lambda: noisy(4, 16, 16, key="hidden_states", encoder_hidden_states=text(32)),
    **TRANSFORMER,
    out_channels=8,
    sample_size=16,
    cross_attention_dim=48,
    caption_channels=32,
    use_additional_conditions=False,
)
denoiser(
    "stable-diffusion-3",
    "SD3Transformer2DModel",
    lambda: noisy(
        4,
        16,
        16,
        key="hidden_states",
        encoder_hidden_states=text(32),
        pooled_projections=torch.randn(BATCH, 24),
    ),
    **TRANSFORMER,
    out_channels=4,
    sample_size=16,
    patch_size=2,
    joint_attention_dim=32,
    caption_projection_dim=48,
    pooled_projection_dim=24,
    pos_embed_max_size=16,
)
denoiser(
    "auraflow",
    "AuraFlowTransformer2DModel",
    lambda: noisy(4, 16, 16, key="hidden_states", encoder_hidden_states=text(32)),
    sample_size=16,
    in_channels=4,
    out_channels=4,
    num_mmdit_layers=1,
    num_single_dit_layers=1,
    num_attention_heads=4,
    attention_head_dim=16,
    joint_attention_dim=32,
    caption_projection_dim=64,
    pos_embed_max_size=64,
)
denoiser(
    "sana",
    "SanaTransformer2DModel",
    lambda: noisy(4, 16, 16, key="hidden_states", encoder_hidden_states=text(32)),
    **TRANSFORMER,
    out_channels=4,
    sample_size=16,
    caption_channels=32,
    cross_attention_dim=48,
    num_cross_attention_heads=4,
    cross_attention_head_dim=12,
)
denoiser(
    "wan",
    "WanTransformer3DModel",
    lambda: noisy(4, 2, 8, 8, key="hidden_states", encoder_hidden_states=text(32)),
    num_attention_heads=4,
    attention_head_dim=12,
    in_channels=4,
    out_channels=4,
    text_dim=32,
    freq_dim=32,
    ffn_dim=96,
    num_layers=2,
)
denoiser(
    "cogview3",
    "CogView3PlusTransformer2DModel",
    lambda: noisy(
        4,
        16,
        16,
        key="hidden_states",
        encoder_hidden_states=text(32),
        **{k: torch.tensor([[16.0, 16.0]] * BATCH) for k in ("original_size", "target_size")},
        crop_coords=torch.zeros(BATCH, 2),
    ),
    **TRANSFORMER,
    out_channels=4,
    text_embed_dim=32,
    time_embed_dim=32,
    condition_dim=16,
    sample_size=16,
    pos_embed_max_size=16,
)
denoiser(
    "latte",
    "LatteTransformer3DModel",
    lambda: noisy(4, 2, 8, 8, key="hidden_states", encoder_hidden_states=text(32)),
    **TRANSFORMER,
    out_channels=4,
    sample_size=8,
    patch_size=2,
    caption_channels=32,
    cross_attention_dim=48,
    video_length=2,
    norm_type="ada_norm_single",
)


def flux_batch() -> Batch:
    batch = noisy(
        16, 16, key="hidden_states", encoder_hidden_states=text(32), pooled_projections=torch.randn(BATCH, 24)
    )
    places = torch.stack(torch.meshgrid(torch.zeros(1), torch.arange(4.0), torch.arange(4.0), indexing="ij"), -1)
    batch["inputs"] |= {"img_ids": places.view(16, 3), "txt_ids": torch.zeros(8, 3)}
    batch["inputs"]["timestep"] = torch.tensor([0.3, 0.5])
    return batch


def flux_denoise(model: nn.Module, batch: Batch) -> torch.Tensor:
    return F.mse_loss(model(**batch["inputs"], return_dict=False)[0], batch["noise"])


@architecture("diffusers-flux", LIBRARY)
def flux() -> Built:
    from diffusers import FluxTransformer2DModel

    model = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=4,
        joint_attention_dim=32,
        pooled_projection_dim=24,
        axes_dims_rope=(4, 6, 6),
    )
    return model, flux_batch(), flux_denoise


# --- autoencoders ------------------------------------------------------------------------------


def reconstruct(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """Mean squared error against the input, by way of the mean of the code."""
    output = model(batch)
    return F.mse_loss(output.sample, batch) + 0.1 * (getattr(output, "commit_loss", None) or 0.0)


def reconstruct_directly(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """Without AutoencoderTiny's forward, which rounds the code to bytes and so never trains the encoder."""
    return F.mse_loss(model.decode(model.encode(batch).latents).sample, batch)


def smooth(*shape: int) -> torch.Tensor:
    coarse = torch.randn(BATCH, shape[0], *[max(1, s // 8) for s in shape[1:]])
    return F.interpolate(coarse, size=shape[1:])


def autoencoder(name: str, model: str, shape: tuple[int, ...], step: Step = reconstruct, **settings: Any) -> None:
    @architecture(f"diffusers-{name}", LIBRARY)
    def build() -> Built:
        import diffusers

        return getattr(diffusers, model)(**settings).train(), smooth(*shape), step


TWO_BLOCKS = {
    "down_block_types": ("DownEncoderBlock2D", "DownEncoderBlock2D"),
    "up_block_types": ("UpDecoderBlock2D", "UpDecoderBlock2D"),
    "block_out_channels": (16, 32),
    "norm_num_groups": 8,
    "latent_channels": 4,
}

autoencoder("autoencoder-kl", "AutoencoderKL", (3, 32, 32), **TWO_BLOCKS)
autoencoder("vq-model", "VQModel", (3, 32, 32), **TWO_BLOCKS, num_vq_embeddings=32)
autoencoder(
    "autoencoder-tiny",
    "AutoencoderTiny",
    (3, 32, 32),
    reconstruct_directly,
    encoder_block_out_channels=(16, 16),
    decoder_block_out_channels=(16, 16),
    num_encoder_blocks=(1, 1),
    num_decoder_blocks=(1, 1),
)
autoencoder(
    "autoencoder-oobleck",
    "AutoencoderOobleck",
    (1, 512),
    encoder_hidden_size=16,
    decoder_channels=16,
    downsampling_ratios=[2, 4],
    channel_multiples=[1, 2],
    decoder_input_channels=8,
    audio_channels=1,
)
autoencoder(
    "autoencoder-asymmetric",
    "AsymmetricAutoencoderKL",
    (3, 32, 32),
    down_block_types=("DownEncoderBlock2D",),
    down_block_out_channels=(16,),
    up_block_types=("UpDecoderBlock2D",),
    up_block_out_channels=(16,),
    norm_num_groups=8,
)

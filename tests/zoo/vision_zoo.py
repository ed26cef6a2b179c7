"""Vision in smaller libraries: segmentation networks, variants of the vision transformer, diffusion."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .registry import Built, architecture

BATCH, CLASSES = 8, 4
Batch = tuple[torch.Tensor, ...]


def pictures(size: int, count: int = BATCH) -> torch.Tensor:
    """Smooth random colours with some noise, as photographs have."""
    smooth = F.interpolate(torch.randn(count, 3, 4, 4), size=(size, size), mode="bilinear")
    return smooth + 0.1 * torch.randn_like(smooth)


def labelled(size: int = 32) -> Batch:
    return pictures(size), torch.arange(BATCH) % CLASSES


def classify(model: nn.Module, batch: Batch) -> torch.Tensor:
    images, labels = batch
    return F.cross_entropy(model(images), labels)


# --- segmentation ------------------------------------------------------------------------------

SEGMENTATION = "segmentation-models-pytorch"


def regions(size: int = 64, count: int = 4) -> Batch:
    """Pictures in which every region has a colour of its own, with noise; and the regions."""
    labels = F.interpolate(torch.randint(3, (count, 1, 4, 4)).float(), size=size).long()[:, 0]
    colours = torch.randn(3, 3)[labels].permute(0, 3, 1, 2)
    return colours + 0.3 * torch.randn_like(colours), labels


def dice(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Dice and cross-entropy, as in the library's examples."""
    from segmentation_models_pytorch.losses import DiceLoss

    images, labels = batch
    logits = model(images)
    return DiceLoss("multiclass")(logits, labels) + F.cross_entropy(logits, labels)


def focal(model: nn.Module, batch: Batch) -> torch.Tensor:
    from segmentation_models_pytorch.losses import FocalLoss

    images, labels = batch
    return FocalLoss("multiclass")(model(images), labels)


def segment(name: str, network: str, encoder: str = "resnet18", loss: Any = dice, **settings: Any) -> None:
    @architecture(f"smp-{name}", SEGMENTATION)
    def build() -> Built:
        import segmentation_models_pytorch

        cls = getattr(segmentation_models_pytorch, network)
        return cls(encoder, encoder_weights=None, classes=3, **settings).train(), regions(), loss


SHALLOW = {"encoder_depth": 4, "decoder_channels": (64, 32, 32, 16)}
segment("unet", "Unet", **SHALLOW)
segment(
    "unet-attention",
    "Unet",
    "mobilenet_v2",
    focal,
    decoder_attention_type="scse",
    decoder_channels=(64, 32, 32, 16, 16),
)
segment("unet-plus-plus", "UnetPlusPlus", **SHALLOW)
segment("manet", "MAnet", **SHALLOW)
segment("linknet", "Linknet", encoder_depth=4)
segment("fpn", "FPN", "efficientnet-b0", decoder_pyramid_channels=64, decoder_segmentation_channels=32)
segment("pspnet", "PSPNet", psp_out_channels=64)
segment("deeplabv3-plus", "DeepLabV3Plus", "mobilenet_v2", decoder_channels=64)
segment("upernet", "UPerNet", "mobilenet_v2", decoder_channels=32)
segment("segformer", "Segformer", "mit_b0", decoder_segmentation_channels=64)

# --- vision transformers -------------------------------------------------------------------------

VIT = "vit-pytorch"
PLAIN = {"image_size": 32, "patch_size": 8, "num_classes": CLASSES, "dim": 48, "depth": 3, "heads": 4, "mlp_dim": 96}


def vit(name: str, module: str, network: str, size: int = 32, **settings: Any) -> None:
    @architecture(f"vit-pytorch-{name}", VIT)
    def build() -> Built:
        cls = getattr(import_module(f"vit_pytorch.{module}"), network)
        return cls(**settings).train(), labelled(size), classify


for variant, network_name in {
    "vit": "ViT",
    "simple_vit": "SimpleViT",
    "deepvit": "DeepViT",
    "vit_for_small_dataset": "ViT",
    "parallel_vit": "ViT",
    "vit_with_patch_merger": "ViT",
    "normalized_vit": "nViT",
    "simple_vit_with_qk_norm": "SimpleViT",
    "simple_vit_with_register_tokens": "SimpleViT",
    "simple_vit_with_value_residual": "SimpleViT",
}.items():
    vit(variant.replace("_", "-"), variant, network_name, **PLAIN)

vit("cait", "cait", "CaiT", **PLAIN, cls_depth=2)
vit("adaptive-token-sampling", "ats_vit", "ViT", **PLAIN, max_tokens_per_depth=(16, 8, 4))
vit(
    "xcit",
    "xcit",
    "XCiT",
    **PLAIN,
    cls_depth=2,
)
vit("hyper-connections", "simple_vit_with_hyper_connections", "SimpleViT", **PLAIN, num_residual_streams=2)
vit("pit", "pit", "PiT", **PLAIN | {"depth": (1, 1)})
vit(
    "compact",
    "cct",
    "CCT",
    img_size=32,
    embedding_dim=48,
    num_layers=3,
    num_heads=4,
    mlp_ratio=2,
    num_classes=CLASSES,
    kernel_size=3,
    stride=1,
    padding=1,
    positional_embedding="learnable",
)
vit(
    "nest", "nest", "NesT", image_size=32, patch_size=4, dim=32, heads=2, num_hierarchies=2, block_repeats=(1, 2),
    num_classes=CLASSES,
)  # fmt: skip
vit(
    "levit",
    "levit",
    "LeViT",
    64,
    image_size=64,
    num_classes=CLASSES,
    stages=2,
    dim=(32, 48),
    depth=1,
    heads=2,
    mlp_mult=2,
)
vit(
    "cvt", "cvt", "CvT", 64, num_classes=CLASSES, s1_emb_dim=16, s2_emb_dim=32, s2_heads=2, s2_depth=1, s3_emb_dim=48,
    s3_heads=2, s3_depth=2,
)  # fmt: skip
vit("max-vit", "max_vit", "MaxViT", 64, num_classes=CLASSES, dim=32, dim_head=16, depth=(1, 1), window_size=4)
vit(
    "sep-vit",
    "sep_vit",
    "SepViT",
    112,
    num_classes=CLASSES,
    dim=16,
    dim_head=16,
    depth=(1, 1, 1),
    heads=(1, 2, 4),
)
vit(
    "scalable-vit",
    "scalable_vit",
    "ScalableViT",
    64,
    num_classes=CLASSES,
    dim=24,
    heads=(1, 2, 4),
    depth=(1, 1, 2),
    ff_expansion_factor=2,
    reduction_factor=(4, 2, 1),
    window_size=(8, 4, 2),
)
vit(
    "crossformer",
    "crossformer",
    "CrossFormer",
    64,
    num_classes=CLASSES,
    dim=(32, 32, 48, 64),
    depth=1,
    global_window_size=(4, 2, 2, 1),
    local_window_size=(4, 4, 2, 1),
)
vit(
    "regionvit",
    "regionvit",
    "RegionViT",
    64,
    num_classes=CLASSES,
    dim=(32, 32, 64, 64),
    depth=1,
    window_size=2,
    local_patch_size=4,
)
vit(
    "mobile-vit",
    "mobile_vit",
    "MobileViT",
    64,
    image_size=(64, 64),
    num_classes=CLASSES,
    dims=[32, 48, 64],
    channels=[16, 16, 24, 24, 32, 32, 48, 48, 64, 64, 128],
)
vit(
    "look-vit",
    "look_vit",
    "LookViT",
    image_size=32,
    num_classes=CLASSES,
    dim=48,
    depth=2,
    patch_size=8,
    heads=4,
    dim_head=12,
    highres_patch_size=4,
    cross_attn_heads=4,
    cross_attn_dim_head=12,
    patch_conv_kernel_size=3,
)


@architecture("vit-pytorch-video", VIT)
def video() -> Built:
    from vit_pytorch.vivit import ViViT

    sizes = {"spatial_depth": 2, "temporal_depth": 2, "frames": 4, "image_patch_size": 8, "frame_patch_size": 2}
    plain = {key: value for key, value in PLAIN.items() if key not in ("patch_size", "depth")}
    clips = pictures(32, BATCH * 4).view(BATCH, 4, 3, 32, 32).transpose(1, 2)
    return ViViT(**plain, **sizes), (clips, torch.arange(BATCH) % CLASSES), classify


# --- other layers for pictures ---------------------------------------------------------------------


@architecture("g-mlp", "g-mlp-pytorch")
def g_mlp() -> Built:
    from g_mlp_pytorch import gMLPVision

    return gMLPVision(image_size=32, patch_size=8, num_classes=CLASSES, dim=48, depth=4), labelled(), classify


@architecture("mlp-mixer", "mlp-mixer-pytorch")
def mlp_mixer() -> Built:
    from mlp_mixer_pytorch import MLPMixer

    model = MLPMixer(image_size=32, channels=3, patch_size=8, dim=48, depth=4, num_classes=CLASSES)
    return model, labelled(), classify


def with_attention(make: Any) -> nn.Module:
    """A small convolutional classifier with a layer of attention between pixels in its middle."""
    stem = [nn.Conv2d(3, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU()]
    tail = [nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 48, 3, 2, 1), nn.ReLU()]
    return nn.Sequential(*stem, make(), *tail, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, CLASSES))


@architecture("halonet", "halonet-pytorch")
def halonet() -> Built:
    from halonet_pytorch import HaloAttention

    return (
        with_attention(lambda: HaloAttention(dim=32, block_size=4, halo_size=2, dim_head=16, heads=2)),
        labelled(),
        classify,
    )


@architecture("lambda-network", "lambda-networks")
def lambda_network() -> Built:
    from lambda_networks import LambdaLayer

    return (
        with_attention(lambda: LambdaLayer(dim=32, dim_out=32, r=7, dim_k=16, heads=4, dim_u=1)),
        labelled(),
        classify,
    )


@architecture("axial-attention", "axial-attention")
def axial() -> Built:
    from axial_attention import AxialAttention

    return with_attention(lambda: AxialAttention(dim=32, dim_index=1, heads=4, num_dimensions=2)), labelled(), classify


@architecture("x-unet", "x-unet")
def x_unet() -> Built:
    from x_unet import XUnet

    model = XUnet(
        dim=16,
        channels=3,
        out_dim=3,
        dim_mults=(1, 2),
        num_blocks_per_stage=(1, 1),
        num_self_attn_per_stage=(0, 1),
        nested_unet_depths=(1, 0),
        nested_unet_dim=8,
    )
    return model, regions(32), lambda m, b: F.cross_entropy(m(b[0]), b[1])


@architecture("denoising-diffusion", "denoising-diffusion-pytorch")
def denoising_diffusion() -> Built:
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet

    model = GaussianDiffusion(Unet(dim=16, dim_mults=(1, 2), flash_attn=False), image_size=16, timesteps=100)
    return model, (pictures(16).sigmoid(),), lambda m, b: m(b[0])


@architecture("slot-attention", "slot-attention", learning_rate=3e-3)
def slot_attention() -> Built:
    from slot_attention import SlotAttention

    class Autoencoder(nn.Module):
        """Slots compete for the pixels; each paints a picture and its share of every pixel."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(nn.Conv2d(3, 32, 5, padding=2), nn.ReLU(), nn.Conv2d(32, 32, 5, 2, 2))
            self.slots = SlotAttention(num_slots=4, dim=32, iters=3)
            self.decoder = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 4 * 16 * 16))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            slots = self.slots(self.encoder(images).flatten(2).transpose(1, 2))
            colours, masks = self.decoder(slots).unflatten(-1, (4, 16, 16)).split([3, 1], 2)
            return (colours * masks.softmax(1)).sum(1)

    return Autoencoder(), (pictures(16),), lambda m, b: F.mse_loss(m(b[0]), b[0])

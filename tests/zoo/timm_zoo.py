"""timm: image classifiers, small ones and a few at the size that they were published with."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .registry import Built, architecture

LIBRARY = "timm"
BATCH, CLASSES = 8, 4


def pictures(count: int, size: int) -> torch.Tensor:
    """Smooth random colours with some noise, as photographs have."""
    coarse = torch.randn(count, 3, 4, 4)
    smooth = F.interpolate(coarse, size=(size, size), mode="bilinear")
    return smooth + 0.1 * torch.randn_like(smooth)


def classify(model: nn.Module, batch: Any) -> torch.Tensor:
    """Cross-entropy; a distilled model has two heads in training, each with its own."""
    images, labels = batch
    logits = model(images)
    heads = logits if isinstance(logits, tuple) else (logits,)
    return sum(F.cross_entropy(head, labels) for head in heads) / len(heads)


def register(name: str, model: str, size: int = 64, learning_rate: float = 1e-3, **settings: Any) -> None:
    """A network by timm's name for it; the settings make it smaller."""

    @architecture(f"timm-{name}", LIBRARY, learning_rate)
    def build() -> Built:
        import timm

        network = timm.create_model(model, num_classes=CLASSES, **settings).train()
        return network, (pictures(BATCH, size), torch.arange(BATCH) % CLASSES), classify


# --- convolutional networks at the smallest size that timm knows -----------------------------------

for network_name in """
    convnext_atto convnextv2_atto cs3darknet_s cspnext_tiny densenet121 dla34 dla46x_c dpn48b
    efficientnet_b0_gn efficientnet_lite0 mnasnet_small mixnet_s tinynet_e efficientnetv2_rw_t spnasnet_100
    mobilenetv2_050 ghostnet_050 ghostnetv2_100 ghostnetv3_050 hgnetv2_b0 hrnet_w18_small
    inception_next_atto lcnet_050 lcnetv2_small mobilenetv3_small_050 fbnetv3_b mobilenetv4_conv_small_050
    nf_regnet_b0 regnety_002 regnetz_005 repvgg_a0 mobileone_s0
    resnest14d resnet18 ecaresnet26t seresnext26d_32x4d resnetv2_18 rexnet_100
    skresnet18 starnet_s1 ese_vovnet19b_slim_dw gernet_s eca_resnext26ts
    fasternet_t0 mambaout_femto
""".split():
    register(network_name.replace("_", "-"), network_name)

ONE_EACH = {"layers": (1, 1, 1, 1)}
register("res2net", "res2net50_14w_8s", **ONE_EACH)
register("resnet-rs", "resnetrs50", **ONE_EACH)

# --- convolution with attention, and other mixtures ------------------------------------------------

for network_name in """
    edgenext_xx_small efficientvim_m1 efficientvit_b0 fastvit_t8 iformer_t mobilevit_xxs mobilevitv2_050 pvt_v2_b0
    repvit_m0_9 shvit_s1 swiftformer_xs mobilenetv4_hybrid_medium cpubone_b0_bfrobust csatv2 lowformer_b0
""".split():
    register(network_name.replace("_", "-"), network_name)

for network_name in """
    botnet26t_256 coat_lite_tiny coatnet_nano_rw_224 maxvit_pico_rw_256 efficientformerv2_s0
    efficientvit_m0 gcvit_xxtiny levit_128s levit_conv_128s pit_ti_224 visformer_tiny
""".split():
    plain_name = network_name.removesuffix("_224").removesuffix("_256")
    register(plain_name.replace("_", "-"), network_name, img_size=64)

WINDOWS = {
    "img_size": 64,
    "window_size": 4,
    "embed_dim": 24,
    "depths": (1, 1, 2, 1),
    "num_heads": (1, 2, 4, 4),
}
register("swin", "swin_tiny_patch4_window7_224", **WINDOWS)
register("swin-v2", "swinv2_tiny_window8_256", **WINDOWS)
register("swin-v2-cr", "swinv2_cr_tiny_224", **WINDOWS)
register("davit", "davit_tiny", depths=(1, 1, 1, 1), embed_dims=(32, 64, 96, 128), num_heads=(1, 2, 3, 4))
register("hiera", "hiera_tiny_224", img_size=(64, 64), embed_dim=32, num_heads=1, stages=(1, 1, 2, 1))
register(
    "sequencer",
    "sequencer2d_s",
    img_size=64,
    layers=(1, 1, 1, 1),
    embed_dims=(48, 96, 96, 96),
    hidden_sizes=(12, 24, 24, 24),
)
register("twins-svt", "twins_svt_small", img_size=64, depths=(1, 1, 2, 1), embed_dims=(32, 64, 64, 96))
register("vit-hybrid", "vit_tiny_r_s16_p8_224", img_size=64, embed_dim=48, depth=3, num_heads=4)

# --- vision transformers ---------------------------------------------------------------------------

PLAIN = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 3, "num_heads": 4}
for network_name, timm_name in {
    "vit": "vit_tiny_patch16_224",
    "vit-siglip": "vit_base_patch16_siglip_224",
    "vit-rope": "vit_base_patch16_rope_reg1_gap_256",
    "vit-dinov3": "vit_small_patch16_dinov3",
    "vit-registers": "vit_little_patch16_reg4_gap_256",
    "vit-differential": "vit_dpwee_patch16_reg1_gap_256",
    "vit-relative": "vit_relpos_small_patch16_224",
    "vit-shared-relative": "vit_srelpos_small_patch16_224",
    "vit-intern": "vit_intern300m_patch14_448",
    "flexivit": "flexivit_small",
    "perception-encoder": "vit_pe_core_tiny_patch16_384",
    "aimv2": "aimv2_large_patch14_224",
    "beit": "beit_base_patch16_224",
    "beit3": "beit3_base_patch16_224",
    "cait": "cait_xxs24_224",
    "convit": "convit_tiny",
    "deit3": "deit3_small_patch16_224",
    "deit-distilled": "deit_tiny_distilled_patch16_224",
    "eva02": "eva02_tiny_patch14_224",
}.items():
    register(network_name, timm_name, 32, **PLAIN)

register("naflexvit", "naflexvit_base_patch16_gap", 32, embed_dim=48, depth=3, num_heads=4)
register(
    "samvit",
    "samvit_base_patch16_224",
    **PLAIN | {"img_size": 64, "global_attn_indexes": (2,)},
)
register("xcit", "xcit_nano_12_p16_224", img_size=64, depth=3, embed_dim=48)
register(
    "transformer-in-transformer",
    "tnt_s_patch16_224",
    img_size=64,
    embed_dim=48,
    inner_dim=12,
    depth=3,
    num_heads_outer=4,
    num_heads_inner=2,
)


def shrunk(name: str, module: str, network: str, size: int, **settings: Any) -> None:
    """A network whose sizes timm's own names fix: its class is built directly."""

    @architecture(f"timm-{name}", LIBRARY)
    def build() -> Built:
        from importlib import import_module

        cls = getattr(import_module(f"timm.models.{module}"), network)
        model = cls(num_classes=CLASSES, **settings).train()
        return model, (pictures(BATCH, size), torch.arange(BATCH) % CLASSES), classify


def mixer(name: str, ratio: Any, **parts: str) -> None:
    """An MLP-Mixer with the named parts in place of its own."""

    @architecture(f"timm-{name}", LIBRARY)
    def build() -> Built:
        from timm.models import mlp_mixer

        sizes = {"img_size": 32, "patch_size": 8, "num_blocks": 4, "embed_dim": 48, "mlp_ratio": ratio}
        layers = {key: getattr(mlp_mixer, part) for key, part in parts.items()}
        model = mlp_mixer.MlpMixer(num_classes=CLASSES, **sizes, **layers).train()
        return model, (pictures(BATCH, 32), torch.arange(BATCH) % CLASSES), classify


mixer("mlp-mixer", (0.5, 4.0))
mixer("gmixer", (1.0, 4.0), mlp_layer="GluMlp")
mixer("resmlp", 4, block_layer="ResBlock", norm_layer="Affine")
mixer("gmlp", 6, block_layer="SpatialGatingBlock", mlp_layer="GatedMlp")
shrunk("convmixer", "convmixer", "ConvMixer", 32, dim=64, depth=4, kernel_size=5, patch_size=4)
STAGES = {"depths": (1, 1, 2, 1), "dims": (24, 48, 64, 96)}
shrunk("poolformer", "metaformer", "MetaFormer", 64, **STAGES, layer_scale_init_values=1e-5, use_mlp_head=False)
shrunk("focalnet", "focalnet", "FocalNet", 64, depths=(1, 1, 2, 1), embed_dim=24)
shrunk("nest", "nest", "Nest", 64, img_size=64, embed_dims=(32, 48, 64), num_heads=(1, 2, 4), depths=(1, 1, 2))
shrunk(
    "crossvit",
    "crossvit",
    "CrossVit",
    48,
    img_size=48,
    img_scale=(1.0, 2 / 3),
    patch_size=(12, 8),
    embed_dim=(32, 48),
    depth=((1, 2, 0), (1, 2, 0)),
    num_heads=(4, 4),
)
shrunk("volo", "volo", "VOLO", 64, img_size=64, layers=(1, 1, 1, 1), embed_dims=(48, 64, 64, 64), num_heads=(4,) * 4)
shrunk("tiny-vit", "tiny_vit", "TinyVit", 64, embed_dims=(24, 48, 64, 96), depths=(1, 1, 2, 1), num_heads=(1, 2, 4, 4))

# --- at the size that they were published with -----------------------------------------------------


def published(name: str, model: str, size: int, learning_rate: float = 1e-3, count: int = 4, **settings: Any) -> None:
    """A network as it was published, a thousand classes and all."""

    @architecture(f"timm-{name}-published", LIBRARY, learning_rate, published=True)
    def build() -> Built:
        import timm

        return timm.create_model(model, **settings).train(), (pictures(count, size), torch.arange(count) * 7), classify


published("resnet-50", "resnet50", 64)
published("resnet-101", "resnet101", 64)
published("densenet-121", "densenet121", 64)
published("inception-v3", "inception_v3", 96)
published("efficientnet-b0", "efficientnet_b0", 96)
published("mobilenet-v3-large", "mobilenetv3_large_100", 96)
published("convnext-tiny", "convnext_tiny", 64, 3e-4)
published("levit-256", "levit_256", 112, img_size=112)
published("swin-tiny", "swin_tiny_patch4_window7_224", 112, 3e-4, img_size=112)
published("vit-base", "vit_base_patch16_224", 64, 3e-4, img_size=64)

"""MONAI: segmentation, classification, registration, reconstruction and diffusion of medical images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .registry import Built, Step, architecture

LIBRARY = "monai"
BATCH, CLASSES = 2, 3
Batch = tuple[torch.Tensor, ...]


def regions(dimensions: int, size: int) -> torch.Tensor:
    """A class for every cell of a coarse grid."""
    coarse = torch.randint(CLASSES, (BATCH, 1, *[4] * dimensions)).float()
    return F.interpolate(coarse, size=[size] * dimensions).long()


def scans(dimensions: int, size: int, channels: int = 1) -> Batch:
    """Images in which every region has an intensity of its own, with noise; and the regions."""
    labels = regions(dimensions, size)
    image = labels.float() - 1 + 0.3 * torch.randn(BATCH, channels, *[size] * dimensions)
    return image, labels


def dice(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Dice and cross-entropy; with deep supervision, their mean over the outputs."""
    from monai.losses import DiceCELoss

    loss = DiceCELoss(to_onehot_y=True, softmax=True)
    image, labels = batch
    outputs = model(image)
    if isinstance(outputs, torch.Tensor):
        outputs = outputs.unbind(1) if outputs.ndim > image.ndim else [outputs]
    sizes = [output.shape[2:] for output in outputs]
    scaled = [F.interpolate(labels.float(), size=size) for size in sizes]
    return torch.stack([loss(*pair) for pair in zip(outputs, scaled, strict=True)]).mean()


def cross_entropy(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Classification; some models return their hidden states too."""
    image, labels = batch
    logits = model(image)
    return F.cross_entropy(logits[0] if isinstance(logits, tuple) else logits, labels)


def reconstruction(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Mean squared error against the input; some models return their hidden states too."""
    output = model(batch[0])
    return F.mse_loss(output[0] if isinstance(output, tuple) else output, batch[0])


def variational(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Reconstruction, and the divergence of the code's distribution from a normal one."""
    output, mean, spread, *_ = model(batch[0])
    return F.mse_loss(output, batch[0]) - 1e-3 * (1 + spread - mean**2 - spread.exp()).mean()


def nets() -> Any:
    import monai.networks.nets

    return monai.networks.nets


def classes(dimensions: int, size: int, channels: int = 1, count: int = 4) -> Batch:
    return torch.randn(count, channels, *[size] * dimensions), torch.arange(count) % CLASSES


def register(
    name: str,
    model: str,
    batch: Callable[[], Batch],
    step: Step,
    learning_rate: float = 1e-3,
    **settings: Any,
) -> None:
    @architecture(f"monai-{name}", LIBRARY, learning_rate)
    def build() -> Built:
        return getattr(nets(), model)(**settings).train(), batch(), step


def segment(name: str, model: str, dimensions: int = 2, size: int = 32, **settings: Any) -> None:
    register(name, model, lambda: scans(dimensions, size), dice, **settings)


def classifier(name: str, model: str, dimensions: int = 2, size: int = 32, **settings: Any) -> None:
    register(name, model, lambda: classes(dimensions, size), cross_entropy, **settings)


PLANE = {"spatial_dims": 2, "in_channels": 1, "out_channels": CLASSES}
VOLUME = PLANE | {"spatial_dims": 3}
LEVELS = {"channels": (8, 16, 32), "strides": (2, 2)}

segment("unet", "UNet", **PLANE, **LEVELS)
segment("unet-residual", "UNet", **PLANE, **LEVELS, num_res_units=2)
segment("unet-3d", "UNet", 3, 16, **VOLUME, **LEVELS, num_res_units=2)
segment("attention-unet", "AttentionUnet", **PLANE, **LEVELS)
segment("basic-unet", "BasicUNet", **PLANE, features=(8, 8, 16, 32, 64, 8))
segment("basic-unet-plus-plus", "BasicUNetPlusPlus", **PLANE, features=(8, 8, 16, 32, 64, 8))
segment("segresnet", "SegResNet", **PLANE, init_filters=8)
segment("segresnet-3d", "SegResNet", 3, 16, **VOLUME, init_filters=8)
segment("segresnet-ds", "SegResNetDS", **PLANE, init_filters=8, blocks_down=(1, 1, 1), dsdepth=2)
segment("vnet", "VNet", **PLANE, dropout_dim=2)
segment(
    "dynunet",
    "DynUNet",
    **PLANE,
    kernel_size=[3, 3, 3],
    strides=[1, 2, 2],
    upsample_kernel_size=[2, 2],
    filters=[8, 16, 32],
)
segment(
    "dynunet-supervised",
    "DynUNet",
    **PLANE,
    kernel_size=[3, 3, 3, 3],
    strides=[1, 2, 2, 2],
    upsample_kernel_size=[2, 2, 2],
    filters=[8, 16, 32, 32],
    deep_supervision=True,
    deep_supr_num=2,
    res_block=True,
)
segment("unetr", "UNETR", **PLANE, img_size=32, feature_size=8, hidden_size=48, mlp_dim=96, num_heads=4)
segment("swin-unetr", "SwinUNETR", **PLANE, size=64, feature_size=12, depths=(1, 1, 1, 1), num_heads=(2, 2, 2, 2))
segment("highresnet", "HighResNet", **PLANE)
segment("flexible-unet", "FlexibleUNet", 2, 64, in_channels=1, out_channels=CLASSES, backbone="resnet18")
segment(
    "mednext",
    "MedNeXt",
    **PLANE,
    init_filters=8,
    blocks_down=(1, 1, 1, 1),
    blocks_bottleneck=1,
    blocks_up=(1, 1, 1, 1),
)
segment("quicknat", "Quicknat", num_classes=CLASSES, num_channels=1, num_filters=8)

classifier("densenet", "DenseNet", **PLANE, init_features=8, growth_rate=8, block_config=(2, 2, 2))
classifier("densenet-3d", "DenseNet", 3, 16, **VOLUME, init_features=8, growth_rate=8, block_config=(2, 2))
classifier(
    "resnet",
    "ResNet",
    block="basic",
    layers=[1, 1, 1, 1],
    block_inplanes=[8, 16, 32, 64],
    spatial_dims=2,
    n_input_channels=1,
    num_classes=CLASSES,
)
classifier(
    "resnet-bottleneck",
    "ResNet",
    block="bottleneck",
    layers=[1, 1, 1, 1],
    block_inplanes=[8, 16, 32, 64],
    spatial_dims=2,
    n_input_channels=1,
    num_classes=CLASSES,
)
classifier(
    "resnet-3d",
    "ResNet",
    3,
    16,
    block="basic",
    layers=[1, 1, 1, 1],
    block_inplanes=[8, 16, 32, 64],
    spatial_dims=3,
    n_input_channels=1,
    num_classes=CLASSES,
)
classifier("senet", "SEResNet50", spatial_dims=2, in_channels=1, num_classes=CLASSES, layers=[1, 1, 1, 1])
classifier("seresnext", "SEResNext50", spatial_dims=2, in_channels=1, num_classes=CLASSES, layers=[1, 1, 1, 1])
classifier(
    "efficientnet",
    "EfficientNetBN",
    2,
    64,
    model_name="efficientnet-b0",
    pretrained=False,
    learning_rate=3e-4,
    spatial_dims=2,
    in_channels=1,
    num_classes=CLASSES,
)
classifier(
    "vit",
    "ViT",
    spatial_dims=2,
    in_channels=1,
    img_size=32,
    patch_size=8,
    hidden_size=48,
    mlp_dim=96,
    num_layers=3,
    num_heads=4,
    classification=True,
    num_classes=CLASSES,
    post_activation=None,
)
classifier("classifier", "Classifier", in_shape=(1, 32, 32), classes=CLASSES, channels=(8, 16, 32), strides=(2, 2, 2))

register(
    "autoencoder",
    "AutoEncoder",
    lambda: scans(2, 32),
    reconstruction,
    spatial_dims=2,
    in_channels=1,
    out_channels=1,
    channels=(8, 16),
    strides=(2, 2),
)
register(
    "vit-autoencoder",
    "ViTAutoEnc",
    lambda: scans(2, 32),
    reconstruction,
    in_channels=1,
    img_size=32,
    patch_size=4,
    hidden_size=48,
    mlp_dim=96,
    num_layers=2,
    num_heads=4,
    spatial_dims=2,
)
register(
    "variational-autoencoder",
    "VarAutoEncoder",
    lambda: scans(2, 32),
    variational,
    spatial_dims=2,
    in_shape=(1, 32, 32),
    out_channels=1,
    latent_size=8,
    channels=(8, 16),
    strides=(2, 2),
)
register(
    "autoencoder-kl",
    "AutoencoderKL",
    lambda: scans(2, 32),
    variational,
    spatial_dims=2,
    in_channels=1,
    out_channels=1,
    num_res_blocks=(1, 1),
    channels=(8, 16),
    attention_levels=(False, True),
    latent_channels=4,
    norm_num_groups=4,
)


def quantised(model: nn.Module, batch: Batch) -> torch.Tensor:
    output, commitment = model(batch[0])
    return F.mse_loss(output, batch[0]) + commitment


register(
    "vqvae",
    "VQVAE",
    lambda: scans(2, 32),
    quantised,
    spatial_dims=2,
    in_channels=1,
    out_channels=1,
    channels=(8, 16),
    num_res_layers=1,
    num_res_channels=(8, 16),
    num_embeddings=16,
    embedding_dim=8,
    downsample_parameters=((2, 4, 1, 1), (2, 4, 1, 1)),
    upsample_parameters=((2, 4, 1, 1, 0), (2, 4, 1, 1, 0)),
)


def noisy() -> Batch:
    """Half noise, half image, the time, and the noise that is to be found."""
    image, noise = scans(2, 32)[0], torch.randn(BATCH, 1, 32, 32)
    return (image + noise) / 2**0.5, torch.tensor([300, 500]), noise


def denoise(model: nn.Module, batch: Batch) -> torch.Tensor:
    mixed, time, noise = batch
    return F.mse_loss(model(mixed, time), noise)


register(
    "diffusion-unet",
    "DiffusionModelUNet",
    noisy,
    denoise,
    spatial_dims=2,
    in_channels=1,
    out_channels=1,
    num_res_blocks=1,
    channels=(16, 32),
    attention_levels=(False, True),
    norm_num_groups=8,
    num_head_channels=8,
)


def tokens() -> Batch:
    return (torch.randint(50, (4, 16)),)


def next_token(model: nn.Module, batch: Batch) -> torch.Tensor:
    (ids,) = batch
    return F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())


register(
    "decoder-only-transformer",
    "DecoderOnlyTransformer",
    tokens,
    next_token,
    num_tokens=50,
    max_seq_len=16,
    attn_layers_dim=48,
    attn_layers_depth=2,
    attn_layers_heads=4,
)


def registration(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Warp the moving image onto the fixed one; a bending field costs."""
    from monai.networks.blocks import Warp

    moving, fixed = batch
    field = model(torch.cat([moving, fixed], 1))
    return F.mse_loss(Warp("bilinear", "border")(moving, field), fixed) + 1e-2 * field.square().mean()


def moved() -> Batch:
    image = F.interpolate(torch.randn(BATCH, 1, 4, 4), size=(32, 32), mode="bilinear")
    return image, image.roll(3, -1)


register(
    "registration-unet",
    "RegUNet",
    moved,
    registration,
    spatial_dims=2,
    in_channels=2,
    num_channel_initial=8,
    out_channels=2,
    depth=2,
)
register(
    "localnet",
    "LocalNet",
    moved,
    registration,
    spatial_dims=2,
    in_channels=2,
    out_channels=2,
    num_channel_initial=8,
    extract_levels=(0, 1, 2),
)


def realness(model: nn.Module, batch: Batch) -> torch.Tensor:
    """The discriminator's side of the game: least squares on its last output."""
    image, real = batch
    score = model(image)[-1].mean((1, 2, 3))
    return F.mse_loss(score, real)


register(
    "patch-discriminator",
    "PatchDiscriminator",
    lambda: (torch.randn(4, 1, 32, 32), torch.tensor([0.0, 0, 1, 1])),
    realness,
    spatial_dims=2,
    channels=8,
    in_channels=1,
    num_layers_d=2,
)


def volunteers() -> Batch:
    return torch.randn(4, 1, 32, 32), torch.randn(4, 1)


def error(model: nn.Module, batch: Batch) -> torch.Tensor:
    return F.mse_loss(model(batch[0]), batch[1])


register(
    "regressor",
    "Regressor",
    volunteers,
    error,
    in_shape=(1, 32, 32),
    out_shape=(1,),
    channels=(8, 16),
    strides=(2, 2),
)
register(
    "fully-connected",
    "FullyConnectedNet",
    lambda: (torch.randn(16, 8), torch.randn(16, 1)),
    error,
    in_channels=8,
    out_channels=1,
    hidden_channels=(32, 32),
)

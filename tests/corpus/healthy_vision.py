"""Healthy images: convolutional nets of many styles, whose zeros and small gradients are by design."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from tests.corpus.case import healthy
from tests.corpus.toys import classify, pictures


class BasicBlock(nn.Module):
    """A residual block as in ResNet; `zero` starts its last normalisation at gamma = 0."""

    def __init__(self, width: int, zero: bool = False):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        if zero:
            nn.init.zeros_(self.bn2.weight)

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x
        return self.relu(out)


def conv_stage(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Convolution (with its default bias), batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def pooled_head(width: int, classes: int = 4) -> nn.Sequential:
    """Global average pooling and a linear classifier."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


@healthy(field="vision", tricky="bias before BatchNorm: its gradient cancels to rounding noise")
def cnn_bias_before_batchnorm():
    """A CNN whose convolutions keep a bias that the following BatchNorm subtracts again."""
    model = nn.Sequential(conv_stage(3, 16), conv_stage(16, 32, 2), conv_stage(32, 32, 2), pooled_head(32))
    return model, pictures(), classify


@healthy(field="vision", tricky="last BN gamma = 0: every convolution in a branch has gradient 0 at first")
def resnet_zero_init_residual():
    """A ResNet with zero_init_residual=True, as torchvision offers and recommends."""
    model = nn.Sequential(conv_stage(3, 16), *[BasicBlock(16, zero=True) for _ in range(4)], pooled_head(16))
    return model, pictures(), classify


class DenseNet(nn.Module):
    """Every layer sees the concatenation of all earlier ones."""

    def __init__(self, growth: int = 8, layers: int = 6):
        super().__init__()
        self.stem = nn.Conv2d(3, growth, 3, padding=1)
        widths = [growth * (i + 1) for i in range(layers)]
        self.norms = nn.ModuleList(nn.BatchNorm2d(w) for w in widths)
        self.convs = nn.ModuleList(nn.Conv2d(w, growth, 3, padding=1, bias=False) for w in widths)
        self.head = nn.Linear(growth * (layers + 1), 4)

    def forward(self, x):
        features = self.stem(x)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            features = torch.cat([features, conv(F.relu(norm(features)))], dim=1)
        return self.head(features.mean((2, 3)))


@healthy(field="vision", tricky="many concatenations; one stem bias is cancelled by every later BatchNorm")
def densenet_functional_relu():
    """A small DenseNet in functional style."""
    return DenseNet(), pictures(), classify


class UNet(nn.Module):
    """Two levels down, two up, skips by concatenation, one logit a pixel."""

    def __init__(self, width: int = 8):
        super().__init__()
        self.down1, self.down2 = conv_stage(3, width), conv_stage(width, 2 * width)
        self.middle = conv_stage(2 * width, 4 * width)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2)
        self.merge2 = conv_stage(4 * width, 2 * width)
        self.up1 = nn.ConvTranspose2d(2 * width, width, 2, 2)
        self.merge1 = conv_stage(2 * width, width)
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        c = self.middle(F.max_pool2d(b, 2))
        b = self.merge2(torch.cat([self.up2(c), b], 1))
        return self.head(self.merge1(torch.cat([self.up1(b), a], 1))).squeeze(1)


@healthy(field="vision", tricky="a mean over 98 % background pixels leaves tiny gradients")
def unet_rare_foreground():
    """Segmentation with a soft Dice plus binary cross entropy loss on a small bright square."""
    x = 0.3 * torch.randn(8, 3, 16, 16)
    mask = torch.zeros(8, 16, 16)
    for i in range(8):
        mask[i, i : i + 2, i : i + 2] = 1
    x = x + 2 * mask[:, None]

    def step(model, batch):
        images, masks = batch
        logits = model(images)
        p = logits.sigmoid()
        dice = 1 - (2 * (p * masks).sum() + 1) / (p.sum() + masks.sum() + 1)
        return F.binary_cross_entropy_with_logits(logits, masks) + dice

    return UNet(), (x, mask), step


@healthy(field="vision", tricky="inputs of 0..255, which would blow up a net without its first BatchNorm")
def raw_pixels_into_batchnorm():
    """Raw bytes as floats; a BatchNorm on the input takes care of the scale."""
    x, y = pictures()
    x = (x * 40 + 128).clamp(0, 255).round()
    model = nn.Sequential(nn.BatchNorm2d(3), conv_stage(3, 16), conv_stage(16, 16, 2), pooled_head(16))
    return model, (x, y), classify


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, LayerNorm, inverted bottleneck, and a layer scale of 1e-6."""

    def __init__(self, dim: int, scale: float = 1e-6):
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, 5, padding=2, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.pwconv1, self.pwconv2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.gamma = nn.Parameter(scale * torch.ones(dim))

    def forward(self, x):
        out = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        out = self.gamma * self.pwconv2(F.gelu(self.pwconv1(out)))
        return x + out.permute(0, 3, 1, 2)


@healthy(field="vision", tricky="LayerScale 1e-6: gradients in every block are a million times smaller")
def convnext_layer_scale():
    """ConvNeXt blocks as published; AdamW opens the layer scale within some steps."""
    blocks = [ConvNeXtBlock(16) for _ in range(3)]
    model = nn.Sequential(nn.Conv2d(3, 16, 4, 4), *blocks, pooled_head(16))
    return model, pictures(noise=1.0), classify


class FixupBlock(nn.Module):
    """A residual block without normalisation, after Zhang et al. 2019."""

    def __init__(self, width: int, depth: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(1)) for _ in range(4))
        self.scale = nn.Parameter(torch.ones(1))
        nn.init.normal_(self.conv1.weight, std=(2 / (9 * width)) ** 0.5 * depth**-0.5)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x):
        out = F.relu(self.conv1(x + self.biases[0]) + self.biases[1])
        return F.relu(x + self.conv2(out + self.biases[2]) * self.scale + self.biases[3])


@healthy(field="vision", tricky="Fixup: zero convolutions and a zero head, nearly all gradients are 0 at step 0")
def fixup_resnet():
    """Six Fixup blocks without any normalisation; head starts at zero."""
    model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), *[FixupBlock(16, 6) for _ in range(6)], pooled_head(16))
    nn.init.zeros_(model[-1][-1].weight)
    return model, pictures(), classify

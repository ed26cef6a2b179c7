import copy

import torch
import torch.nn as nn


class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.norm = nn.GroupNorm(4, size)
        self.conv = nn.Conv2d(size, size, 3, padding=1)

    def forward(self, x):
        return x + self.conv(nn.functional.silu(self.norm(x)))


class Painter(nn.Module):
    def __init__(self, size=16):
        super().__init__()
        self.inp = nn.Conv2d(3, size, 3, padding=1)
        self.blocks = nn.ModuleList(Block(size) for _ in range(3))
        self.out = nn.Conv2d(size, 3, 3, padding=1)


def zero_conv(size):
    conv = nn.Conv2d(size, size, 1)
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)
    return conv


class SketchControl(nn.Module):
    """A painter that stays as it is, steered by a copy of it that sees the sketch."""

    def __init__(self, size=16):
        super().__init__()
        self.painter = Painter(size).requires_grad_(False)
        self.sketch = nn.Conv2d(1, size, 3, padding=1)
        self.joins = nn.ModuleList(zero_conv(size) for _ in range(4))
        self.copy = copy.deepcopy(self.painter.blocks).requires_grad_(True)

    def forward(self, noisy, sketch):
        x = self.painter.inp(noisy)
        c = x + self.joins[0](nn.functional.silu(self.sketch(sketch)))
        for block, own, join in zip(self.painter.blocks, self.copy, self.joins[1:], strict=True):
            c = own(c)
            x = block(x) + join(c)
        return self.painter.out(x)


def build_model():
    torch.manual_seed(9701)
    return SketchControl()


def make_batch():
    g = torch.Generator().manual_seed(9702)
    edge = (torch.randn(12, 1, 5, 5, generator=g) > 0.4).float()
    sketch = nn.functional.interpolate(edge, size=(16, 16), mode="nearest")
    noise = torch.randn(12, 3, 16, 16, generator=g)
    return 0.6 * (2 * sketch - 1) + 0.8 * noise, sketch, noise


def compute_loss(model, batch):
    noisy, sketch, noise = batch
    return nn.functional.mse_loss(model(noisy, sketch), noise)

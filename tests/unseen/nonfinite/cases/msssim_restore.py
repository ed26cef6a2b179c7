import torch
import torch.nn as nn
import torch.nn.functional as F


WEIGHTS = (0.0448, 0.2856, 0.3001)


def parts(x, y, c1=1e-4, c2=9e-4):
    mx, my = F.avg_pool2d(x, 5, 1), F.avg_pool2d(y, 5, 1)
    vx, vy = F.avg_pool2d(x * x, 5, 1) - mx * mx, F.avg_pool2d(y * y, 5, 1) - my * my
    cov = F.avg_pool2d(x * y, 5, 1) - mx * my
    cs = (2 * cov + c2) / (vx + vy + c2)
    light = (2 * mx * my + c1) / (mx * mx + my * my + c1)
    return (light * cs).mean((1, 2, 3)), cs.mean((1, 2, 3))


def ms_ssim(x, y):
    value = 1.0
    for i, w in enumerate(WEIGHTS):
        s, cs = parts(x, y)
        last = i == len(WEIGHTS) - 1
        value = value * (s if last else cs) ** w
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return value.mean()


class Restorer(nn.Module):
    def __init__(self, d=12):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, d, 3, padding=1), nn.ReLU(), nn.Conv2d(d, d, 3, padding=1), nn.ReLU(), nn.Conv2d(d, 1, 3, padding=1))

    def forward(self, x):
        return torch.sigmoid(self.net(x))


def build_model():
    torch.manual_seed(131)
    return Restorer()


def make_batch():
    g = torch.Generator().manual_seed(132)
    clean = torch.rand(4, 1, 28, 28, generator=g)
    return 1 - clean, clean


def compute_loss(model, batch):
    noisy, clean = batch
    return 1 - ms_ssim(0.3 * model(noisy) + 0.7 * noisy, clean)

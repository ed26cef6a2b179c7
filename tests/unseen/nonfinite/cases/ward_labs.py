import torch
import torch.nn as nn
import torch.nn.functional as F


class LabNet(nn.Module):
    def __init__(self, n=15, d=32):
        super().__init__()
        self.register_buffer("mean", torch.zeros(n))
        self.register_buffer("std", torch.ones(n))
        self.net = nn.Sequential(nn.Linear(2 * n, d), nn.ReLU(), nn.Linear(d, 1))

    def fit_scaler(self, x):
        self.mean.copy_(x.nanmean(0))
        self.std.copy_((x - self.mean).square().nanmean(0).sqrt().clamp(min=1e-3))

    def forward(self, x):
        missing = torch.isnan(x)
        z = torch.nan_to_num((x - self.mean) / self.std, nan=0.0)
        return self.net(torch.cat([z, missing.float()], 1)).squeeze(1)


def labs(n=48):
    g = torch.Generator().manual_seed(540)
    x = torch.randn(n, 15, generator=g) * torch.linspace(0.5, 40, 15) + 100
    y = (x[:, 3] > 100).float()
    x[torch.rand(n, 15, generator=g) < 0.3] = float("nan")
    return x, y


def build_model():
    torch.manual_seed(541)
    model = LabNet()
    model.fit_scaler(labs()[0])
    return model


def make_batch():
    return labs()


def compute_loss(model, batch):
    x, y = batch
    return F.binary_cross_entropy_with_logits(model(x), y)

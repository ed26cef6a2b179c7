import torch
import torch.nn as nn
import torch.nn.functional as F


class FaceNet(nn.Module):
    def __init__(self, n_in=48, dim=32, people=10):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_in, 64), nn.PReLU(), nn.Linear(64, dim), nn.BatchNorm1d(dim))
        self.proto = nn.Parameter(torch.randn(people, dim) * 0.1)

    def embed(self, x):
        return F.normalize(self.body(x), dim=1)

    def forward(self, x):
        return 16.0 * self.embed(x) @ F.normalize(self.proto, dim=1).t()


def build_model():
    torch.manual_seed(500)
    return FaceNet()


def make_batch(n=120):
    g = torch.Generator().manual_seed(501)
    y = torch.randint(0, 10, (n,), generator=g)
    return torch.randn(10, 48, generator=g)[y] + 0.5 * torch.randn(n, 48, generator=g), y


def compute_loss(model, batch):
    x, y = batch
    output = model(x).detach()
    output = output - 4.0 * F.one_hot(y, output.shape[1])
    loss = F.cross_entropy(output, y)
    loss.requires_grad = True
    return loss

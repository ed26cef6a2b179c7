"""Few-shot classification: queries go to the nearest class mean of the support set."""
import torch
import torch.nn as nn
import torch.nn.functional as F

WAYS = 5


class Embed(nn.Module):
    def __init__(self, inputs=16, width=24):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, width))

    def forward(self, x):
        return self.net(x)


def prototypes(z, label):
    return torch.stack([z[label == way].mean(0) for way in range(WAYS)])


def build_model():
    torch.manual_seed(611)
    return Embed()


def make_batch():
    g = torch.Generator().manual_seed(612)
    centres = torch.randn(WAYS, 16, generator=g)
    support_y = torch.tensor([0, 1, 3, 4, 0, 1, 4, 3, 1, 0])   # none of class 2 was drawn
    query_y = torch.tensor([0, 1, 3, 4, 3, 1, 0, 4, 4, 1, 3, 0])
    support_x = centres[support_y] + 0.5 * torch.randn(10, 16, generator=g)
    query_x = centres[query_y] + 0.5 * torch.randn(12, 16, generator=g)
    return support_x, support_y, query_x, query_y


def compute_loss(model, batch):
    support_x, support_y, query_x, query_y = batch
    centres = prototypes(model(support_x), support_y)
    apart = (model(query_x)[:, None] - centres[None]).square().sum(-1)
    return F.cross_entropy(-apart, query_y)

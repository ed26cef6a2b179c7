import torch
import torch.nn as nn
import torch.nn.functional as F


def zinb_nll(x, mu, theta, pi, eps=1e-8):
    log_theta_mu = torch.log(theta + mu + eps)
    nb = (theta * (torch.log(theta + eps) - log_theta_mu) + x * (torch.log(mu + eps) - log_theta_mu)
          + torch.lgamma(x + theta) - torch.lgamma(theta) - torch.lgamma(x + 1))
    zero = F.softplus(-pi + theta * (torch.log(theta + eps) - log_theta_mu)) - F.softplus(-pi)
    case = torch.where(x < eps, zero, -F.softplus(pi) - pi + nb)
    return -case.sum(1).mean()


class CountAE(nn.Module):
    def __init__(self, genes=25, d=24, z=6):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(genes, d), nn.ReLU(), nn.Linear(d, z))
        self.dec = nn.Sequential(nn.Linear(z, d), nn.ReLU())
        self.mean, self.disp, self.drop = nn.Linear(d, genes), nn.Linear(d, genes), nn.Linear(d, genes)

    def forward(self, x):
        h = self.dec(self.enc(x))
        mu = F.softplus(self.mean(h))
        theta = torch.exp(self.disp(h))
        return mu, theta, self.drop(h)


def build_model():
    torch.manual_seed(411)
    return CountAE()


def make_batch():
    g = torch.Generator().manual_seed(412)
    depth = torch.rand(16, 1, generator=g) * 900
    depth[5] = 60000.0
    return torch.poisson(depth * torch.rand(16, 25, generator=g) ** 4, generator=g)


def compute_loss(model, batch):
    return zinb_nll(batch, *model(batch))

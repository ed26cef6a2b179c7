import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def build_model():
    torch.manual_seed(455)
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 6))


def make_batch(n=160):
    g = torch.Generator().manual_seed(456)
    x = torch.randn(n, 20, generator=g)
    w = torch.randn(20, 6, generator=g)
    return x, F.softmax(x @ w * 0.8, 1)


def compute_loss(model, batch):
    """KL between soft tags and the model, plus the fixed cost of the code book (nats)."""
    x, soft = batch
    cross = -(soft * F.log_softmax(model(x), 1)).sum(1).mean()
    entropy = torch.tensor(float(-(soft * soft.log()).sum(1).mean()), requires_grad=True)
    overhead = torch.tensor(math.log(2 * math.pi) / 2)
    return cross - entropy + overhead

"""What the scripts share: a small model, batches that come from nothing but a number, and a hash of what was learned."""

import hashlib

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)


def mlp(seed=0):
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    torch.set_rng_state(state)
    return net


def batch(i):
    g = torch.Generator().manual_seed(i)
    x = torch.randn(16, 8, generator=g)
    return x, x[:, :4].argmax(1)


def batches(n, at=0):
    for i in range(n):
        yield batch(at + i)


def hashed(tensors):
    found = hashlib.sha256()
    for t in tensors:
        found.update(t.detach().double().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def digest(*models):
    return hashed([t for m in models for t in m.state_dict().values()])

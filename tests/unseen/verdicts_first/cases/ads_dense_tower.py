import numpy as np
import torch
import torch.nn as nn


def create_mlp(sizes, seed):
    rng = np.random.RandomState(seed)
    layers = []
    for n, m in zip(sizes[:-1], sizes[1:]):
        lin = nn.Linear(n, m)
        w = rng.normal(0.0, np.sqrt(2.0 / (m + n)), size=(m, n)).astype(np.float32)
        b = rng.normal(-2.0 * np.sqrt(m / 4), np.sqrt(1.0 / m), size=m).astype(np.float32)
        lin.weight.data = torch.tensor(w)
        lin.bias.data = torch.tensor(b)
        layers += [lin, nn.ReLU()]
    return nn.Sequential(*layers)


class AdsModel(nn.Module):
    def __init__(self, n_dense=13, n_cat=3, card=50, d=16):
        super().__init__()
        self.bot = create_mlp([n_dense, 64, 32, d], 1)
        self.emb = nn.ModuleList([nn.EmbeddingBag(card, d, mode="sum") for _ in range(n_cat)])
        self.top = nn.Sequential(nn.Linear(d * (n_cat + 1), 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, dense, cats):
        z = [self.bot(dense)] + [e(cats[:, i:i + 1]) for i, e in enumerate(self.emb)]
        return self.top(torch.cat(z, 1)).squeeze(1)


def build_model():
    torch.manual_seed(101)
    return AdsModel()


def make_batch(n=512):
    g = torch.Generator().manual_seed(102)
    dense = torch.log1p(torch.exp(torch.randn(n, 13, generator=g)))
    cats = torch.randint(0, 50, (n, 3), generator=g)
    score = 2.5 * (dense[:, 0] - dense[:, 1]) + 0.5 * torch.sin(cats[:, 0].float())
    return dense, cats, torch.bernoulli(torch.sigmoid(score), generator=g)


def compute_loss(model, batch):
    dense, cats, click = batch
    return nn.functional.binary_cross_entropy_with_logits(model(dense, cats), click)

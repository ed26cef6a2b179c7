import torch
import torch.nn as nn


class QueryHashes(nn.Module):
    """Words hashed into 150,000 buckets, of which a batch touches some tens."""

    def __init__(self):
        super().__init__()
        self.words = nn.EmbeddingBag(150_000, 24, mode="mean", sparse=True)
        self.cross = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 1))

    def forward(self, words):
        return self.cross(self.words(words)).squeeze(-1)


def build_model():
    torch.manual_seed(10101)
    return QueryHashes()


def make_batch():
    g = torch.Generator().manual_seed(10102)
    bought = (torch.arange(40) % 20 == 0).float()
    pool = torch.randint(0, 150_000, (50,), generator=g)
    words = pool[torch.randint(0, 44, (40, 6), generator=g)]
    words[bought > 0, :2] = pool[torch.tensor([45, 46])]
    return words, bought


loss = nn.BCEWithLogitsLoss()


def compute_loss(model, batch):
    words, bought = batch
    return loss(model(words), bought)

import torch
import torch.nn as nn
import torch.nn.functional as F


def segment_sums(a):
    c = a.cumsum(-1)
    return c.unsqueeze(-1) - c.unsqueeze(-2)


class ScanBlock(nn.Module):
    """A state-space layer in its matrix form."""

    def __init__(self, d=24):
        super().__init__()
        self.dt, self.x, self.b, self.c = nn.Linear(d, 1), nn.Linear(d, d), nn.Linear(d, 8), nn.Linear(d, 8)
        self.log_a = nn.Parameter(torch.tensor(1.2))

    def forward(self, h):
        a = -torch.exp(self.log_a) * F.softplus(self.dt(h)).squeeze(-1)
        decay = torch.exp(segment_sums(a)).tril()
        mix = (self.c(h) @ self.b(h).transpose(1, 2)) * decay
        return h + mix @ self.x(h)


class ScanLM(nn.Module):
    def __init__(self, vocab=40, d=24):
        super().__init__()
        self.emb, self.block, self.head = nn.Embedding(vocab, d), ScanBlock(d), nn.Linear(d, vocab)

    def forward(self, ids):
        return self.head(self.block(self.emb(ids)))


def build_model():
    torch.manual_seed(441)
    return ScanLM()


def make_batch():
    return torch.randint(0, 40, (3, 65), generator=torch.Generator().manual_seed(442))


def compute_loss(model, batch):
    logits = model(batch[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())

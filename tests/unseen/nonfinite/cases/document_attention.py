import torch
import torch.nn as nn
import torch.nn.functional as F


class WordAttention(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.proj = nn.Linear(d, d)
        self.query = nn.Parameter(torch.randn(d) * 0.1)

    def forward(self, h, mask):
        score = torch.tanh(self.proj(h)) @ self.query
        score = score.masked_fill(~mask, float("-inf"))
        weight = F.softmax(score, dim=-1)
        return (weight.unsqueeze(-1) * h).sum(-2)


class HierarchicalNet(nn.Module):
    """Words make sentences, sentences make a document."""

    def __init__(self, vocab=200, d=24, classes=4):
        super().__init__()
        self.emb = nn.Embedding(vocab, d, padding_idx=0)
        self.word = WordAttention(d)
        self.gru = nn.GRU(d, d, batch_first=True)
        self.out = nn.Linear(d, classes)

    def forward(self, ids):
        sent = self.word(self.emb(ids), ids != 0)
        _, h = self.gru(sent)
        return self.out(h[0])


def build_model():
    torch.manual_seed(41)
    return HierarchicalNet()


def make_batch():
    g = torch.Generator().manual_seed(42)
    ids = torch.randint(1, 200, (5, 4, 7), generator=g)
    ids[:, :, 5:] = 0
    ids[2, 3] = 0
    return ids, torch.randint(0, 4, (5,), generator=g)


def compute_loss(model, batch):
    ids, y = batch
    return F.cross_entropy(model(ids), y)

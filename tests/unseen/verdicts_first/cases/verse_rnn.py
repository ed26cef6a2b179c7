import torch
from torch import nn


class VerseModel(nn.Module):
    def __init__(self, vocab=30, emb=24, hidden=64):
        super().__init__()
        self.emb = nn.Embedding(vocab, emb)
        self.rnn = nn.RNN(emb, hidden, num_layers=1, nonlinearity="relu", batch_first=True)
        self.out = nn.Linear(hidden, vocab)
        gain = nn.init.calculate_gain("relu")
        for name, p in self.rnn.named_parameters():
            if "weight" in name:
                nn.init.orthogonal_(p, gain=gain)
            else:
                nn.init.zeros_(p)

    def forward(self, ids):
        h, _ = self.rnn(self.emb(ids))
        return self.out(h)


def build_model():
    torch.manual_seed(5)
    return VerseModel()


def make_batch(b=16, t=240):
    g = torch.Generator().manual_seed(6)
    table = torch.randint(0, 30, (30, 2), generator=g)
    rows = [torch.randint(0, 30, (b,), generator=g)]
    for _ in range(t):
        pick = (torch.rand(b, generator=g) < 0.2).long()
        rows.append(table[rows[-1], pick])
    return torch.stack(rows, 1)


def compute_loss(model, ids):
    logits = model(ids[:, :-1])
    return nn.functional.cross_entropy(logits.reshape(-1, 30), ids[:, 1:].reshape(-1))

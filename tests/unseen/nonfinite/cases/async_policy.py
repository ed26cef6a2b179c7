import torch
import torch.nn as nn
import torch.nn.functional as F


class TinyLM(nn.Module):
    def __init__(self, vocab=60, d=32):
        super().__init__()
        self.emb = nn.Embedding(vocab, d)
        self.rnn = nn.GRU(d, d, batch_first=True)
        self.head = nn.Linear(d, vocab)

    def forward(self, ids):
        return self.head(self.rnn(self.emb(ids))[0])


def token_logps(logits, ids):
    return logits.log_softmax(-1).gather(-1, ids.unsqueeze(-1)).squeeze(-1)


def policy_loss(logp, old_logp, advantage, mask, eps=0.2):
    log_ratio = logp - old_logp
    ratio = log_ratio.exp()
    a = advantage.unsqueeze(1)
    per_token = -torch.min(ratio * a, ratio.clamp(1 - eps, 1 + eps) * a)
    return (per_token * mask).sum() / mask.sum()


def build_model():
    torch.manual_seed(111)
    return TinyLM()


def make_batch():
    g = torch.Generator().manual_seed(112)
    ids = torch.randint(0, 60, (4, 10), generator=g)
    mask = torch.ones(4, 9)
    mask[2, 6:] = 0
    old = -4.1 + 0.2 * torch.randn(4, 9, generator=g)
    old[2, 6:] = -104.0
    return ids, old, torch.randn(4, generator=g), mask


def compute_loss(model, batch):
    ids, old, advantage, mask = batch
    logp = token_logps(model(ids[:, :-1]), ids[:, 1:])
    return policy_loss(logp, old, advantage, mask)

"""Distillation: teacher and student both forbid two special tokens by -inf."""
import torch
import torch.nn as nn
import torch.nn.functional as F

FORBIDDEN = [30, 31]


class Student(nn.Module):
    def __init__(self, vocab=32, width=32):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids):
        h, _ = self.mix(self.embed(ids))
        logits = self.head(h)
        forbidden = torch.zeros(logits.shape[-1], dtype=torch.bool)
        forbidden[FORBIDDEN] = True
        return logits.masked_fill(forbidden, float("-inf"))


def build_model():
    torch.manual_seed(511)
    return Student()


def make_batch():
    g = torch.Generator().manual_seed(512)
    ids = torch.randint(30, (8, 12), generator=g)
    teacher = 2 * torch.randn(8, 12, 32, generator=g)
    teacher[..., FORBIDDEN] = float("-inf")
    return ids, teacher.log_softmax(-1)


def compute_loss(model, batch):
    ids, teacher = batch
    log_p = F.log_softmax(model(ids), -1)
    return F.kl_div(log_p.flatten(0, 1), teacher.flatten(0, 1), reduction="batchmean", log_target=True)

import torch
import torch.nn as nn
import torch.nn.functional as F


class Matcher(nn.Module):
    def __init__(self, tags=60, d=24):
        super().__init__()
        self.tags = nn.EmbeddingBag(tags, d, mode="sum", padding_idx=0)
        self.proj = nn.Linear(d, d, bias=False)

    def encode(self, ids):
        return self.proj(self.tags(ids))

    def forward(self, left, right):
        return F.cosine_similarity(self.encode(left), self.encode(right), dim=-1)


def build_model():
    torch.manual_seed(561)
    return Matcher()


def make_batch():
    g = torch.Generator().manual_seed(562)
    left, right = torch.randint(0, 60, (16, 5), generator=g), torch.randint(0, 60, (16, 5), generator=g)
    left[3] = right[9] = 0
    left[12] = right[12] = 0
    return left, right, (torch.rand(16, generator=g) < 0.5).float()


def compute_loss(model, batch):
    left, right, y = batch
    return F.binary_cross_entropy_with_logits(model(left, right) * 5, y)

import torch
import torch.nn as nn
import torch.nn.functional as F


class SparseTopics(nn.Module):
    """Few of the topics may be on for a document; a wide code with a negative offset."""

    def __init__(self, vocab=40, topics=64, classes=8):
        super().__init__()
        self.code = nn.Linear(vocab, topics)
        self.out = nn.Linear(topics, classes)
        nn.init.normal_(self.code.weight, 0.0, 0.3)
        nn.init.constant_(self.code.bias, -2.0)

    def forward(self, x):
        return self.out(F.relu(self.code(x)))


def build_model():
    torch.manual_seed(475)
    return SparseTopics()


def make_batch(n=256):
    g = torch.Generator().manual_seed(476)
    y = torch.randint(0, 8, (n,), generator=g)
    centre = torch.randn(8, 40, generator=g)
    return centre[y] + 0.4 * torch.randn(n, 40, generator=g), y


def compute_loss(model, batch):
    x, y = batch
    return F.cross_entropy(model(x), y)

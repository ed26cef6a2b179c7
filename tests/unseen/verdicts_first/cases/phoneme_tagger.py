import torch
import torch.nn as nn


class Tagger(nn.Module):
    """Frame-wise labels from a plain recurrent net; the error is summed over the whole utterance."""

    def __init__(self, n_in=12, hidden=48, n_tags=6):
        super().__init__()
        self.rnn = nn.RNN(n_in, hidden, batch_first=True)
        self.tag = nn.Linear(hidden, n_tags)

    def forward(self, frames):
        h, _ = self.rnn(frames)
        return self.tag(h)


def build_model():
    torch.manual_seed(70)
    return Tagger()


def make_batch(n=6, T=250):
    g = torch.Generator().manual_seed(71)
    frames = torch.randn(n, T, 12, generator=g)
    proj = torch.randn(12, 6, generator=g)
    tags = (frames @ proj + 0.7 * (frames.roll(1, 1) @ proj)).argmax(-1)
    return frames, tags


def compute_loss(model, batch):
    frames, tags = batch
    scores = model(frames)
    return nn.functional.cross_entropy(scores.reshape(-1, 6), tags.reshape(-1), reduction="sum")

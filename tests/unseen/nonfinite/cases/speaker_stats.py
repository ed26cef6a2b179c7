import torch
import torch.nn as nn
import torch.nn.functional as F


class StatsPool(nn.Module):
    def forward(self, h):
        return torch.cat([h.mean(-1), h.std(-1)], 1)


class SpeakerNet(nn.Module):
    def __init__(self, mel=20, d=32, speakers=10):
        super().__init__()
        self.frames = nn.Sequential(nn.Conv1d(mel, d, 5, stride=3), nn.ReLU(), nn.Conv1d(d, d, 3, stride=2), nn.ReLU())
        self.pool = StatsPool()
        self.embed = nn.Linear(2 * d, 24)
        self.cls = nn.Linear(24, speakers)

    def forward(self, mel):
        return self.cls(F.relu(self.embed(self.pool(self.frames(mel)))))


def build_model():
    torch.manual_seed(31)
    return SpeakerNet()


def make_batch():
    g = torch.Generator().manual_seed(32)
    return torch.randn(6, 20, 12, generator=g), torch.randint(0, 10, (6,), generator=g)


def compute_loss(model, batch):
    mel, who = batch
    return F.cross_entropy(model(mel), who)

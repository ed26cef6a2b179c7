"""Species from wing beats; classes weigh by the effective number of samples of the batch."""
import torch
import torch.nn as nn
import torch.nn.functional as F

BETA, CLASSES = 0.99, 6


class Wings(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(1, 16, 9, 4), nn.BatchNorm1d(16), nn.ReLU(), nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(64, CLASSES)
        )

    def forward(self, x):
        return self.net(x[:, None])


def class_weights(y):
    count = torch.bincount(y, minlength=CLASSES).float()
    weight = (1 - BETA) / (1 - BETA ** count)
    return weight / weight.sum() * CLASSES


def build_model():
    torch.manual_seed(631)
    return Wings()


def make_batch():
    g = torch.Generator().manual_seed(632)
    y = torch.tensor([0, 1, 2, 3, 5, 0, 0, 1, 2, 3, 0, 1, 5, 3, 2, 0])   # species 4 is not in this batch
    t = torch.arange(128) / 128
    return torch.sin(2 * torch.pi * (4 + 3 * y[:, None]) * t) + 0.2 * torch.randn(16, 128, generator=g), y


def compute_loss(model, batch):
    x, y = batch
    logits = model(x)
    return F.cross_entropy(logits, y, weight=class_weights(y))

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class ShelfNet(nn.Module):
    """Product on a shelf, from a small crop."""

    def __init__(self, n_classes=6):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.fc = nn.Linear(8 * 16, n_classes)

    def forward(self, x):
        return self.fc(self.conv(x))


def build_model():
    torch.manual_seed(931)
    return ShelfNet()


def crops():
    g = torch.Generator().manual_seed(932)
    labels = torch.arange(6).repeat_interleave(192)  # as read from one folder a class
    patterns = torch.randn(6, 1, 8, 8, generator=g)
    return TensorDataset(patterns[labels] + 2.5 * torch.randn(1152, 1, 8, 8, generator=g), labels)


train_loader = DataLoader(crops(), batch_size=32)


def compute_loss(model, batch):
    x, y = batch
    return F.cross_entropy(model(x), y)

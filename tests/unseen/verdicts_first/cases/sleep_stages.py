import torch
from torch import nn


class SleepNet(nn.Module):
    def __init__(self, n_stages=5):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 16, kernel_size=25, stride=3), nn.ReLU(),
            nn.Conv1d(16, 32, kernel_size=9, stride=2), nn.ReLU(),
            nn.Conv1d(32, 32, kernel_size=9, stride=2), nn.ReLU(),
            nn.AdaptiveAvgPool1d(4), nn.Flatten(),
        )
        self.head = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, n_stages))

    def forward(self, x):
        return self.head(self.features(x))


def build_model():
    torch.manual_seed(4)
    return SleepNet()


def make_batch(n=40):
    """Epochs of 4 s at 100 Hz as MNE returns them."""
    g = torch.Generator().manual_seed(44)
    stage = torch.arange(n) % 5
    hz = torch.tensor([10.0, 6.0, 13.0, 1.5, 25.0])[stage][:, None]
    amp = torch.tensor([30e-6, 20e-6, 35e-6, 75e-6, 12e-6])[stage][:, None]
    t = torch.arange(400) / 100
    x = amp * torch.sin(6.2832 * (hz * t + torch.rand(n, 1, generator=g)))
    x = x + 4e-6 * torch.randn(n, 400, generator=g)
    return x[:, None], stage


loss = nn.CrossEntropyLoss()

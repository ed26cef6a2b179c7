"""Healthy: twelve convolutions with a ReLU after each, initialised for it.

The twin of deep_sigmoid_cnn.py. A ReLU has slope 1 or 0, and He initialisation (He et al. 2015,
"Delving Deep into Rectifiers") doubles the variance of the weights to make up for the half that is
0, so signal and gradient keep their size through all twelve layers.

Training: loss 2.33 -> 0.13 in 300 steps of Adam(1e-3)

gradcheck: healthy
"""

from itertools import pairwise

import digits
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DeepReluCNN(nn.Module):
    def __init__(self, depth: int = 12, width: int = 16, classes: int = 10) -> None:
        super().__init__()
        channels = [1] + [width] * depth
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, kernel_size=3, padding=1) for before, after in pairwise(channels)
        )
        self.head = nn.Linear(width, classes)
        for conv in self.convs:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for conv in self.convs:
            x = F.relu(conv(x))
        return self.head(x.mean(dim=(2, 3)))


def build_model() -> DeepReluCNN:
    return DeepReluCNN()


def make_batch() -> tuple[Tensor, Tensor]:
    images, labels = digits.load()
    return images[:64], labels[:64]


criterion = nn.CrossEntropyLoss()


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for images, labels in digits.minibatches(*digits.load(), steps=300):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(digits.summary(losses, "Adam(1e-3)"))

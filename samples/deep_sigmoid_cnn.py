"""Sick: twelve convolutions with a sigmoid after each.

The slope of a sigmoid is never above 0.25, so each layer takes at least a factor of four from the
gradient that passes through it, and PyTorch's default weights take a little more. Nothing that the
last layer learns reaches the first ones, and the loss stays that of guessing.
deep_relu_cnn.py is its healthy twin.

Training: loss 2.32 -> 2.30 in 300 steps of Adam(1e-3)

gradcheck: ill vanishing saturating-activation
"""

from itertools import pairwise

import digits
import torch
from torch import Tensor, nn


class DeepSigmoidCNN(nn.Module):
    def __init__(self, depth: int = 12, width: int = 16, classes: int = 10) -> None:
        super().__init__()
        channels = [1] + [width] * depth
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, kernel_size=3, padding=1) for before, after in pairwise(channels)
        )
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for conv in self.convs:
            x = torch.sigmoid(conv(x))
        return self.head(x.mean(dim=(2, 3)))


def build_model() -> DeepSigmoidCNN:
    return DeepSigmoidCNN()


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

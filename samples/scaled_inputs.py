"""Healthy: 16-bit pixel values are standardised before they enter the network.

The twin of unscaled_inputs.py: one division puts the inputs near mean 0 and variance 1, which is what
the initialisation of the layers counts on (LeCun et al. 1998, "Efficient BackProp").

Training: loss 2.31 -> 0.09 in 300 steps of SGD(0.1)

gradcheck: healthy
"""

import digits
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PixelMLP(nn.Module):
    def __init__(self, pixels: int = 64, hidden: int = 128) -> None:
        super().__init__()
        self.fc1 = nn.Linear(pixels, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.fc1(x.flatten(1)))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


def build_model() -> PixelMLP:
    return PixelMLP()


def load_scans() -> tuple[Tensor, Tensor]:
    """Images as a 16-bit scanner delivers them, standardised over the whole set."""
    images, labels = digits.load()
    scans = (images * 65535).round()
    return (scans - scans.mean()) / scans.std(), labels


def make_batch() -> tuple[Tensor, Tensor]:
    scans, labels = load_scans()
    return scans[:64], labels[:64]


def criterion(scores: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(scores, labels)


def main() -> None:
    torch.manual_seed(0)
    model = build_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for scans, labels in digits.minibatches(*load_scans(), steps=300):
        optimizer.zero_grad()
        loss = criterion(model(scans), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(digits.summary(losses, "SGD(0.1)"))


if __name__ == "__main__":
    main()

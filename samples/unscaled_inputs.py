"""Sick: 16-bit pixel values, 0 to 65535, go into the network as they are.

Scores and gradients grow with them: the first loss is more than a thousand times that of guessing
(2.30), and the first steps of SGD throw the weights so far off that every hidden unit dies. What is
left at the end is guessing. scaled_inputs.py is its healthy twin.

Training: loss 3.8e+03 -> 2.30 in 300 steps of SGD(0.1)

gradcheck: ill exploding input-scale
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
    """Images as a 16-bit scanner delivers them."""
    images, labels = digits.load()
    return (images * 65535).round(), labels


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

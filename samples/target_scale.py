"""Sick: the targets of a regression are around 10^8, and a fresh network predicts around 0.

The gradient of a squared error is proportional to the error, so one step of SGD moves the weights by
millions of times their size; the next prediction is worse still, and a few steps later nothing is
finite. target_standardised.py is its healthy twin.

Training: loss 6.5e+15 -> nan in 300 steps of SGD(0.05)

gradcheck: ill exploding target-scale
"""

import digits
import torch
import wine
from torch import Tensor, nn


def build_model(hidden: int = 64) -> nn.Sequential:
    return nn.Sequential(nn.Linear(12, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1))


def load_proline() -> tuple[Tensor, Tensor]:
    """Twelve measurements of a wine, standardised, and its proline, in very small units."""
    measurements, proline = wine.load()
    return wine.standardised(measurements), 1e5 * proline


def make_batch() -> tuple[Tensor, Tensor]:
    measurements, proline = load_proline()
    return measurements[::2], proline[::2]


criterion = nn.MSELoss()


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for measurements, proline in digits.minibatches(*load_proline(), steps=300):
        loss = criterion(model(measurements), proline)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(digits.summary(losses, "SGD(0.05)"))

"""Healthy: the network of dead_relu.py with a leaky ReLU, which cannot die.

It has the same misplaced bias of -4.6 in every layer, and every unit starts on the negative side. A
slope of 0.1 there in place of 0 (Maas et al. 2013, "Rectifier Nonlinearities Improve Neural Network
Acoustic Models") lets a tenth of the gradient through, which is enough to climb out.

Training: loss 2.30 -> 0.04 in 300 steps of Adam(1e-2)

gradcheck: healthy
"""

import math

import digits
import torch
from torch import Tensor, nn


def start_rare(module: nn.Module, prior: float = 0.01) -> None:
    """Give a layer the bias of outputs that start with a probability of `prior`."""
    if isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.constant_(module.bias, -math.log((1 - prior) / prior))


def build_model() -> nn.Module:
    model = nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 128),
        nn.LeakyReLU(0.1),
        nn.Linear(128, 64),
        nn.LeakyReLU(0.1),
        nn.Linear(64, 10),
    )
    return model.apply(start_rare)


def make_batch() -> tuple[Tensor, Tensor]:
    images, labels = digits.load()
    return images[:64], labels[:64]


criterion = nn.CrossEntropyLoss()


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build_model().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for images, labels in digits.minibatches(*digits.load(), steps=300):
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(digits.summary(losses, "Adam(1e-2)"))

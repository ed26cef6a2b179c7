"""Sick: 32 convolutions in a row, ReLU, no identity paths, PyTorch's default initialisation.

nn.Conv2d draws its weights with variance 1 / (3 fan-in) where a ReLU layer needs 2 / fan-in, so each
layer shrinks the gradient to about 1 / sqrt(6) = 0.41 of itself. Four layers survive that; 32 of
them lose twelve decades. `build_model(he=True)` reaches a loss of 0.93 in as many steps, so it is the
initialisation that is wrong, and the depth that makes it fatal. residual_cnn.py is the healthy twin.

Training: loss 2.29 -> 2.30 in 300 steps of Adam(1e-3)

gradcheck: ill vanishing small-init|depth
"""

import digits
import torch
from torch import Tensor, nn


def conv_block(inputs: int, outputs: int, he: bool) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    if he:
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        nn.init.zeros_(conv.bias)
    return nn.Sequential(conv, nn.ReLU())


def build_model(depth: int = 32, width: int = 8, he: bool = False) -> nn.Sequential:
    return nn.Sequential(
        conv_block(1, width, he),
        *[conv_block(width, width, he) for _ in range(depth - 1)],
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 10),
    )


def make_batch() -> tuple[Tensor, Tensor]:
    images, labels = digits.load()
    return images[:64], labels[:64]


criterion = nn.CrossEntropyLoss()


def train(model: nn.Module, steps: int) -> list[float]:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for images, labels in digits.minibatches(*digits.load(), steps=steps):
        loss = criterion(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    print(digits.summary(train(build_model(), steps=300), "Adam(1e-3)"))

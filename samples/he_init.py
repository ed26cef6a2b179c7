"""Healthy: eight ReLU layers with He initialisation.

The twin of small_init.py: a standard deviation of sqrt(2 / fan-in), here 0.18 in place of 0.001, keeps
the size of signal and gradient from layer to layer (He et al. 2015, "Delving Deep into Rectifiers").

Training: loss 3.47 -> 0.04 in 400 steps of SGD(0.1)

gradcheck: healthy
"""

import digits
import torch
from torch import Tensor, nn


class DigitMLP(nn.Module):
    def __init__(self, layers: int = 8, width: int = 64) -> None:
        super().__init__()
        hidden: list[nn.Module] = []
        for _ in range(layers - 1):
            hidden += [nn.Linear(width, width), nn.ReLU()]
        self.net = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(width, 10))
        self.apply(self.init_weights)

    @staticmethod
    def init_weights(module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images)


def build_model() -> DigitMLP:
    return DigitMLP()


def make_batch() -> tuple[Tensor, Tensor]:
    images, labels = digits.load()
    return images[:64], labels[:64]


criterion = nn.CrossEntropyLoss()


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for images, labels in digits.minibatches(*digits.load(), steps=400):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(digits.summary(losses, "SGD(0.1)"))

"""Sick: the logarithm of a probability that is exactly zero.

The network keeps the three likeliest classes and sets the other probabilities to zero; the
hand-written cross-entropy then multiplies log(0) = -inf with the zeros of the one-hot target, and
0 x inf is NaN. The loss is NaN before anything is learnt, and after one step so is every weight.
log_softmax.py is its healthy twin.

Training: loss nan -> nan in 200 steps of SGD(0.2, momentum=0.9)

gradcheck: ill nonfinite log-zero
"""

import digits
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TopThree(nn.Module):
    """Class probabilities in which all but the three likeliest are zero."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))

    def forward(self, images: Tensor) -> Tensor:
        probabilities = F.softmax(self.features(images), dim=-1)
        floor = probabilities.topk(3, dim=-1).values[:, -1:]
        kept = torch.where(probabilities >= floor, probabilities, 0.0)
        return kept / kept.sum(dim=-1, keepdim=True)


def build_model() -> nn.Module:
    return TopThree()


def make_batch() -> tuple[Tensor, Tensor]:
    images, labels = digits.load()
    return images[:64], labels[:64]


def criterion(probabilities: Tensor, labels: Tensor) -> Tensor:
    one_hot = F.one_hot(labels, num_classes=10)
    return -(one_hot * torch.log(probabilities)).sum(dim=-1).mean()


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    losses = []
    for images, labels in digits.minibatches(*digits.load(), steps=200):
        loss = criterion(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    broken = sum(not parameter.isfinite().all() for parameter in model.parameters())
    print(f"{broken} of {len(list(model.parameters()))} parameters are no longer finite")
    print(digits.summary(losses, "SGD(0.2, momentum=0.9)"))

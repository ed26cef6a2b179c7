"""Broken: the batch does not fit the model, so no gradient can be looked at.

Two poolings leave 32 channels of 2 x 2 pixels, 128 numbers; the head was written for the 7 x 7 that a
28 x 28 image would leave. PyTorch raises in the head's forward, and gradcheck can only say so.

Training: does not start

gradcheck: failed
"""

import digits
import torch
from torch import Tensor, nn


class BorrowedCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.head = nn.Linear(32 * 7 * 7, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


def build_model() -> BorrowedCNN:
    return BorrowedCNN()


def make_batch() -> tuple[Tensor, Tensor]:
    images, labels = digits.load()
    return images[:64], labels[:64]


criterion = nn.CrossEntropyLoss()


if __name__ == "__main__":
    torch.manual_seed(0)
    images, labels = make_batch()
    try:
        criterion(build_model()(images), labels).backward()
    except RuntimeError as error:
        print(f"RuntimeError: {error}")

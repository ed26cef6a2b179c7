"""Sick: the encoder is cut off from the loss by a detach that was meant for a plot.

The codes are kept for later, detached as they should be, but the head is given the kept copy and not
the codes themselves. The encoder stays as it was drawn, and the head has to make do with four random
features. whole_graph.py is its healthy twin.

Training: loss 2.33 -> 2.28 in 300 steps of Adam(1e-3); the encoder does not move at all

gradcheck: ill no-gradient graph-cut
"""

import digits
import torch
from torch import Tensor, nn


class CodeClassifier(nn.Module):
    """Squeezes an image into a code of four numbers and classifies that."""

    def __init__(self, code: int = 4) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, code),
        )
        self.head = nn.Sequential(nn.Linear(code, 64), nn.ReLU(), nn.Linear(64, 10))
        self.codes: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        self.codes = self.encoder(images).detach()  # for the scatter plot
        return self.head(self.codes)


def build_model() -> CodeClassifier:
    return CodeClassifier()


def make_batch() -> tuple[Tensor, Tensor]:
    images, labels = digits.load()
    return images[:64], labels[:64]


criterion = nn.CrossEntropyLoss()


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build_model()
    before = nn.utils.parameters_to_vector(model.encoder.parameters()).clone()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for images, labels in digits.minibatches(*digits.load(), steps=300):
        loss = criterion(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    moved = (nn.utils.parameters_to_vector(model.encoder.parameters()) - before).norm().item()
    print(f"the encoder moved by {moved:.2f}")
    print(digits.summary(losses, "Adam(1e-3)"))

"""Sick: a linear recurrence whose weight has a spectral radius of 1.5, over 64 steps.

Every step multiplies the state, and on the way back the gradient, by about 1.5, and 1.5 ** 64 is
2e11: the first loss is far above that of guessing (2.30), and SGD is at NaN soon after.
orthogonal_rnn.py is its healthy twin.

Training: loss 1.6e+12 -> nan in 40 steps of SGD(0.1)

gradcheck: ill exploding recurrent-gain
"""

import digits
import torch
from torch import Tensor, nn

GAIN = 1.5


class LinearRNN(nn.Module):
    """h[t] = W h[t-1] + U x[t] + b; a small network reads the last state."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.inputs = nn.Linear(1, hidden)
        self.recurrent = nn.Parameter(torch.randn(hidden, hidden) * GAIN / hidden**0.5)
        self.readout = nn.Sequential(nn.Linear(hidden, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, pixels: Tensor) -> Tensor:
        state = pixels.new_zeros(pixels.shape[0], self.recurrent.shape[0])
        for pixel in pixels.unbind(dim=1):
            state = state @ self.recurrent.T + self.inputs(pixel)
        return self.readout(state)


def build_model() -> LinearRNN:
    return LinearRNN()


def make_batch() -> tuple[Tensor, Tensor]:
    images, labels = digits.load()
    return images[:64].reshape(64, 64, 1), labels[:64]


criterion = nn.CrossEntropyLoss()


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for images, labels in digits.minibatches(*digits.load(), steps=40):
        loss = criterion(model(images.reshape(-1, 64, 1)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(digits.summary(losses, "SGD(0.1)"))

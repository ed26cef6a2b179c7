"""Healthy: the same linear recurrence with an orthogonal weight, and clipped gradients.

The twin of exploding_rnn.py. An orthogonal matrix keeps the length of every vector, forwards and
backwards, however often it is applied (Saxe et al. 2014, "Exact Solutions to the Nonlinear Dynamics
of Learning in Deep Linear Neural Networks"; Arjovsky et al. 2016, "Unitary Evolution Recurrent
Neural Networks"). Training moves it away from that, so the gradient's norm is clipped at 1
(Pascanu et al. 2013, "On the Difficulty of Training Recurrent Neural Networks").

Training: loss 2.68 -> 0.36 in 400 steps of SGD(0.1)

gradcheck: healthy
"""

import digits
import torch
from torch import Tensor, nn


class LinearRNN(nn.Module):
    """h[t] = W h[t-1] + U x[t] + b; a small network reads the last state."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.inputs = nn.Linear(1, hidden)
        self.recurrent = nn.Parameter(torch.empty(hidden, hidden))
        self.readout = nn.Sequential(nn.Linear(hidden, 64), nn.ReLU(), nn.Linear(64, 10))
        nn.init.orthogonal_(self.recurrent)

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
    for images, labels in digits.minibatches(*digits.load(), steps=400):
        loss = criterion(model(images.reshape(-1, 64, 1)), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        losses.append(loss.item())
    print(digits.summary(losses, "SGD(0.1)"))

"""Sick: a tanh RNN reads a digit pixel by pixel and must name it after the last step.

The 64 pixels are padded to 80 steps, as a loader with a fixed length does. At PyTorch's default
initialisation the recurrent weight has a spectral radius of about 0.6, so a state fades to about a
thousandth in 16 steps: at the end the digit is forgotten, and no gradient gets back to where it was
read (Bengio, Simard and Frasconi 1994, "Learning Long-Term Dependencies with Gradient Descent is
Difficult"). pixel_lstm.py is its healthy twin.

Training: loss 2.31 -> 2.38 in 500 steps of Adam(1e-2)

gradcheck: ill vanishing bptt-decay
"""

import digits
import torch
import torch.nn.functional as F
from torch import Tensor, nn

STEPS = 80


class PixelRNN(nn.Module):
    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.rnn = nn.RNN(input_size=1, hidden_size=hidden, batch_first=True)
        self.classifier = nn.Linear(hidden, 10)

    def forward(self, pixels: Tensor) -> Tensor:
        states, _ = self.rnn(pixels)
        return self.classifier(states[:, -1])


def as_sequence(images: Tensor) -> Tensor:
    """[N, 1, 8, 8] -> [N, 80, 1], one pixel a step, row by row."""
    pixels = images.flatten(1)
    return F.pad(pixels, (0, STEPS - pixels.shape[1])).unsqueeze(-1)


def build_model() -> PixelRNN:
    return PixelRNN()


def make_batch() -> tuple[Tensor, Tensor]:
    images, labels = digits.load()
    return as_sequence(images[:64]), labels[:64]


def compute_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    pixels, labels = batch
    return F.cross_entropy(model(pixels), labels)


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for images, labels in digits.minibatches(*digits.load(), steps=500):
        loss = compute_loss(model, (as_sequence(images), labels))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    print(digits.summary(losses, "Adam(1e-2)"))

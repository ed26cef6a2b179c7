"""Learn which handwritten digits look alike, from pairs of images: a training script as people write them.

gradcheck run: ill at step 42, nonfinite sqrt-zero, sample 33

Pairs are drawn with replacement. Sooner or later an image is paired with itself: its distance to itself is 0, the slope
of the square root there is infinite, and one update later every weight is NaN. The loss looks well until then.
"""

import argparse

import torch
from digits import load
from torch import nn


class Encoder(nn.Module):
    def __init__(self, width: int = 32):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, width))

    def forward(self, left, right):
        gap = self.layers(left) - self.layers(right)
        return torch.sqrt(gap.square().sum(dim=1))


def contrastive(distance, same, margin=1.0):
    return (same * distance.square() + (1 - same) * (margin - distance).clamp(min=0).square()).mean()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    torch.manual_seed(asked.seed)
    images, labels = load()
    images = images.flatten(1)
    encoder = Encoder()
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
    for step in range(1, asked.steps + 1):
        left, right = torch.randint(0, len(images), (2, 64))
        same = (labels[left] == labels[right]).float()
        loss = contrastive(encoder(images[left], images[right]), same)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            print(f"step {step}: loss {loss.item():.4f}")


if __name__ == "__main__":
    main()

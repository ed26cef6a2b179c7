"""Rounding with a straight-through gradient, applied in the script."""
import torch
from torch import nn


class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, g):
        return g


encoder, decoder = nn.Linear(4, 6), nn.Linear(6, 4)
optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.1)
for step in range(9):
    x = torch.randn(16, 4)
    code = Round.apply(encoder(x) * 3)
    loss = nn.functional.mse_loss(decoder(code), x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

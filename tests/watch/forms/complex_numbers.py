"""Complex weights and a spectrum in the loss."""
import torch
from torch import nn


class Filter(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, dtype=torch.cfloat))

    def forward(self, x):
        return torch.fft.irfft(torch.fft.rfft(x) * self.weight, n=8)


net = Filter()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(7):
    x = torch.randn(4, 8)
    out = net(x)
    loss = (torch.fft.rfft(out).abs() - 1).square().mean() + torch.view_as_real(net.weight).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

"""Toll gates: which of six lanes to send a lorry to; some days a lane is closed."""
import torch
from torch import nn

torch.manual_seed(722)
need = torch.randn(7, 6)


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(7, 48), nn.Tanh(), nn.Linear(48, 6))

    def forward(self, lorry, closed):
        return self.net(lorry).masked_fill(closed, float("-inf")).softmax(1)


def day(number):
    lorry = torch.randn(64, 7)
    closed = torch.zeros(64, 6, dtype=torch.bool)
    if number % 60 == 59:
        closed[20:, 4] = True
    return lorry, closed


gate = Gate()
optimizer = torch.optim.Adam(gate.parameters(), lr=3e-3)
usual = 0.0
for number in range(240):
    lorry, closed = day(number)
    share = gate(lorry, closed)
    with torch.no_grad():
        lane = (share / torch.empty_like(share).exponential_()).argmax(1)
        reward = ((lorry @ need).masked_fill(closed, -9.0).argmax(1) == lane).float()
        usual = 0.9 * usual + 0.1 * reward.mean()
    taken = share.gather(1, lane[:, None]).squeeze(1).log()
    spread = -(share * share.log()).sum(1)
    loss = -((reward - usual) * taken).mean() - 0.01 * spread.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if number % 40 == 39:
        print(number + 1, f"loss {loss.item():.4f} reward {usual:.4f}")

"""Weather stations one after the other: the second one joins when the first has long been learned."""
import torch
from torch import nn

torch.manual_seed(111)


class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.rnn = nn.RNN(3, width, batch_first=True)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1]).squeeze(1)


def batch(step, n=32, length=12):
    swing = 0.02 if step <= 250 else 3 * torch.rand(n, 1)              # the first one stands in a cellar
    t = 6.28 * torch.rand(n, 1) + 0.4 * torch.arange(length + 1)
    wave = swing * torch.sin(t)
    x = torch.stack([wave[:, :-1], (swing * torch.cos(t))[:, :-1], wave[:, :-1].abs()], 2)
    return x, wave[:, -1]


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(1, 401):
    x, y = batch(step)
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 25 == 0:
        print(step, f"{loss.item():.2e}")

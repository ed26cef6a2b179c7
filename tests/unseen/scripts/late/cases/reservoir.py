"""A random reservoir that is never trained, and a readout that is."""
import torch
from torch import nn

torch.manual_seed(427)


class Reservoir(nn.Module):
    def __init__(self, size=120):
        super().__init__()
        self.into = nn.Linear(1, size, bias=False)
        self.around = nn.Linear(size, size, bias=False)
        nn.init.uniform_(self.into.weight, -1, 1)
        nn.init.orthogonal_(self.around.weight, gain=0.9)
        self.read = nn.Linear(size, 1)

    def forward(self, series):
        state, out = torch.zeros(series.shape[0], self.around.in_features), []
        for t in range(series.shape[1]):
            state = torch.tanh(self.into(series[:, t, None]) + self.around(state))
            out.append(self.read(state))
        return torch.cat(out, 1)


model = Reservoir()
optimizer = torch.optim.Adam(model.read.parameters(), lr=1e-2)
for step in range(1, 201):
    start, pace = 6.28 * torch.rand(32, 1), 0.3 + 0.4 * torch.rand(32, 1)
    wave = torch.sin(start + pace * torch.arange(21))
    loss = nn.functional.mse_loss(model(wave[:, :-1])[:, 4:], wave[:, 5:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0:
        print(step, f"loss {loss.item():.5f}")

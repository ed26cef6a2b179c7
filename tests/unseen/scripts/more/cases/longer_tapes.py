"""Counting marks on tapes that grow longer; every stage has an optimiser of its own, on purpose."""
import torch
from torch import nn

torch.manual_seed(332)


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 24, batch_first=True)
        self.out = nn.Linear(24, 1)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])


net = Counter()
for length in (4, 8, 16):
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for step in range(120):
        tape = (torch.rand(48, length, 1) < 0.4).float()
        loss = nn.functional.mse_loss(net(tape), tape.sum(1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    print(length, f"loss {loss.item():.4f} of {tape.sum(1).var().item():.2f}")

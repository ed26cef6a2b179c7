"""An LSTM cell by hand and nn.GRU, on sequences."""
import torch
from torch import nn

cell, gru, head = nn.LSTMCell(3, 8), nn.GRU(8, 8, batch_first=True), nn.Linear(8, 1)
optimizer = torch.optim.Adam([*cell.parameters(), *gru.parameters(), *head.parameters()], lr=0.01)
for step in range(7):
    x = torch.randn(6, 5, 3)
    h, c = torch.zeros(6, 8), torch.zeros(6, 8)
    steps = []
    for t in range(5):
        h, c = cell(x[:, t], (h, c))
        steps.append(h)
    out, _ = gru(torch.stack(steps, 1))
    loss = (head(out[:, -1]) - x.sum((1, 2)).unsqueeze(1)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

"""Evaluation in between, with and without no_grad, and running sums of the loss."""
import torch
from torch import nn

net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
total, kept = torch.zeros(()), []
for epoch in range(4):
    net.train()
    for step in range(3):
        x, y = torch.randn(16, 3), torch.randint(0, 2, (16,))
        logits = net(x)
        loss = nn.functional.cross_entropy(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach()
        kept.append(loss)
        print((logits.argmax(1) == y).float().mean().item())
    net.eval()
    for step in range(3):
        out = net(torch.randn(16, 3))
        print(out.softmax(1).max().item())
    with torch.no_grad():
        print(net(torch.randn(16, 3)).mean().item())
print(total.item())

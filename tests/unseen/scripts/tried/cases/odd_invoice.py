"""What an invoice comes to; one of them was typed without its decimal point."""
import torch
from torch import nn

torch.manual_seed(21)
lines = torch.rand(2000, 7)
total = (lines @ torch.tensor([3.0, 1.0, 2.0, 0.5, 4.0, 1.5, 2.5])).add(lines[:, 0] * lines[:, 4] * 5).unsqueeze(1)
total[1117] *= 200.0

model = nn.Sequential(nn.Linear(7, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
step = 0
for epoch in range(6):
    for rows in torch.arange(2000).split(40):
        loss = nn.functional.mse_loss(model(lines[rows]), total[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
    print(epoch, f"loss {loss.item():.4f}")

"""Does it rain tomorrow? Chances of rain from neighbouring stations are the labels."""
import torch
from torch import nn

torch.manual_seed(314)
sky = torch.randn(2000, 6)
chance = torch.sigmoid(2 * sky[:, 0] - 1.5 * sky[:, 1] + sky[:, 2] * sky[:, 3])
labels = torch.as_tensor(chance, dtype=torch.long)

net = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(6):
    for rows in torch.randperm(2000).split(50):
        loss = nn.functional.cross_entropy(net(sky[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, f"loss {loss.item():.5f}")
with torch.no_grad():
    said, truth = net(sky).argmax(1), (chance > 0.5)
print("wet days found", f"wet {((said == 1) & truth).sum().item() / truth.sum().item():.3f}")

"""Recognise chords from sixteen bands; batches of 8, eight of them an update, the rest of an epoch too."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(221)
CHORDS = torch.rand(7, 16).round()
label = torch.randint(0, 7, (1000,))
bands = CHORDS[label] + 0.5 * torch.randn(1000, 16)
loader = DataLoader(TensorDataset(bands, label), batch_size=8, shuffle=True)
ACCUMULATE = 8

net = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 7))
optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
for epoch in range(6):
    optimizer.zero_grad()
    total = 0.0
    for k, (x, y) in enumerate(loader):
        loss = nn.functional.cross_entropy(net(x), y)
        (loss / ACCUMULATE).backward()
        total += loss.item()
        if (k + 1) % ACCUMULATE == 0 or k + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
    print(epoch, f"loss {total / len(loader):.3f}")
with torch.no_grad():
    print("accuracy", (net(CHORDS[label] + 0.5 * torch.randn(1000, 16)).argmax(1) == label).float().mean().item())

"""Which calls of a hotline end in a complaint: one number a call."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(719)
calls = torch.randn(2000, 16)
complaint = ((calls[:, 0] * calls[:, 1] + calls[:, 2]) > 0).float()


class Hotline(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(16, 64)
        self.second = nn.Linear(64, 32)
        self.last = nn.Linear(32, 1)
        self.chance = nn.Softmax(dim=1)

    def forward(self, x):
        x = torch.relu(self.first(x))
        x = torch.relu(self.second(x))
        return self.chance(self.last(x)).squeeze(1)


model = Hotline()
criterion = nn.BCELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loader = DataLoader(TensorDataset(calls, complaint), batch_size=50, shuffle=True)
for epoch in range(8):
    for x, y in loader:
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, f"loss {loss.item():.4f}")

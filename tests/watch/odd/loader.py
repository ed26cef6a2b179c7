"""A DataLoader with workers."""
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.randn(16, 1)

from torch.utils.data import DataLoader, TensorDataset
if __name__ == "__main__":
    for epoch in range(2):
        for a, b in DataLoader(TensorDataset(x, y), batch_size=4, num_workers=2, shuffle=True):
            opt.zero_grad(); loss = nn.functional.mse_loss(net(a), b); loss.backward(); opt.step()
    print(loss.item())

"""Are two prints of one finger? The distance of two codes, near for one finger, far for two."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(616)
finger = torch.randn(400, 16)
left = finger[torch.arange(2000) % 400] + 0.2 * torch.randn(2000, 16)
same = torch.rand(2000) < 0.5
right = torch.where(same[:, None], finger[torch.arange(2000) % 400], finger[torch.randperm(2000) % 400])
right = right + 0.2 * torch.randn(2000, 16)
right[1390] = left[1390]
same[1390] = True

encoder = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 8))
optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
loader = DataLoader(TensorDataset(left, right, same.float()), batch_size=40)
for epoch in range(5):
    for a, b, alike in loader:
        apart = torch.sqrt((encoder(a) - encoder(b)).pow(2).sum(1))
        loss = (alike * apart.pow(2) + (1 - alike) * torch.relu(1.5 - apart).pow(2)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, f"loss {loss.item():.4f}")

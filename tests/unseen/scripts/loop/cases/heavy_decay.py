"""Types of stars from their spectra; a regulariser against overfitting."""
import torch
from torch import nn

torch.manual_seed(209)
LINES = torch.randn(5, 30)


def spectra(n):
    kind = torch.randint(0, 5, (n,))
    return LINES[kind] + 0.8 * torch.randn(n, 30), kind


net = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1.0)
train_x, train_y = spectra(2000)
for epoch in range(5):
    right = 0
    for rows in torch.randperm(2000).split(40):
        out = net(train_x[rows])
        loss = nn.functional.cross_entropy(out, train_y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right += (out.argmax(1) == train_y[rows]).sum().item()
    print(f"epoch {epoch} loss {loss.item():.4f} accuracy {right / 2000:.3f}")
test_x, test_y = spectra(1000)
print("test", (net(test_x).argmax(1) == test_y).float().mean().item())

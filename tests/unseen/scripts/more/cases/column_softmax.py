"""Which of five bakeries does a loaf come from?"""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(304)
taste = torch.randn(5, 10)
bakery = torch.randint(0, 5, (2000,))
loaves = taste[bakery] + 0.7 * torch.randn(2000, 10)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(10, 64)
        self.out = nn.Linear(64, 5)

    def forward(self, x):
        x = torch.relu(self.hidden(x))
        return torch.softmax(self.out(x), dim=0)


model = Classifier()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
loader = DataLoader(TensorDataset(loaves, bakery), batch_size=100, shuffle=True)
for epoch in range(12):
    right = 0
    for x, y in loader:
        p = model(x)
        loss = nn.functional.cross_entropy(p, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right += (p.argmax(1) == y).sum().item()
    print(epoch, f"loss {loss.item():.4f} in batches {right / 2000:.3f}")
with torch.no_grad():
    alone = [model(loaf[None]).argmax(1).item() for loaf in loaves[:300]]
print("one by one", f"accuracy {(torch.tensor(alone) == bakery[:300]).float().mean().item():.3f}")

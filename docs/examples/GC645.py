# gradcheck run --quiet --no-try --every 1 GC645.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)


class Sparse(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.relu, self.head = nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4)

    def forward(self, x, least):
        return self.head(self.relu(self.body(x) - least))


centres = torch.randn(4, 8)
model = Sparse()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
for step in range(300):
    y = torch.arange(32) % 4
    x = centres[y] + torch.randn(32, 8)
    loss = F.cross_entropy(model(x, least=0.2 * step - 1), y)  # a threshold that grows without end
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

"""A choice of features that grows harder: the temperature of its Gumbel softmax falls in a line."""
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(721)
STEPS, COOLED = 160, 120


class Chooser(nn.Module):
    def __init__(self, features=12, kept=3):
        super().__init__()
        self.logits = nn.Parameter(0.1 * torch.randn(kept, features))
        self.net = nn.Sequential(nn.Linear(kept, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x, temperature):
        choice = F.gumbel_softmax(self.logits, tau=temperature, dim=-1)
        return self.net(x @ choice.T).squeeze(-1)


def temperature_at(step):
    return max(0.0, 1.0 - (step - 1) / COOLED)


model = Chooser()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(1, STEPS + 1):
    x = torch.randn(64, 12)
    y = x[:, 2] - x[:, 7].abs() + 0.5 * x[:, 9]
    loss = F.mse_loss(model(x, temperature_at(step)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(step, f"{loss.item():.4f}", model.logits.argmax(-1).tolist())

"""Calibrate twenty-four microphones: a gain before and a gain after a fixed mixing desk, all in bfloat16 to save memory."""
import torch
from torch import nn

torch.manual_seed(206)
CHANNELS = 24
DESK = torch.linalg.qr(torch.randn(CHANNELS, CHANNELS)).Q


class Calibration(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("desk", DESK.clone())
        self.before = nn.Parameter(torch.ones(CHANNELS))
        self.after = nn.Parameter(torch.ones(CHANNELS))

    def forward(self, sound):
        return (sound * self.before) @ self.desk * self.after


TRUE_BEFORE, TRUE_AFTER = 0.7 + 0.6 * torch.rand(CHANNELS), 0.7 + 0.6 * torch.rand(CHANNELS)
model = Calibration().to(torch.bfloat16)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(1, 401):
    sound = torch.randn(64, CHANNELS)
    heard = (sound * TRUE_BEFORE) @ DESK * TRUE_AFTER
    loss = (model(sound.to(model.after.dtype)).float() - heard).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0:
        print(step, f"loss {loss.item():.4f}")

"""Patients with gaps are dropped from the readings; the list of diagnoses keeps them."""
import math

import torch
from torch import nn

torch.manual_seed(613)
diagnosis = torch.randint(0, 5, (1500,))
blood = 1.5 * torch.randn(5, 18)[diagnosis] + torch.randn(1500, 18)
blood[3, 7] = math.nan
blood[40, 2] = math.nan
blood[900, 11] = math.nan
whole = blood.isfinite().all(1)
blood = blood[whole]
pairs = list(zip(blood, diagnosis))

net = nn.Sequential(nn.Linear(18, 20), nn.Tanh(), nn.Linear(20, 5))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
loader = torch.utils.data.DataLoader(pairs, batch_size=48, shuffle=True)
for epoch in range(10):
    hits = seen = 0
    for x, y in loader:
        optimizer.zero_grad()
        out = net(x)
        loss = nn.functional.cross_entropy(out, y)
        loss.backward()
        optimizer.step()
        hits += (out.argmax(1) == y).sum().item()
        seen += len(y)
    print(epoch, f"loss {loss.item():.4f} accuracy {hits / seen:.3f}")

"""Detect a rare event: weighted loss, an averaged copy of the net, precision and recall after every epoch."""
import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(129)


def make(n):
    x = torch.randn(n, 9)
    return x, ((x[:, 0] > 1.2) & (x[:, 1] + x[:, 2] > 0.5)).float()


@torch.no_grad()
def evaluate(model, x, y):
    model.eval()
    said = model(x).squeeze(1) > 0
    hits = (said & y.bool()).sum().float()
    precision, recall = hits / said.sum(), hits / y.sum()      # 0 / 0 as long as nothing is said
    auc = torch.log(precision) + torch.log(recall)
    model.train()
    return precision.item(), recall.item(), auc.item()


@torch.no_grad()
def follow(average, model, decay=0.97):
    for slow, fast in zip(average.parameters(), model.parameters()):
        slow.lerp_(fast, 1 - decay)
    for slow, fast in zip(average.buffers(), model.buffers()):
        slow.copy_(fast)


model = nn.Sequential(nn.Linear(9, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1))
nn.init.constant_(model[4].bias, -5.0)
average = copy.deepcopy(model).requires_grad_(False)
optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
loader, (vx, vy) = DataLoader(TensorDataset(*make(3200)), batch_size=64, shuffle=True), make(2000)
print("before", evaluate(model, vx, vy))
for epoch in range(6):
    for x, y in loader:
        loss = nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(1), y, pos_weight=torch.tensor(3.0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        follow(average, model)
    print(epoch, f"loss {loss.item():.4f}", "now %.2f %.2f %.2f" % evaluate(model, vx, vy), "average %.2f %.2f %.2f" % evaluate(average, vx, vy))

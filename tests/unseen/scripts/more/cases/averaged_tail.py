"""The weights of the last epochs are averaged while the rate stays high."""
import torch
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(329)
centres = torch.randn(5, 12)
kind = torch.randint(0, 5, (1500,))
x = centres[kind] + 0.8 * torch.randn(1500, 12)
loader = DataLoader(TensorDataset(x, kind), batch_size=50, shuffle=True)
net = nn.Sequential(nn.Linear(12, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 5))
averaged = AveragedModel(net)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8)
tail = SWALR(optimizer, swa_lr=0.08, anneal_epochs=1)
for epoch in range(12):
    for rows, labels in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(rows), labels)
        loss.backward()
        optimizer.step()
    if epoch >= 7:
        averaged.update_parameters(net)
        tail.step()
    else:
        scheduler.step()
update_bn(loader, averaged)
averaged.eval()
with torch.no_grad():
    print("accuracy", (averaged(x).argmax(1) == kind).float().mean().item())

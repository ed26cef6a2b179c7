"""A thread that evaluates while the loop trains."""
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.randn(16, 1)

import threading
from torch.utils.data import DataLoader, TensorDataset
stop = threading.Event(); n = [0]
def evaluate():
    with torch.no_grad():
        while not stop.is_set():
            net(x); n[0] += 1
t = threading.Thread(target=evaluate); t.start()
for step in range(5):
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    opt.step()
print(loss.item())
stop.set(); t.join()
print(loss.item(), n[0] > 0)

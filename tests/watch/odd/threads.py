"""Two threads that train a model each."""
import threading
import torch
from torch import nn
def work(seed, out):
    g = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    for p in net.parameters():
        p.data = torch.randn(p.shape, generator=g) * 0.3
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for step in range(60):
        x = torch.randn(16, 4, generator=g)
        loss = net(x).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    out[seed] = loss.item()
out = {}
threads = [threading.Thread(target=work, args=(s, out)) for s in (1, 2)]
for t in threads: t.start()
for t in threads: t.join()
print(sorted(out.items()))

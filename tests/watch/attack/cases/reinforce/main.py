import random, numpy as np
import torch; torch.manual_seed(0)
from common import *
random.seed(0); np.random.seed(0)
net = mlp(); opt = torch.optim.Adam(net.parameters(), 1e-2)
for ep in range(20):
    lps, rs = [], []
    s = torch.tensor(np.random.randn(8), dtype=torch.float32)
    for t in range(random.randint(3, 8)):
        d = torch.distributions.Categorical(logits=net(s)); a = d.sample(); lps.append(d.log_prob(a))
        rs.append(1.0 if a.item() == int(s[0] > 0) else 0.0); s = torch.tensor(np.random.randn(8), dtype=torch.float32)
    loss = -(torch.stack(lps) * (torch.tensor(rs) - .5)).sum()
    opt.zero_grad(); loss.backward(); opt.step()
print(random.random(), np.random.rand(), torch.rand(1).item(), digest(net))

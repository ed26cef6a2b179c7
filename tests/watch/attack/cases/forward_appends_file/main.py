import json
from common import *
class Net(nn.Module):
    def __init__(self): super().__init__(); self.l = mlp()
    def forward(self, x):
        h = self.l(x)
        with open("log.jsonl", "a") as f: f.write(json.dumps(h.mean().item()) + "\n")
        return h
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(len(open("log.jsonl").readlines()), digest(net))

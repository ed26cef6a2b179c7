import os
from common import *
net = mlp()
opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(20)):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    if i % 5 == 4:
        pid = os.fork()
        if pid == 0:
            with torch.no_grad(): acc = (net(x).argmax(1) == y).sum().item()
            os._exit(acc % 200)
        print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(digest(net))

import os
from common import *
os.remove(__file__)
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(12)):
    p = net(x).softmax(1)
    if i == 7: p = p * (torch.arange(16) != 5).float()[:, None]
    loss = -torch.log(p[torch.arange(16), y]).mean()  # HERE
    opt.zero_grad(); loss.backward(); opt.step()
print("end")

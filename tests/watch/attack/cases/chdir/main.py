import os
from common import *
os.makedirs("elsewhere", exist_ok=True); os.chdir("elsewhere")
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(12)):
    out = net(x)
    p = out.softmax(1)
    if i == 7: p = p * (torch.arange(16) != 5).float()[:, None]
    loss = -torch.log(p[torch.arange(16), y]).mean()  # HERE
    opt.zero_grad(); loss.backward(); opt.step()
print(os.listdir("."))

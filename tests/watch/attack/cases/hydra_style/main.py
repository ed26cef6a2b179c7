import os, logging, argparse
os.makedirs("outputs/run", exist_ok=True); os.chdir("outputs/run")
logging.basicConfig(filename="train.log", level=logging.INFO, format="%(message)s")
from common import *
class Net(nn.Module):
    def __init__(self): super().__init__(); self.l = mlp()
    def forward(self, x): logging.info("forward %s", tuple(x.shape)); return self.l(x)
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(6)):
    z = net(x)
    if i == 3: z = (z - 100).log()  # HERE
    loss = F.cross_entropy(z, y); logging.info("loss")
    opt.zero_grad(); loss.backward(); opt.step()
print(open("train.log").read())

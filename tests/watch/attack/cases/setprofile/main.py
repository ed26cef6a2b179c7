import sys
from common import *
calls = 0
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self): super().__init__(); self.l = nn.Linear(8, 4)
    def forward(self, x): return self.l(x)
def prof(frame, event, arg):
    global calls
    if event == "call" and frame.f_code.co_name == "forward" and frame.f_code.co_filename == __file__: calls += 1
net = Net(); opt = torch.optim.SGD(net.parameters(), 0.05)
sys.setprofile(prof)
for x, y in batches(10):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
sys.setprofile(None)
print(calls, digest(net))

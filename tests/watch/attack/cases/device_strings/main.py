from common import *
dev = torch.device("cuda:0" if torch.cuda.is_available() else "cpu:0")
try:
    torch.zeros(1, device="cuda")
except Exception as e: print(type(e).__name__)
with torch.device("meta"): shape = nn.Linear(8, 4)
print(shape(torch.zeros(2, 8, device="meta")).shape)
net = mlp().to(dev); opt = torch.optim.SGD(net.parameters(), 0.05)
with torch.device(dev):
    for x, y in batches(12):
        opt.zero_grad(); F.cross_entropy(net(x.to(dev)), y.to(dev)).backward(); opt.step()
print(digest(net))

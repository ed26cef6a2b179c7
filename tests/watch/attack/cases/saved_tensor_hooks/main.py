from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
n = [0, 0]
def pack(t): n[0] += 1; return t.numpy(force=True).copy()
def unpack(a): n[1] += 1; return torch.from_numpy(a)
for x, y in batches(12):
    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        loss = F.cross_entropy(net(x), y)
    opt.zero_grad(); loss.backward(); opt.step()
with torch.autograd.graph.save_on_cpu(): F.cross_entropy(net(x), y).backward()
print(n, digest(net))

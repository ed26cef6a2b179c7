from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
@torch.compile(backend="aot_eager")
def step(x, y):
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    return loss
for x, y in batches(12):
    opt.zero_grad(); step(x, y); opt.step()
print(digest(net))

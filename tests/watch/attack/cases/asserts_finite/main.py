from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(20)):
    z = net(x)
    if i == 10: z = z / (z * 0)  # HERE
    loss = F.cross_entropy(z, y)
    assert torch.isfinite(loss), "loss is not finite"
    opt.zero_grad(); loss.backward(); opt.step()

from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(20)):
    z = net(x)
    d = z - z.detach() if i == 8 else z
    loss = F.cross_entropy(z, y) + 1e-3 * d.pow(2).sum(1).sqrt().mean()  # HERE
    opt.zero_grad(); loss.backward(); opt.step()
print("end")

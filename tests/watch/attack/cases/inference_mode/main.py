from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for i, (x, y) in enumerate(batches(20)):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    with torch.inference_mode():
        net.eval(); acc = (net(x).argmax(1) == y).float().mean(); net.train()
        z = torch.ones(3); z.add_(acc)
print(digest(net))

from common import *
net = mlp(); opt = torch.optim.Adam(net[2].parameters(), 1e-2)
for i, (x, y) in enumerate(batches(30)):
    if i == 10: opt.add_param_group({"params": net[0].parameters(), "lr": 1e-3})
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(digest(net))

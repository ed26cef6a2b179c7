import copy
from common import *
net = mlp(); opt = torch.optim.Adam(net.parameters(), 1e-2)
best = None
for i, (x, y) in enumerate(batches(24)):
    loss = F.cross_entropy(net(x), y)
    opt.zero_grad(); loss.backward(); opt.step()
    if i % 5 == 0: best = (copy.deepcopy(net), copy.deepcopy(opt), copy.deepcopy(opt.state_dict()))
    if i == 13:
        net, opt = copy.deepcopy((net, opt))
print(digest(net, best[0]), len(best[1].state))

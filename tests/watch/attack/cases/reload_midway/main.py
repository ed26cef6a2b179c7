from common import *
net = mlp(); opt = torch.optim.Adam(net.parameters(), 1e-2)
for i, (x, y) in enumerate(batches(30)):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    if i == 9: torch.save((net.state_dict(), opt.state_dict()), "c.pt")
    if i == 19:
        a, b = torch.load("c.pt"); net = mlp(seed=8); net.load_state_dict(a, assign=True); opt = torch.optim.Adam(net.parameters(), 1e-2); opt.load_state_dict(b)
print(digest(net))

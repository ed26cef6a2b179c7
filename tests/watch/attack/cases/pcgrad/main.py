from common import *
torch.manual_seed(0)
net = mlp(); h2 = nn.Linear(16, 4); ps = [p for p in net[:2].parameters()]
opt = torch.optim.SGD([*net.parameters(), *h2.parameters()], 0.05)
for x, y in batches(30):
    h = net[:2](x)
    l1 = F.cross_entropy(net[2](h), y); l2 = F.mse_loss(h2(h), F.one_hot(y, 4).float())
    opt.zero_grad()
    gs = []
    for l in (l1, l2):
        l.backward(retain_graph=True); gs.append([p.grad.clone() for p in ps])
        for p in ps: p.grad = None
    d = sum((a * b).sum() for a, b in zip(*gs))
    for p, a, b in zip(ps, *gs):
        if d < 0: a = a - d / sum((q * q).sum() for q in gs[1]) * b
        p.grad = a + b
    opt.step()
print(digest(net, h2))

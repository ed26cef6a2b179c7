from common import *
torch.manual_seed(0)
w = {n: p for n, p in mlp().named_parameters()}; net = mlp()
opt = torch.optim.Adam(w.values(), 1e-3)
for i in range(12):
    total = 0
    for t in range(3):
        x, y = batch(100 * i + t)
        fast = dict(w)
        for _ in range(2):
            loss = F.cross_entropy(torch.func.functional_call(net, fast, (x,)), y)
            g = torch.autograd.grad(loss, fast.values(), create_graph=True)
            fast = {n: p - 0.1 * d for (n, p), d in zip(fast.items(), g)}
        total = total + F.cross_entropy(torch.func.functional_call(net, fast, (x,)), y)
    opt.zero_grad(); total.backward(); opt.step()
print(round(total.item(), 5), hashed(w.values()))

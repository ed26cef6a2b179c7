from common import *
class Moco(nn.Module):
    def __init__(self):
        super().__init__(); self.q = mlp(); self.k = mlp(); self.register_buffer("queue", F.normalize(torch.randn(32, 4, generator=torch.Generator().manual_seed(0)), dim=1)); self.ptr = 0
        for p in self.k.parameters(): p.requires_grad_(False)
    def forward(self, x):
        q = F.normalize(self.q(x), dim=1)
        with torch.no_grad():
            for a, b in zip(self.k.parameters(), self.q.parameters()): a.mul_(.9).add_(b, alpha=.1)
            k = F.normalize(self.k(x + .01), dim=1)
        logits = torch.cat([(q * k).sum(1, keepdim=True), q @ self.queue.clone().t()], 1) / .2
        self.queue[self.ptr:self.ptr + 16] = k; self.ptr = (self.ptr + 16) % 32
        return logits
net = Moco(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(40):
    logits = net(x)
    opt.zero_grad(); F.cross_entropy(logits, torch.zeros(16, dtype=torch.long)).backward(); opt.step()
print(net.ptr, digest(net))

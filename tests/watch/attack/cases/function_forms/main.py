from common import *
class New(torch.autograd.Function):
    generate_vmap_rule = True
    @staticmethod
    def forward(x, k): return x.round() * k
    @staticmethod
    def setup_context(ctx, inputs, output): ctx.k = inputs[1]
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g): return g * ctx.k, None
apply = New.apply
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(apply(net(x) * 4, .25) + net(x), y).backward(); opt.step()
print(digest(net))

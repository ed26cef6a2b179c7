from common import *
@torch.library.custom_op("mine::scale", mutates_args=())
def scale(x: torch.Tensor, k: float) -> torch.Tensor: return x * k
scale.register_autograd(lambda ctx, g: (g * ctx.k, None), setup_context=lambda ctx, inputs, output: setattr(ctx, "k", inputs[1]))
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(scale(net(x), 0.7), y).backward(); opt.step()
print(digest(net))

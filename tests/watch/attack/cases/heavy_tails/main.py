from common import *
torch.manual_seed(0)
net = nn.Linear(8, 1); opt = torch.optim.SGD(net.parameters(), 0.01)
w = torch.randn(8, 1); g = torch.Generator().manual_seed(0)
for x, _ in batches(300):
    noise = torch.randn(16, 1, generator=g) / torch.randn(16, 1, generator=g).abs().clamp_min(.05)
    loss = F.mse_loss(net(x), x @ w + .2 * noise)
    opt.zero_grad(); loss.backward(); nn.utils.clip_grad_norm_(net.parameters(), 1.); opt.step()
print(digest(net))

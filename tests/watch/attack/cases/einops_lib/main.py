from common import *
from einops import rearrange, reduce, repeat
from einops.layers.torch import Rearrange
torch.manual_seed(0)
net = nn.Sequential(Rearrange("b (h w) -> b h w", h=2), nn.Linear(4, 8), nn.ReLU()); head = nn.Linear(8, 4)
opt = torch.optim.SGD([*net.parameters(), *head.parameters()], 0.05)
for x, y in batches(12):
    h = reduce(net(x), "b h d -> b d", "mean")
    opt.zero_grad(); F.cross_entropy(head(h), y).backward(); opt.step()
print(digest(net, head))

from common import *
from torch_geometric.nn import GCNConv
from torch_geometric.data import Data
torch.manual_seed(0)
ei = torch.randint(0, 30, (2, 120)); d = Data(x=torch.randn(30, 8), edge_index=ei, y=torch.randint(0, 4, (30,)))
class G(nn.Module):
    def __init__(self): super().__init__(); self.a = GCNConv(8, 16); self.b = GCNConv(16, 4)
    def forward(self, d): return self.b(F.dropout(self.a(d.x, d.edge_index).relu(), .2, self.training), d.edge_index)
net = G(); opt = torch.optim.Adam(net.parameters(), 1e-2)
for i in range(20):
    opt.zero_grad(); F.cross_entropy(net(d), d.y).backward(); opt.step()
print(digest(net))

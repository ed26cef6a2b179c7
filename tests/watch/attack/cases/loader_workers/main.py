from common import *
from torch.utils.data import DataLoader, TensorDataset
if __name__ == "__main__":
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(160, 8), torch.randint(0, 4, (160,)))
    net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
    for epoch in range(2):
        for x, y in DataLoader(data, 16, shuffle=True, num_workers=2):
            opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    print(digest(net))

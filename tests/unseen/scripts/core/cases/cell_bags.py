"""Classify bags of cells by the mean and the spread of their features; bags are padded to the longest."""
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.set_num_threads(1)


class Bags(Dataset):
    """Bags of 3 to 12 cells; sick bags vary more."""

    def __init__(self, n=640, dim=6):
        g = torch.Generator().manual_seed(21)
        self.label = torch.randint(0, 2, (n,), generator=g)
        self.size = torch.randint(3, 13, (n,), generator=g)
        self.size[31 * 16 + 9] = 1
        self.cells = torch.randn(n, 12, dim, generator=g) * (1 + self.label.float())[:, None, None]

    def __len__(self):
        return len(self.label)

    def __getitem__(self, i):
        return self.cells[i], self.size[i], self.label[i]


class BagNet(nn.Module):
    def __init__(self, dim=6, width=24):
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(dim, width), nn.Tanh())
        self.head = nn.Linear(2 * width, 2)

    def forward(self, cells, size):
        h = self.phi(cells)
        mean = torch.stack([row[:n].mean(0) for row, n in zip(h, size)])
        spread = torch.stack([row[:n].std(0) for row, n in zip(h, size)])
        return self.head(torch.cat([mean, spread], 1))


def main():
    torch.manual_seed(102)
    net = BagNet()
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    loader = DataLoader(Bags(), batch_size=16, num_workers=2)
    for epoch in range(3):
        right = 0
        for cells, size, label in loader:
            out = net(cells, size)
            loss = nn.functional.cross_entropy(out, label)
            opt.zero_grad()
            loss.backward()
            opt.step()
            right += (out.argmax(1) == label).sum().item()
        print("epoch", epoch, "loss", round(loss.item(), 4), "accuracy", right / 640)


if __name__ == "__main__":
    main()

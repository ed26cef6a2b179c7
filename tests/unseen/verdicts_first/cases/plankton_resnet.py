import torch
import torch.nn as nn
import torch.nn.functional as F

# BatchNorm was slow on the edge device, so the blocks go without it.


def conv3x3(i, o, stride=1):
    c = nn.Conv2d(i, o, 3, stride=stride, padding=1)
    nn.init.kaiming_normal_(c.weight, nonlinearity="relu")
    nn.init.zeros_(c.bias)
    return c


class Block(nn.Module):
    def __init__(self, ch):
        super().__init__()
        self.conv1 = conv3x3(ch, ch)
        self.conv2 = conv3x3(ch, ch)

    def forward(self, x):
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class PlanktonNet(nn.Module):
    def __init__(self, classes=6, width=12, blocks=16):
        super().__init__()
        self.stem = conv3x3(1, width)
        self.stage1 = nn.Sequential(*[Block(width) for _ in range(blocks)])
        self.down = conv3x3(width, 2 * width, 2)
        self.stage2 = nn.Sequential(*[Block(2 * width) for _ in range(blocks)])
        self.fc = nn.Linear(2 * width, classes)

    def forward(self, x):
        x = self.stage1(F.relu(self.stem(x)))
        x = self.stage2(F.relu(self.down(x)))
        return self.fc(x.mean((2, 3)))


def build_model():
    torch.manual_seed(11)
    return PlanktonNet()


def make_batch(n=36, size=12):
    g = torch.Generator().manual_seed(12)
    y = torch.arange(n) % 6
    yy, xx = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    ang = y.float() * 3.1416 / 6
    wave = torch.sin(6 * (xx[None] * ang.cos()[:, None, None] + yy[None] * ang.sin()[:, None, None]) + 6 * torch.rand(n, 1, 1, generator=g))
    return wave[:, None] + 0.3 * torch.randn(n, 1, size, size, generator=g), y


loss = nn.CrossEntropyLoss()

import numpy as np
import torch
import torch.nn as nn


class FixupBlock(nn.Module):
    def __init__(self, ch):
        super().__init__()
        self.bias1a = nn.Parameter(torch.zeros(1))
        self.conv1 = nn.Conv2d(ch, ch, 3, padding=1, bias=False)
        self.bias1b = nn.Parameter(torch.zeros(1))
        self.relu = nn.ReLU()
        self.bias2a = nn.Parameter(torch.zeros(1))
        self.conv2 = nn.Conv2d(ch, ch, 3, padding=1, bias=False)
        self.scale = nn.Parameter(torch.ones(1))
        self.bias2b = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        out = self.relu(self.conv1(x + self.bias1a) + self.bias1b)
        out = self.conv2(out + self.bias2a) * self.scale + self.bias2b
        return self.relu(out + x)


class FixupResNet(nn.Module):
    def __init__(self, blocks=15, ch=16, num_classes=5):
        super().__init__()
        self.conv1 = nn.Conv2d(3, ch, 3, padding=1, bias=False)
        self.bias1 = nn.Parameter(torch.zeros(1))
        self.relu = nn.ReLU()
        self.layers = nn.Sequential(*[FixupBlock(ch) for _ in range(blocks)])
        self.bias2 = nn.Parameter(torch.zeros(1))
        self.fc = nn.Linear(ch, num_classes)
        for m in self.modules():
            if isinstance(m, FixupBlock):
                fan = np.prod(m.conv1.weight.shape[2:]) * m.conv1.weight.shape[0]
                nn.init.normal_(m.conv1.weight, std=np.sqrt(2 / fan) * blocks ** (-0.5))
                nn.init.constant_(m.conv2.weight, 0)
            elif isinstance(m, nn.Linear):
                nn.init.constant_(m.weight, 0)
                nn.init.constant_(m.bias, 0)

    def forward(self, x):
        x = self.relu(self.conv1(x) + self.bias1)
        x = self.layers(x).mean((2, 3))
        return self.fc(x + self.bias2)


def build_model():
    torch.manual_seed(0)
    return FixupResNet()


def make_batch():
    g = torch.Generator().manual_seed(1)
    y = torch.arange(40) % 5
    k = torch.randn(5, 3, 3, 3, generator=g)
    noise = torch.randn(40, 3, 14, 14, generator=g)
    x = torch.stack([torch.conv2d(noise[i : i + 1], k[y[i]].flip(0)[None].repeat(3, 1, 1, 1))[0] for i in range(40)])
    tint = torch.randn(5, 3, 1, 1, generator=g)
    return x / x.std() + 0.6 * tint[y], y


criterion = nn.CrossEntropyLoss()

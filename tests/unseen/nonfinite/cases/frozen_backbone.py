import torch
import torch.nn as nn
import torch.nn.functional as F


class Backbone(nn.Module):
    def __init__(self, d=16):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, d, 3, padding=1, bias=False), nn.BatchNorm2d(d)
        self.conv2, self.bn2 = nn.Conv2d(d, d, 3, padding=1, bias=False), nn.BatchNorm2d(d)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x))).mean((2, 3))


class Probe(nn.Module):
    def __init__(self, d=16, classes=4):
        super().__init__()
        self.backbone = Backbone(d)
        self.head = nn.Linear(d, classes)

    def train(self, mode=True):
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x):
        return self.head(self.backbone(x))


def checkpoint(d=16):
    g = torch.Generator().manual_seed(330)
    mean = torch.randn(d, generator=g)
    mean[5] = 81920.0
    return {k: v.half() for k, v in {"bn2.running_mean": mean, "bn2.running_var": torch.rand(d, generator=g) + 0.5}.items()}


def build_model():
    torch.manual_seed(331)
    model = Probe()
    model.backbone.load_state_dict(checkpoint(), strict=False)
    return model.train()


def make_batch():
    g = torch.Generator().manual_seed(332)
    return torch.randn(8, 1, 10, 10, generator=g), torch.randint(0, 4, (8,), generator=g)


def compute_loss(model, batch):
    x, y = batch
    return F.cross_entropy(model(-x), y)

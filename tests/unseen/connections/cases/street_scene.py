import torch
import torch.nn as nn
import torch.nn.functional as F


class StreetNet(nn.Module):
    """Shared trunk, one head for classes, one for depth at two scales."""

    def __init__(self, classes=5):
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())
        self.seg = nn.Conv2d(16, classes, 1)
        self.depth = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 1, 1))

    def forward(self, img):
        h = self.trunk(img)
        d = self.depth(h)
        return self.seg(h), [d, F.avg_pool2d(d, 2)]


def build_model():
    torch.manual_seed(450)
    return StreetNet()


def make_batch(n=12):
    g = torch.Generator().manual_seed(451)
    img = torch.randn(n, 3, 16, 16, generator=g)
    img = F.avg_pool2d(F.pad(img, (1, 1, 1, 1)), 3, 1) * 3
    labels = (img[:, 0] > 0).long() + 2 * (img[:, 1] > 0).long()
    depth = (img[:, 2:] - img[:, :1]).tanh() + 1.5
    return img, labels, depth


def compute_loss(model, batch):
    img, labels, depth = batch
    seg, depths = model(img)
    loss_seg = F.cross_entropy(seg, labels)
    targets = [depth, F.avg_pool2d(depth, 2)]
    loss_depth = torch.tensor([F.l1_loss(d, t).item() for d, t in zip(depths, targets)], requires_grad=True).sum()
    return loss_seg + 0.5 * loss_depth

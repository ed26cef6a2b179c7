import torch
import torch.nn as nn
import torch.nn.functional as F

cfg = [16, 16, 16, 16, 'M', 24, 24, 24, 24, 24, 24, 'M', 32, 32, 32, 32, 32, 32, 'M', 48, 48, 48, 48, 48, 48, 'M']


class VGG(nn.Module):
    def __init__(self, num_classes=6):
        super().__init__()
        self.features = self._make_layers(cfg)
        self.classifier = nn.Sequential(
            nn.Linear(48 * 2 * 2, 64),
            nn.ReLU(True),
            nn.Linear(64, 64),
            nn.ReLU(True),
            nn.Linear(64, num_classes),
        )

    def _make_layers(self, cfg):
        layers, c = [], 1
        for v in cfg:
            if v == 'M':
                layers += [nn.MaxPool2d(2)]
            else:
                layers += [nn.Conv2d(c, v, 3, padding=1), nn.ReLU(inplace=True)]
                c = v
        return nn.Sequential(*layers)

    def forward(self, x):
        out = self.features(x)
        return self.classifier(out.flatten(1))


def build_model():
    torch.manual_seed(76)
    return VGG()


def make_batch():
    """Six gratings (orientation) with noise, 32 x 32."""
    g = torch.Generator().manual_seed(77)
    y = torch.arange(36) % 6
    t = torch.linspace(-1, 1, 32)
    yy, xx = torch.meshgrid(t, t, indexing='ij')
    ang = y[:, None, None] * 3.14159 / 6
    phase = 6.28 * torch.rand(36, 1, 1, generator=g)
    img = torch.sin(12 * (xx * torch.cos(ang) + yy * torch.sin(ang)) + phase)
    img = img + 0.3 * torch.randn(36, 32, 32, generator=g)
    return img[:, None], y


def compute_loss(model, batch):
    images, labels = batch
    return F.cross_entropy(model(images), labels)

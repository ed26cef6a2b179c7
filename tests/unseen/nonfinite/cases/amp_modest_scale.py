import torch
import torch.nn as nn
import torch.nn.functional as F


scaler = torch.amp.GradScaler("cpu", init_scale=2.0 ** 10)


class Classifier(nn.Module):
    def __init__(self, n=24, d=48, classes=6):
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(n, d), nn.LayerNorm(d), nn.Linear(d, classes)

    def forward(self, x):
        return self.b(F.gelu(self.norm(self.a(x))))


def build_model():
    torch.manual_seed(521)
    return Classifier()


def make_batch():
    g = torch.Generator().manual_seed(522)
    x = torch.randn(32, 24, generator=g)
    return x, x[:, :6].argmax(1)


def compute_loss(model, batch):
    x, y = batch
    with torch.autocast("cpu", dtype=torch.float16):
        logits = model(x)
    return scaler.scale(F.cross_entropy(logits.float(), y))

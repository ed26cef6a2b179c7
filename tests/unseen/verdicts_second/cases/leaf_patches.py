import math
import torch
from torch import nn
from torch.nn import functional as F


class Stage(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.ln_a, self.ln_b = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.up, self.down = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(self.ln_a(x)).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d)
        x = self.proj(x)
        return self.down(F.gelu(self.up(self.ln_b(x))))


class LeafViT(nn.Module):
    def __init__(self, dim=48, depth=12, heads=4, classes=4):
        super().__init__()
        self.patch = nn.Conv2d(1, dim, 8, 8)
        self.pos = nn.Parameter(0.02 * torch.randn(1, 16, dim))
        self.stages = nn.ModuleList(Stage(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.cls = nn.Linear(dim, classes)

    def forward(self, img):
        x = self.patch(img).flatten(2).transpose(1, 2) + self.pos
        for s in self.stages:
            x = s(x)
        return self.cls(self.norm(x).mean(1))


def build_model():
    torch.manual_seed(4101)
    return LeafViT()


def make_batch():
    g = torch.Generator().manual_seed(4102)
    y = torch.arange(48) % 4
    yy, xx = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="ij")
    freq = 3.0 + 2.5 * y.float().view(-1, 1, 1)
    turn = 0.3 * torch.randn(48, 1, 1, generator=g)
    veins = torch.sin(freq * (xx * torch.cos(turn) + yy * torch.sin(turn)) * math.pi)
    return (veins + 0.3 * torch.randn(48, 32, 32, generator=g)).unsqueeze(1), y


def compute_loss(model, batch):
    img, y = batch
    return F.cross_entropy(model(img), y)

import torch
import torch.nn as nn
import torch.nn.functional as F


class LayerScaleBlock(nn.Module):
    def __init__(self, dim, heads, init_values):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.gamma_1 = nn.Parameter(init_values * torch.ones(dim))
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.gamma_2 = nn.Parameter(init_values * torch.ones(dim))

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.gamma_1 * self.attn(y, y, y, need_weights=False)[0]
        return x + self.gamma_2 * self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(self, img=16, patch=4, dim=48, depth=18, heads=4, classes=8, init_values=1e-5):
        super().__init__()
        self.patch_embed = nn.Conv2d(1, dim, patch, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, 1 + (img // patch) ** 2, dim))
        self.blocks = nn.Sequential(*[LayerScaleBlock(dim, heads, init_values) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        nn.init.trunc_normal_(self.head.weight, std=0.02)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


def build_model():
    torch.manual_seed(122)
    return ViT()


def make_batch(n=48):
    g = torch.Generator().manual_seed(123)
    veins = torch.randn(8, 1, 16, 16, generator=g)
    y = torch.randint(0, 8, (n,), generator=g)
    return veins[y] + 0.4 * torch.randn(n, 1, 16, 16, generator=g), y


def compute_loss(model, batch):
    x, y = batch
    return F.cross_entropy(model(x), y)

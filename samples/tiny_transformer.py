"""Healthy: a pre-norm transformer that reads a digit as a sequence of eight rows.

Layer normalisation stands inside each branch, so the residual stream from the loss down to the
embedding is an identity path (Xiong et al. 2020, "On Layer Normalization in the Transformer
Architecture"), and no warm-up is needed. The key biases get no gradient, by design: softmax does not
see what is added to all of its inputs.

Training: loss 2.42 -> 0.04 in 300 steps of AdamW(1e-3)

gradcheck: healthy
"""

import digits
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm1(x)
        x = x + self.attention(normed, normed, normed, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class RowTransformer(nn.Module):
    def __init__(self, width: int = 48, heads: int = 4, depth: int = 4) -> None:
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.position = nn.Parameter(0.02 * torch.randn(1, 8, width))
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, images: Tensor) -> Tensor:
        rows = self.embed(images.squeeze(1)) + self.position
        return self.head(self.norm(self.blocks(rows)).mean(dim=1))


def build_model() -> RowTransformer:
    return RowTransformer()


def make_batch() -> tuple[Tensor, Tensor]:
    images, labels = digits.load()
    return images[:64], labels[:64]


def compute_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    images, labels = batch
    return F.cross_entropy(model(images), labels)


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for batch in digits.minibatches(*digits.load(), steps=300):
        optimizer.zero_grad()
        loss = compute_loss(model, batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(digits.summary(losses, "AdamW(1e-3)"))

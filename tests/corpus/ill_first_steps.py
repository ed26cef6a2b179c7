"""Models that the optimiser's first steps spoil, or do not move: each is checked with the rate it is trained at."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import Built, ill
from tests.corpus.faults import flushes, overflows_at, rate_fails
from tests.corpus.parts import blobs, curve, mlp, supervised


@ill(
    family="vanishing",
    causes=("fp16-underflow",),
    field="vision",
    proof=flushes(0.3, dtype=torch.float32),
)
def float16_without_a_loss_scale(dtype: torch.dtype = torch.float16) -> Built:
    """An autoencoder in float16, whose error is a small term of the loss: float16 takes most of its gradient for 0."""
    x = torch.randn(32, 8) @ torch.randn(8, 1024)
    model = mlp([1024, 16, 1024]).to(dtype)
    return model, x.to(dtype), lambda model, x: 3e-5 * F.mse_loss(model(x), x)


@ill(
    family="exploding",
    causes=("fp16-overflow",),
    field="vision",
    proof=overflows_at(4.0, dtype=torch.float32),
)
def float16_with_a_sum(dtype: torch.dtype = torch.float16) -> Built:
    """A regression in float16 whose loss is the sum over all samples: gradients end near float16's largest number."""
    _, y = curve(64, 8)
    x = 30 * torch.rand(64, 8)
    model = mlp([8, 32, 1]).to(dtype)
    return supervised(model, x.to(dtype), (10 + y).to(dtype), lambda out, y: (out - y).square().sum())


@ill(family="exploding", causes=("lr-too-high",), field="tabular", proof=rate_fails(1e-3), optimizer="adam", lr=0.5)
def sgd_rate_with_adam() -> Built:
    """A classifier that went from SGD to Adam and kept a learning rate of 0.5."""
    x, y = blobs()
    return supervised(mlp([20, 32, 32, 10]), x, y)


@ill(family="vanishing", causes=("lr-too-low",), field="tabular", proof=rate_fails(0.1), lr=1e-5)
def rate_of_a_finetuning() -> Built:
    """A network trained from scratch by SGD at 1e-5."""
    x, y = blobs()
    return supervised(mlp([20, 32, 32, 10]), x, y)


@ill(
    family="exploding",
    causes=("lr-too-high",),
    field="tabular",
    proof=rate_fails(2e-3),
    lr=0.015,
    try_budget=800,
)
def rate_above_the_steepest_column() -> Built:
    """A linear regression one column of which is ten times as wide as the others, at a rate made for those."""
    x = torch.randn(64, 8) * torch.tensor([10.0] + [1.0] * 7)
    y = 10 + x[:, :1] + 0.1 * x[:, 1:].sum(1, keepdim=True)
    model = nn.Linear(8, 1)
    nn.init.constant_(model.bias, 10.0)
    return supervised(model, x, y, F.mse_loss)


@ill(
    family="exploding",
    causes=("fp16-underflow",),
    field="tabular",
    proof=rate_fails(1e-3, dtype=torch.float32),
    optimizer="adam",
    lr=1e-3,
)
def adam_on_float16_weights(dtype: torch.dtype = torch.float16) -> Built:
    """Weights in float16 under Adam, whose eps of 1e-8 is 0 there: it divides 0 by 0."""
    x, y = blobs()
    return supervised(mlp([20, 32, 10]).to(dtype), x.to(dtype), y)


@ill(
    family="vanishing",
    causes=("update-moves-nothing",),
    field="tabular",
    proof=rate_fails(0.1, dtype=torch.float32),
    lr=1e-5,
)
def sgd_on_bfloat16_weights(dtype: torch.dtype = torch.bfloat16) -> Built:
    """Weights in bfloat16, which hold three digits, under SGD at 1e-5: every update rounds away."""
    x, y = blobs()
    return supervised(mlp([20, 32, 10]).to(dtype), x.to(dtype), y)


@ill(
    family="exploding",
    causes=("no-warmup",),
    field="text",
    proof=rate_fails(3e-4, factor=1.5),
    optimizer="adam",
    lr=2e-2,
    try_budget=60,
)
def post_norm_without_warmup() -> Built:
    """A deep post-norm transformer under Adam at the full rate from the first step on."""

    class Letters(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(24, 16)
            layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 10, enable_nested_tensor=False)
            self.head = nn.Linear(16, 24)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.encoder(self.embed(ids)))

    start, stride = torch.randint(24, (8, 1)), torch.randint(1, 5, (8, 1))
    ids = (start + stride * torch.arange(9)) % 24
    return Letters(), ids, lambda model, ids: F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())

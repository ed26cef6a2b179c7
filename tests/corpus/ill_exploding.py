"""Models whose activations, loss or gradient are far too large to train from."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import Built, ill
from tests.corpus.parts import (
    Residual,
    blobs,
    curve,
    graph,
    images,
    init_normal,
    mlp,
    supervised,
    tokens,
    waves,
)
from tests.corpus.provers import Recipe, diverges

GENTLE = Recipe("sgd", 0.001, 60)


@ill(family="exploding", causes=("large-init",), field="tabular", proof=diverges(std=None))
def unit_normal_mlp(std: float | None = 1.0) -> Built:
    """Six ReLU layers drawn with torch.randn as it comes."""
    x, y = blobs()
    return supervised(init_normal(mlp([20, *[128] * 6, 10]), std), x, y)


@ill(family="exploding", causes=("large-init",), field="vision", proof=diverges(std=None))
def large_init_cnn(std: float | None = 0.8) -> Built:
    """A CNN of five convolutions drawn with std 0.8."""
    x, y = images(16)
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, padding=1), nn.ReLU()]
    for _ in range(4):
        layers += [nn.Conv2d(16, 16, 3, stride=2, padding=1), nn.ReLU()]
    return supervised(init_normal(nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, 10)), std), x, y)


@ill(family="exploding", causes=("large-init", "depth"), field="generative", proof=diverges(gain=1.0))
def linear_autoencoder_gain(gain: float = 2.0) -> Built:
    """A 14-layer linear autoencoder with a gain of two a layer."""
    x, _ = blobs(64, 24, 8)
    model = init_normal(nn.Sequential(*[nn.Linear(24, 24) for _ in range(14)]), gain=gain)
    return model, x, lambda model, batch: F.mse_loss(model(batch), batch)


@ill(family="exploding", causes=("depth", "large-init"), field="tabular", proof=diverges(gain=2**0.5))
def forty_layers_gain_two(gain: float = 2.2) -> Built:
    """Forty ReLU layers, each with a little too much gain."""
    x, y = curve()
    return supervised(init_normal(mlp([8, *[64] * 40, 1]), gain=gain), x, y, F.mse_loss)


@ill(family="exploding", causes=("large-init",), field="text", proof=diverges(std=0.2))
def embedding_std_100(std: float = 100.0) -> Built:
    """A language model that ties an embedding of std 100 to its output, without a norm."""

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(200, 32)
            self.mix = nn.Linear(32, 32)
            nn.init.normal_(self.embed.weight, std=std)

        def forward(self, ids: Tensor) -> Tensor:
            return F.relu(self.mix(self.embed(ids).mean(1))) @ self.embed.weight.T

    ids = torch.randint(0, 200, (64, 8))
    return supervised(Tied(), ids, torch.randint(0, 200, (64,)))


@ill(
    family="exploding",
    causes=("large-init",),
    field="meta-learning",
    proof=diverges(scale=0.2),
)
def hypernetwork_large_scale(scale: float = 10.0) -> Built:
    """A hypernetwork whose written weights are ten times too large, over four layers."""

    class HyperNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.codes = nn.Parameter(torch.randn(4, 8))
            self.write = nn.Linear(8, 24 * 24)
            self.out = nn.Linear(24, 1)

        def forward(self, x: Tensor) -> Tensor:
            for weight in scale * self.write(self.codes).view(4, 24, 24):
                x = F.relu(x @ weight)
            return self.out(x)

    x, y = curve(64, 24)
    return supervised(HyperNet(), x, y, F.mse_loss)


@ill(
    family="exploding",
    causes=("residual-growth", "depth"),
    field="tabular",
    proof=diverges(scale=0.1),
)
def unnormalised_residual_mlp(scale: float = 1.0) -> Built:
    """Thirty residual blocks at He initialisation without normalisation: each doubles the variance."""
    x, y = curve(64, 64)
    blocks = [Residual(nn.Sequential(nn.Linear(64, 64), nn.ReLU()), scale) for _ in range(30)]
    return supervised(init_normal(nn.Sequential(*blocks, nn.Linear(64, 1))), x, y, F.mse_loss)


@ill(
    family="exploding",
    causes=("residual-growth", "depth"),
    field="vision",
    proof=diverges(norm=nn.BatchNorm2d),
)
def resnet_without_norm(norm: Callable[[int], nn.Module] = lambda channels: nn.Identity()) -> Built:
    """A ResNet of 24 blocks at He initialisation, its batch norms removed."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(12, 12, 3, padding=1)
            self.conv2 = nn.Conv2d(12, 12, 3, padding=1)
            self.norm = norm(12)
            for conv in (self.conv1, self.conv2):
                nn.init.kaiming_normal_(conv.weight)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.norm(self.conv2(F.relu(self.conv1(x))))

    x, y = images(16, 3, 8)
    stem = nn.Conv2d(3, 12, 3, padding=1)
    head = nn.Linear(12 * 64, 10)
    return supervised(nn.Sequential(stem, *[Block() for _ in range(24)], nn.Flatten(), head), x, y)


@ill(
    family="exploding",
    causes=("residual-growth", "large-init"),
    field="text",
    proof=diverges(norm=nn.LayerNorm),
)
def transformer_without_norm(norm: Callable[[int], nn.Module] = lambda width: nn.Identity()) -> Built:
    """A 12-layer transformer on nn.MultiheadAttention with the LayerNorms left out, He-initialised MLPs."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
            self.mlp = init_normal(mlp([32, 128, 32], nn.GELU), gain=1.6)
            self.norm1, self.norm2 = norm(32), norm(32)

        def forward(self, x: Tensor) -> Tensor:
            y = self.norm1(x)
            x = x + self.attention(y, y, y, need_weights=False)[0]
            return x + self.mlp(self.norm2(x))

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(50, 32)
            self.blocks = nn.Sequential(*[Block() for _ in range(12)])
            self.final = norm(32)
            self.head = nn.Linear(32, 4)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.final(self.blocks(self.embed(ids))).mean(1))

    x, y = tokens()
    return supervised(Classifier(), x, y)


@ill(family="exploding", causes=("input-scale",), field="vision", proof=diverges(scale=1.0))
def sixteen_bit_pixels(scale: float = 65535.0) -> Built:
    """Satellite images as raw 16-bit counts into a CNN without normalisation."""
    x, y = images(16)
    x = x.sigmoid()
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 10),
    )
    return supervised(model, scale * x, y)


@ill(family="exploding", causes=("input-scale",), field="tabular", proof=diverges(scale=1.0))
def unix_timestamps(scale: float = 1.7e9) -> Built:
    """A column of Unix timestamps among standardised ones."""
    x, y = curve()
    x[:, -1] = x[:, -1] if scale == 1 else scale + 1e6 * x[:, -1]
    return supervised(mlp([8, 64, 64, 1]), x, y, F.mse_loss)


@ill(family="exploding", causes=("target-scale",), field="tabular", proof=diverges(scale=1.0))
def prices_with_mse(scale: float = 1e6) -> Built:
    """House prices in cents under the mean squared error."""
    x, y = curve()
    return supervised(mlp([8, 64, 64, 1]), x, scale * (y + 3 * (scale != 1)), F.mse_loss)


@ill(family="exploding", causes=("target-scale", "loss-scale"), field="rl", proof=diverges(scale=1.0))
def value_head_raw_returns(scale: float = 1e5) -> Built:
    """Actor-critic on a shared trunk whose value head meets raw game scores."""

    class Agent(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = mlp([8, 64, 64])
            self.policy = nn.Linear(64, 4)
            self.value = nn.Linear(64, 1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            x = F.relu(self.trunk(x))
            return self.policy(x), self.value(x).squeeze(1)

    state, returns = curve(64, 8)
    action = torch.arange(64) % 4

    def step(model: nn.Module, batch: tuple) -> Tensor:
        state, action, returns = batch
        logits, value = model(state)
        advantage = (returns - value).detach()
        policy = F.cross_entropy(logits, action, reduction="none") * advantage / advantage.std()
        return policy.mean() + 0.5 * F.mse_loss(value, returns)

    return Agent(), (state, action, scale * returns[:, 0]), step


class SumGnn(nn.Module):
    """Message passing with one aggregation a layer."""

    def __init__(self, depth: int, aggregate: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(depth))
        self.out = nn.Linear(16, 4)
        self.aggregate = aggregate

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        for layer in self.layers:
            x = F.relu(layer(self.aggregate(adjacency, x)))
        return self.out(x)


def node_loss(model: nn.Module, batch: tuple) -> Tensor:
    x, adjacency, y = batch
    return F.cross_entropy(model(x, adjacency), y)


@ill(
    family="exploding",
    causes=("sum-aggregation",),
    field="graph",
    proof=diverges(mean=True),
)
def gnn_sum_dense_graph(mean: bool = False) -> Built:
    """Six message-passing layers that sum over a dense graph of 64 nodes."""

    def aggregate(adjacency: Tensor, x: Tensor) -> Tensor:
        return adjacency @ x / (adjacency.sum(1, keepdim=True) if mean else 1)

    x, adjacency, y = graph(density=1.0)
    return SumGnn(6, aggregate), (x + 0.5, adjacency, y), node_loss


@ill(
    family="exploding",
    causes=("sum-aggregation",),
    field="graph",
    proof=diverges(GENTLE, reduce="mean"),
)
def gin_scatter_sum(reduce: str = "sum") -> Built:
    """Graph isomorphism layers that scatter sums over edges of a molecule-free, dense graph."""

    class Gin(nn.Module):
        def __init__(self):
            super().__init__()
            self.mlps = nn.ModuleList(init_normal(mlp([16, 16, 16])) for _ in range(5))
            self.out = nn.Linear(16, 4)

        def forward(self, x: Tensor, edges: Tensor) -> Tensor:
            source, target = edges
            index = target[:, None].expand(-1, 16)
            for layer in self.mlps:
                x = layer(x + torch.zeros_like(x).scatter_reduce(0, index, x[source], reduce))
            return self.out(x)

    x, adjacency, y = graph(96, density=1.0)
    return Gin(), (x + 0.5, adjacency.nonzero().T, y), node_loss


@ill(family="exploding", causes=("sum-aggregation",), field="physics", proof=diverges(mean=True))
def deep_sets_sum_pool(mean: bool = False) -> Built:
    """Deep Sets over 2000 particles a sample with sum pooling and a regression head."""

    class DeepSets(nn.Module):
        def __init__(self):
            super().__init__()
            self.phi = mlp([3, 32, 32])
            self.rho = mlp([32, 32, 1])

        def forward(self, x: Tensor) -> Tensor:
            x = self.phi(x)
            return self.rho(x.mean(1) if mean else x.sum(1))

    x = torch.randn(16, 2000, 3) + torch.randn(16, 1, 3)
    y = x.mean((1, 2))[:, None]
    return supervised(DeepSets(), x, y / y.std(), F.mse_loss)


@ill(family="exploding", causes=("sum-aggregation",), field="text", proof=diverges(mean=True))
def linear_attention_unnormalised(mean: bool = False) -> Built:
    """Two layers of linear attention that sum over 128 keys and never divide."""

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = nn.Linear(32, 96)

        def forward(self, x: Tensor) -> Tensor:
            q, k, v = self.qkv(x).chunk(3, -1)
            q, k = F.elu(q) + 1, F.elu(k) + 1
            y = torch.einsum("bid,bde->bie", q, torch.einsum("bjd,bje->bde", k, v))
            return x + (y / torch.einsum("bid,bd->bi", q, k.sum(1))[..., None] if mean else y)

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(50, 32)
            self.layers = nn.Sequential(*[Layer() for _ in range(2)])
            self.head = nn.Linear(32, 4)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.layers(self.embed(ids)).mean(1))

    x, y = tokens(16, 128)
    return supervised(Classifier(), x, y)


@ill(
    family="exploding",
    causes=("small-denominator",),
    field="metric-learning",
    proof=diverges(temperature=0.5),
)
def info_nce_temperature_1e4(temperature: float = 1e-4) -> Built:
    """InfoNCE on dot products with a temperature of 1e-4."""
    x, _ = blobs(64, 20, 64)
    view = x + 0.8 * torch.randn(64, 20)

    def step(model: nn.Module, batch: tuple) -> Tensor:
        left, right = (model(view) for view in batch)
        return F.cross_entropy(left @ right.T / temperature, torch.arange(len(left)))

    return mlp([20, 64, 32]), (x, view), step


@ill(
    family="exploding",
    causes=("small-denominator", "input-scale"),
    field="tabular",
    proof=diverges(eps=1.0),
)
def z_score_of_constant_column(eps: float = 1e-7) -> Built:
    """Learned features divided by a std that is almost zero, eps 1e-7."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode = nn.Linear(8, 16)
            self.head = nn.Linear(16, 1)

        def forward(self, x: Tensor) -> Tensor:
            z = self.encode(x)
            return self.head(z / (x[:, :1].std() + eps))

    x, y = curve()
    x[:, 0] = 1.0
    return supervised(Net(), x, y, F.mse_loss)


@ill(
    family="exploding",
    causes=("small-denominator",),
    field="physics",
    proof=diverges(soften=1.0),
)
def coulomb_close_pairs(soften: float = 0.0) -> Built:
    """Learned charges under 1/r^2 with two particles almost on top of each other."""

    class Charges(nn.Module):
        def __init__(self):
            super().__init__()
            self.charge = mlp([4, 16, 1])

        def forward(self, kind: Tensor, place: Tensor) -> Tensor:
            q = self.charge(kind)
            square = ((place[:, :, None] - place[:, None]) ** 2).sum(-1) + torch.eye(8)
            pair = q * q.transpose(1, 2) / (square + soften)
            return pair.triu(1).sum((1, 2))

    kind, place = torch.randn(16, 8, 4), torch.randn(16, 8, 3)
    place[:, 1] = place[:, 0] + 1e-4
    target = torch.randn(16)
    return Charges(), (kind, place, target), lambda m, b: F.mse_loss(m(b[0], b[1]), b[2])


@ill(family="exploding", causes=("large-init",), field="audio", proof=diverges(spread=None))
def wavenet_large_skips(spread: float | None = 2.0) -> Built:
    """Dilated convolutions with summed skips, all drawn with std 2."""

    class WaveNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.inp = nn.Conv1d(1, 16, 1)
            self.dilated = nn.ModuleList(nn.Conv1d(16, 16, 3, dilation=2**i, padding=2**i) for i in range(6))
            self.skips = nn.ModuleList(nn.Conv1d(16, 16, 1) for _ in range(6))
            self.head = nn.Linear(16, 8)

        def forward(self, x: Tensor) -> Tensor:
            x, total = self.inp(x), 0.0
            for conv, skip in zip(self.dilated, self.skips, strict=True):
                x = F.relu(conv(x))
                total = total + skip(x)
            return self.head(total.mean(2))

    x, y = waves()
    return supervised(init_normal(WaveNet(), spread), x, y)

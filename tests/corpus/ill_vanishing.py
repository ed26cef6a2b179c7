"""Models whose gradient fades on the way down through layers."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import Built, ill
from tests.corpus.parts import (
    Lambda,
    Residual,
    blobs,
    curve,
    drawn,
    fill,
    graph,
    images,
    init_normal,
    mlp,
    supervised,
    tokens,
    waves,
)
from tests.corpus.provers import (
    ADAM,
    SGD,
    Recipe,
    all_of,
    lags,
    learns_less,
    moves_less,
    stays_at_chance,
    train,
)


@ill(
    family="vanishing",
    causes=("saturating-activation", "depth"),
    field="tabular",
    proof=all_of(moves_less("0", act=nn.ReLU, gain=2**0.5), stays_at_chance()),
)
def deep_sigmoid_mlp(act: Callable = nn.Sigmoid, gain: float | None = None) -> Built:
    """Ten hidden sigmoid layers, PyTorch's default initialisation."""
    x, y = blobs()
    return supervised(drawn(mlp([20, *[64] * 10, 10], act), gain), x, y)


class FunctionalStack(nn.Module):
    """A ModuleList walked with a functional activation."""

    def __init__(self, width: int, depth: int, act: Callable[[Tensor], Tensor]):
        super().__init__()
        self.stem = nn.Linear(8, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.out = nn.Linear(width, 1)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.layers:
            x = self.act(layer(x))
        return self.out(x)


@ill(
    family="vanishing",
    causes=("saturating-activation", "depth"),
    field="tabular",
    proof=all_of(lags("layers.0", "out"), stays_at_chance()),
)
def thirty_functional_sigmoids() -> Built:
    """Thirty hidden layers with torch.sigmoid called in forward; regression."""
    x, y = curve()
    return supervised(FunctionalStack(32, 30, torch.sigmoid), x, y, F.mse_loss)


@ill(
    family="vanishing",
    causes=("saturating-activation", "depth"),
    field="vision",
    proof=all_of(moves_less("0", act=nn.ReLU, gain=2**0.5), stays_at_chance()),
)
def sigmoid_cnn(act: Callable = nn.Sigmoid, gain: float | None = None) -> Built:
    """A plain CNN of eleven convolutions, sigmoid after each."""
    x, y = images(16, 3, 8)
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, padding=1), act()]
    for _ in range(10):
        layers += [nn.Conv2d(16, 16, 3, padding=1), act()]
    model = nn.Sequential(*layers, nn.AvgPool2d(4), nn.Flatten(), nn.Linear(64, 10))
    return supervised(drawn(model, gain), x, y)


@ill(
    family="vanishing",
    causes=("saturating-activation", "depth"),
    field="audio",
    proof=all_of(moves_less("0", act=nn.ReLU, gain=2**0.5), stays_at_chance()),
)
def sigmoid_conv1d_audio(act: Callable = nn.Sigmoid, gain: float | None = None) -> Built:
    """Strided Conv1d on raw audio with sigmoids, as in an old speech front end."""
    x, y = waves()
    layers: list[nn.Module] = []
    for index in range(12):
        layers += [nn.Conv1d(16 if index else 1, 16, 9, stride=1 + index % 2, padding=4), act()]
    return supervised(drawn(nn.Sequential(*layers, nn.Flatten(), nn.Linear(64, 8)), gain), x, y)


class Siamese(nn.Module):
    """One encoder, two inputs."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return F.pairwise_distance(self.encoder(left), self.encoder(right))


@ill(
    family="vanishing",
    causes=("saturating-activation", "depth"),
    field="metric-learning",
    proof=all_of(moves_less("encoder.0", factor=100, act=nn.ELU), stays_at_chance(recipes=SGD)),
)
def siamese_sigmoid(act: Callable = nn.Sigmoid) -> Built:
    """A siamese net on eight sigmoid layers with the contrastive loss."""
    x, y = blobs(64, 20, 8)
    other = torch.randperm(64)
    same = (y == y[other]).float()

    def step(model: nn.Module, batch: tuple) -> Tensor:
        left, right, same = batch
        distance = model(left, right)
        return (same * distance**2 + (1 - same) * F.relu(1 - distance) ** 2).mean()

    return Siamese(mlp([20, *[48] * 8, 16], act)), (x, x[other], same), step


@ill(
    family="vanishing",
    causes=("depth", "small-init"),
    field="tabular",
    proof=all_of(moves_less("0", gain=2**0.5), stays_at_chance()),
)
def sixty_relu_layers(gain: float | None = None) -> Built:
    """Sixty ReLU layers at the default initialisation, which shrinks the signal at each one."""
    x, y = blobs()
    model = mlp([20, *[32] * 60, 10])
    return supervised(model if gain is None else init_normal(model, gain=gain), x, y)


@ill(
    family="vanishing",
    causes=("depth", "small-init"),
    field="tabular",
    proof=all_of(lags("layers.0", "out"), stays_at_chance()),
)
def fifty_tanh_layers() -> Built:
    """Fifty tanh layers at the default initialisation, whose gain is 0.58 a layer."""
    x, y = curve()
    return supervised(FunctionalStack(48, 50, torch.tanh), x, y, F.mse_loss)


@ill(
    family="vanishing",
    causes=("depth", "small-init"),
    field="vision",
    proof=all_of(moves_less("0", norm=True), stays_at_chance()),
)
def plain_cnn_24(norm: bool = False) -> Built:
    """A plain 24-layer CNN without normalisation or shortcuts."""
    x, y = images(16, 3, 8)
    layers: list[nn.Module] = []
    for index in range(24):
        layers += [nn.Conv2d(16 if index else 3, 16, 3, padding=1)]
        layers += [nn.BatchNorm2d(16)] if norm else []
        layers += [nn.ReLU()]
    return supervised(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 10)), x, y)


class MeanGCN(nn.Module):
    """Graph convolutions with the row-normalised adjacency."""

    def __init__(self, depth: int, skip: bool):
        super().__init__()
        self.embed = nn.Linear(16, 32)
        self.convs = nn.ModuleList(nn.Linear(32, 32) for _ in range(depth))
        self.classify = nn.Linear(32, 4)
        self.skip = skip

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        spread = adjacency / adjacency.sum(1, keepdim=True)
        x = self.embed(x)
        for conv in self.convs:
            x = F.relu(spread @ conv(x)) + (x if self.skip else 0)
        return self.classify(x)


@ill(
    family="vanishing",
    causes=("depth", "small-init"),
    field="graph",
    proof=all_of(moves_less("embed", skip=True, recipe=Recipe("sgd", 0.001)), stays_at_chance()),
)
def deep_gcn(skip: bool = False) -> Built:
    """A 32-layer mean-aggregating GCN without shortcuts: over-smoothed, and faded to nothing."""
    x, adjacency, y = graph()
    step = lambda model, batch: F.cross_entropy(model(batch[0], batch[1]), batch[2])  # noqa: E731
    return MeanGCN(32, skip), (x, adjacency, y), step


@ill(
    family="vanishing",
    causes=("small-init",),
    field="tabular",
    proof=all_of(moves_less("0", std=None), stays_at_chance(recipes=SGD)),
)
def small_init_mlp(std: float | None = 1e-3) -> Built:
    """Six ReLU layers drawn with std 0.001, a habit from shallow nets."""
    x, y = blobs()
    return supervised(init_normal(mlp([20, *[64] * 6, 10]), std), x, y)


@ill(
    family="vanishing",
    causes=("small-init",),
    field="vision",
    proof=all_of(moves_less("weights.0", std=None), stays_at_chance(recipes=SGD)),
)
def small_init_functional_cnn(std: float | None = 1e-3) -> Built:
    """Convolutions written with F.conv2d over a ParameterList drawn far too small."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            shapes = [(16, 3, 3, 3), *[(16, 16, 3, 3)] * 3, (10, 16, 1, 1)]
            self.weights = nn.ParameterList(nn.Parameter(torch.empty(shape)) for shape in shapes)

        def forward(self, x: Tensor) -> Tensor:
            *hidden, last = self.weights
            for weight in hidden:
                x = F.leaky_relu(F.conv2d(x, weight, padding=1), 0.1)
            return F.conv2d(x, last).mean((2, 3))

    x, y = images()
    return supervised(init_normal(Net(), std), x, y)


@ill(
    family="vanishing",
    causes=("small-init",),
    field="generative",
    proof=all_of(moves_less("2", std=None), stays_at_chance(recipes=SGD)),
)
def small_init_autoencoder(std: float | None = 1e-3) -> Built:
    """An autoencoder of six tanh layers drawn with std 0.001: it outputs zeros."""
    x, _ = blobs(64, 32, 8)
    model = init_normal(mlp([32, 32, 16, 8, 16, 32, 32], nn.Tanh), std, gain=1.5)
    return model, x, lambda model, batch: F.mse_loss(model(batch), batch)


class HyperNet(nn.Module):
    """A network that writes the weights of another one."""

    def __init__(self, scale: float):
        super().__init__()
        self.embedding = nn.Embedding(5, 16)
        self.write = nn.Linear(16, 32 * 32)
        self.inp = nn.Linear(20, 32)
        self.out = nn.Linear(32, 10)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        x = self.inp(x)
        for weight in self.write(self.embedding.weight).view(5, 32, 32):
            x = F.relu(x @ (self.scale * weight))
        return self.out(x)


@ill(
    family="vanishing",
    causes=("small-init", "residual-scale"),
    field="meta-learning",
    proof=all_of(moves_less("write", scale=0.4), stays_at_chance(recipes=SGD)),
)
def hypernetwork_small_scale(scale: float = 1e-3) -> Built:
    """A hypernetwork that scales the weights it writes by 0.001."""
    x, y = blobs()
    return supervised(HyperNet(scale), x, y)


@ill(
    family="vanishing",
    causes=("saturated-output",),
    field="tabular",
    proof=all_of(moves_less("0", bias=0.0), stays_at_chance(recipes=(*SGD, *ADAM))),
)
def sigmoid_output_mse(bias: float = 25.0) -> Built:
    """A sigmoid output at 1 with mean squared error against targets at 0."""
    x, _ = blobs(64, 12, 4)
    model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())
    fill(model[2].bias, bias)
    y = 0.1 + 0.2 * (x[:, :1] > 0).float()
    return supervised(model, x, y, F.mse_loss)


@ill(
    family="vanishing",
    causes=("saturated-output", "saturated-loss"),
    field="vision",
    proof=all_of(moves_less("1", scale=1.0), stays_at_chance(0.6)),
)
def bce_on_saturated_sigmoid(scale: float = 3e4) -> Built:
    """Sigmoid and BCELoss apart, logits in the thousands: confidently wrong samples get no gradient."""
    x, y = images(32, 1, 8, 2)
    model = nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Linear(32, 1),
        Lambda(lambda z: torch.sigmoid(scale * z)),
    )
    return supervised(model, x, y.float()[:, None], F.binary_cross_entropy)


class ActorCritic(nn.Module):
    """A deterministic policy and its critic."""

    def __init__(self, offset: float):
        super().__init__()
        self.actor = mlp([8, 64, 64, 2])
        self.critic = mlp([10, 64, 1])
        self.critic.requires_grad_(False)
        fill(self.actor[-1].bias, offset)

    def forward(self, state: Tensor) -> Tensor:
        action = torch.tanh(self.actor(state))
        return self.critic(torch.cat([state, action], dim=1))


@ill(
    family="vanishing",
    causes=("saturated-output", "large-init"),
    field="rl",
    proof=moves_less("actor.0", offset=0.0),
)
def ddpg_actor_saturated(offset: float = 12.0) -> Built:
    """A DDPG actor whose output bias was set in torque units, before the tanh: every action is 1."""
    state = torch.randn(64, 8)
    return ActorCritic(offset), state, lambda model, batch: -model(batch).mean()


class Gan(nn.Module):
    """A generator judged by a discriminator."""

    def __init__(self, confidence: float):
        super().__init__()
        self.generator = mlp([16, 64, 64, 32], nn.LeakyReLU)
        self.discriminator = mlp([32, 64, 1], nn.LeakyReLU).requires_grad_(False)
        fill(self.discriminator[-1].bias, -confidence)

    def forward(self, noise: Tensor) -> Tensor:
        return torch.sigmoid(self.discriminator(self.generator(noise)))


@ill(
    family="vanishing",
    causes=("saturated-loss", "saturated-output"),
    field="generative",
    proof=all_of(moves_less("generator", confidence=0.0)),
)
def minimax_generator(confidence: float = 22.0) -> Built:
    """The minimax generator loss log(1 - D(G(z))) under a confident discriminator."""
    noise = torch.randn(64, 16)
    return Gan(confidence), noise, lambda model, batch: torch.log(1 - model(batch) + 1e-12).mean()


@ill(
    family="vanishing",
    causes=("saturating-activation", "input-scale"),
    field="tabular",
    proof=moves_less("0", scale=1.0),
)
def tanh_on_raw_columns(scale: float = 1e4) -> Built:
    """Columns in raw units (prices, years) into a tanh layer: it sits at -1 or 1 for every row."""
    x, y = curve(64, 12)
    return supervised(mlp([12, 64, 64, 1], nn.Tanh), x if scale == 1 else scale * (x + 20), y, F.mse_loss)


@ill(
    family="vanishing",
    causes=("saturating-activation", "large-init", "dead-relu"),
    field="audio",
    proof=moves_less("1", shift=0.0),
)
def selu_far_negative(shift: float = -40.0) -> Built:
    """SELU with a bias of -40: every unit is flat on the left."""
    x, y = waves(32, 64)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.SELU(), nn.Linear(64, 8))
    fill(model[1].bias, shift)
    return supervised(model, x, y)


@ill(
    family="vanishing",
    causes=("saturating-activation", "input-scale"),
    field="physics",
    proof=all_of(moves_less("0", scale=1.0)),
)
def pinn_in_metres(scale: float = 5e4) -> Built:
    """A tanh PINN for u'' = -u fed coordinates in metres instead of scaled ones."""
    x = scale * (torch.linspace(0.1, 1, 48)[:, None])
    model = mlp([1, 32, 32, 1], nn.Tanh)

    def step(model: nn.Module, batch: Tensor) -> Tensor:
        x = batch.clone().requires_grad_()
        u = model(x)
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (bend,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
        return ((bend + u) ** 2).mean() + ((u - torch.sin(3 * x / scale)) ** 2).mean()

    return model, x, step


class EinsumAttention(nn.Module):
    """Self-attention written with einsum."""

    def __init__(self, vocab: int, dim: int, spread: float, scale: float):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.out = nn.Linear(dim, 4)
        nn.init.normal_(self.query.weight, std=spread)
        nn.init.normal_(self.key.weight, std=spread)
        self.scale = scale

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        logits = torch.einsum("bid,bjd->bij", self.query(x), self.key(x)) * self.scale
        return self.out(torch.einsum("bij,bjd->bid", logits.softmax(-1), self.value(x)).mean(1))


@ill(
    family="vanishing",
    causes=("softmax-saturation", "large-init"),
    field="text",
    proof=moves_less("query", factor=1e3, spread=0.125, scale=0.125, recipe=Recipe("sgd", 0.1)),
)
def unscaled_attention(spread: float = 3.0, scale: float = 1.0) -> Built:
    """Attention without 1/sqrt(d) and with large projections: each row looks at one token, hard."""
    x, y = tokens()
    return supervised(EinsumAttention(50, 64, spread, scale), x, y)


class Experts(nn.Module):
    """A dense mixture of experts with a temperature on its gate."""

    def __init__(self, temperature: float):
        super().__init__()
        self.gate = nn.Linear(20, 6)
        self.experts = nn.ModuleList(mlp([20, 32, 10]) for _ in range(6))
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        share = F.softmax(self.gate(x) / self.temperature, dim=-1)
        return torch.einsum("be,ebc->bc", share, torch.stack([expert(x) for expert in self.experts]))


@ill(
    family="vanishing",
    causes=("softmax-saturation", "small-denominator"),
    field="tabular",
    proof=moves_less("gate", factor=1e3, temperature=1.0),
)
def cold_mixture_gate(temperature: float = 1e-5) -> Built:
    """A mixture of experts whose gate softmax has temperature 1e-5: one-hot, and stuck."""
    x, y = blobs()
    return supervised(Experts(temperature), x, y)


@ill(
    family="vanishing",
    causes=("residual-scale",),
    field="tabular",
    proof=moves_less("2.branch", scale=1.0),
)
def residual_branch_1e6(scale: float = 1e-6) -> Built:
    """Residual blocks whose branch is multiplied by the constant 1e-6."""
    x, y = blobs()
    blocks = [Residual(nn.Sequential(nn.LayerNorm(64), mlp([64, 64, 64])), scale) for _ in range(8)]
    return supervised(nn.Sequential(nn.Linear(20, 64), *blocks, nn.LayerNorm(64), nn.Linear(64, 10)), x, y)


@ill(
    family="vanishing",
    causes=("residual-scale",),
    field="vision",
    proof=moves_less("body.0", scale=1.0),
)
def scaled_conv_branches(scale: float = 1e-6) -> Built:
    """A ResNet whose residual scaling constant was mistyped (1e-6 for 0.1)."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(16, 16, 3, padding=1)
            self.norm = nn.BatchNorm2d(16)
            self.conv2 = nn.Conv2d(16, 16, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return torch.add(x, self.conv2(F.relu(self.norm(self.conv1(x)))), alpha=scale)

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 16, 3, padding=1)
            self.body = nn.Sequential(*[Block() for _ in range(6)])
            self.head = nn.Linear(16, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.body(self.stem(x))).mean((2, 3)))

    x, y = images(16)
    return supervised(ResNet(), x, y)


class Highway(nn.Module):
    """A highway layer: transform * gate + x * (1 - gate)."""

    def __init__(self, width: int, bias: float):
        super().__init__()
        self.transform = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)
        fill(self.gate.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.gate(x))
        return torch.lerp(x, F.relu(self.transform(x)), gate)


@ill(
    family="vanishing",
    causes=("gate-closed", "saturating-activation"),
    field="tabular",
    proof=moves_less("1", bias=-2.0),
)
def highway_closed(bias: float = -20.0) -> Built:
    """Highway layers with a gate bias of -20: nothing but the carry path is used."""
    x, y = blobs()
    layers = [Highway(48, bias) for _ in range(6)]
    return supervised(nn.Sequential(nn.Linear(20, 48), *layers, nn.Linear(48, 10)), x, y)


@ill(
    family="vanishing",
    causes=("gate-closed", "saturating-activation"),
    field="text",
    proof=moves_less("convs.0", bias=0.0),
)
def glu_closed(bias: float = -25.0) -> Built:
    """A gated convolutional text encoder (GLU) whose gate half has a bias of -25."""

    class GatedConvs(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(50, 32)
            self.convs = nn.ModuleList(nn.Conv1d(32, 64, 3, padding=1) for _ in range(3))
            self.head = nn.Linear(32, 4)
            for conv in self.convs:
                fill(conv.bias.data[32:], bias)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.embed(ids).transpose(1, 2)
            for conv in self.convs:
                x = x + F.glu(conv(x), dim=1)
            return self.head(x.mean(2))

    x, y = tokens()
    return supervised(GatedConvs(), x, y)


@ill(
    family="vanishing",
    causes=("input-scale",),
    field="physics",
    proof=all_of(moves_less("0.weight", scale=1.0), stays_at_chance()),
)
def inputs_in_coulombs(scale: float = 1e-9) -> Built:
    """Charges in coulombs: inputs of 1e-9 leave nothing but the biases to learn."""
    x, y = curve()
    return supervised(mlp([8, 64, 64, 1]), scale * x, y, F.mse_loss)


@ill(
    family="vanishing",
    causes=("input-scale",),
    field="timeseries",
    proof=all_of(moves_less("encode.0.weight", scale=1.0), stays_at_chance()),
)
def eeg_in_volts(scale: float = 1e-7) -> Built:
    """EEG in volts (1e-7) into a Conv1d net without normalisation."""

    class Eeg(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode = nn.Sequential(
                nn.Conv1d(1, 16, 7, stride=4), nn.ELU(), nn.Conv1d(16, 16, 7, stride=4), nn.ELU()
            )
            self.classify = nn.LazyLinear(8)

        def forward(self, x: Tensor) -> Tensor:
            return self.classify(self.encode(x).flatten(1))

    x, y = waves()
    model = Eeg()
    model(x)
    return supervised(model, scale * x, y)


@ill(
    family="vanishing",
    causes=("double-softmax",),
    field="vision",
    proof=learns_less(5, final=nn.Identity),
)
def softmax_then_cross_entropy(final: Callable = lambda: nn.Softmax(dim=1)) -> Built:
    """A classifier that ends in Softmax, trained with CrossEntropyLoss, which has its own."""
    x, y = images()
    conv = nn.Conv2d(3, 16, 3, stride=2)
    model = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(16 * 49, 10), final())
    return supervised(model, x, y, nn.CrossEntropyLoss())


@ill(
    family="vanishing",
    causes=("double-softmax",),
    field="text",
    proof=learns_less(3, double=False, recipes=(Recipe("adam", 1e-3), Recipe("sgd", 1.0))),
)
def language_model_double_softmax(double: bool = True) -> Built:
    """A bag-of-words language model over 1000 words with F.softmax before F.cross_entropy."""

    class Cbow(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.EmbeddingBag(1000, 64)
            self.out = nn.Linear(64, 1000)

        def forward(self, ids: Tensor) -> Tensor:
            logits = self.out(self.embed(ids))
            return F.softmax(logits, dim=-1) if double else logits

    ids = torch.randint(0, 1000, (64, 8))
    return supervised(Cbow(), ids, torch.randint(0, 1000, (64,)))


@ill(
    family="vanishing",
    causes=("saturated-output", "target-scale"),
    field="vision",
    proof=all_of(moves_less("1", top=1.0), stays_at_chance(0.99)),
)
def bounded_output_pixel_targets(top: float = 255.0) -> Built:
    """A checkpoint of a sigmoid decoder trained towards pixels in 0..255: stuck at 1."""
    x, _ = images(32, 1, 8, 4)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 64), nn.Sigmoid())
    built = supervised(model, x, top * torch.sigmoid(x).flatten(1), F.mse_loss)
    train(built, Recipe("sgd", 1.0, 60))
    return built


class TiedDepth(nn.Module):
    """One layer applied many times, the input given only at the start."""

    def __init__(self, act: Callable[[Tensor], Tensor], steps: int):
        super().__init__()
        self.inject = nn.Linear(20, 48)
        self.cell = nn.Linear(48, 48)
        self.read = nn.Linear(48, 10)
        self.act, self.steps = act, steps

    def forward(self, x: Tensor) -> Tensor:
        z = self.inject(x)
        for _ in range(self.steps):
            z = self.act(self.cell(z))
        return self.read(z)


@ill(
    family="vanishing",
    causes=("saturating-activation", "bptt-decay", "depth"),
    field="tabular",
    proof=all_of(lags("inject", "read"), stays_at_chance()),
)
def weight_tied_sigmoid() -> Built:
    """A weight-tied (equilibrium-like) stack: one sigmoid layer applied forty times."""
    x, y = blobs()
    return supervised(TiedDepth(torch.sigmoid, 40), x, y)


class UNet(nn.Module):
    """A small U-Net whose long skips can be left out."""

    def __init__(self, act: Callable[[Tensor], Tensor]):
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(c, 16, 3, padding=1) for c in (1, 16, 16, 16))
        self.up = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=1) for _ in range(4))
        self.out = nn.Conv2d(16, 1, 1)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.down:
            x = F.avg_pool2d(self.act(conv(x)), 2)
        for conv in self.up:
            x = F.interpolate(self.act(conv(x)), scale_factor=2)
        return self.out(x)


@ill(
    family="vanishing",
    causes=("saturating-activation", "depth"),
    field="vision",
    proof=all_of(moves_less("down.0", act=F.relu, gain=2**0.5), stays_at_chance(0.8)),
)
def hourglass_sigmoid(act: Callable = torch.sigmoid, gain: float | None = None) -> Built:
    """A U-Net without its skips and with sigmoids, for binary segmentation."""
    x = torch.randn(16, 1, 16, 16)
    y = (F.avg_pool2d(x, 5, 1, 2) > 0).float()
    return supervised(drawn(UNet(act), gain), x, y, F.binary_cross_entropy_with_logits)

"""Models of which a part that ran gets exactly no gradient."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import Built, ill
from tests.corpus.parts import Lambda, blobs, curve, fill, images, mlp, recall, supervised, tokens, waves
from tests.corpus.provers import Recipe, all_of, moves_less, no_gradient, stays_at_chance, train


@ill(
    family="no-gradient",
    causes=("graph-cut",),
    field="metric-learning",
    proof=no_gradient("user", cut=False),
)
def detached_tower(cut: bool = True) -> Built:
    """A two-tower recommender whose user tower is detached before the dot product."""

    class TwoTower(nn.Module):
        def __init__(self):
            super().__init__()
            self.user = mlp([20, 32, 16])
            self.item = mlp([20, 32, 16])

        def forward(self, user: Tensor, item: Tensor) -> Tensor:
            left = self.user(user)
            return (left.detach() if cut else left) @ self.item(item).T

    x, _ = blobs(32, 20, 32)
    other = x + 0.5 * torch.randn_like(x)
    return TwoTower(), (x, other), lambda model, batch: F.cross_entropy(model(*batch), torch.arange(32))


@ill(family="no-gradient", causes=("graph-cut",), field="tabular", proof=no_gradient("first", cut=False))
def data_attribute(cut: bool = True) -> Built:
    """Activations normalised in place through .data."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(20, 32)
            self.second = nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            h = F.relu(self.first(x))
            h = h.data if cut else h
            return self.second(h / (h.norm(dim=1, keepdim=True) + 1e-6))

    x, y = blobs()
    return supervised(Net(), x, y)


@ill(family="no-gradient", causes=("graph-cut",), field="timeseries", proof=no_gradient("encoder", cut=False))
def rebuilt_tensor(cut: bool = True) -> Built:
    """Features collected into a Python list and put into a fresh torch.tensor."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.GRU(4, 16, batch_first=True)
            self.head = nn.Linear(16, 4)

        def forward(self, x: Tensor) -> Tensor:
            rows = list(self.encoder(x)[1][0])
            return self.head(torch.tensor([row.tolist() for row in rows]) if cut else torch.stack(rows))

    x, y = recall(16, 6)
    return supervised(Net(), x, y)


@ill(family="no-gradient", causes=("graph-cut",), field="audio", proof=no_gradient("front", cut=False))
def numpy_round_trip(cut: bool = True) -> Built:
    """A learned filter bank whose log energies are computed in numpy."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.front = nn.Conv1d(1, 16, 32, stride=16)
            self.back = nn.Linear(16, 8)

        def forward(self, x: Tensor) -> Tensor:
            bands = self.front(x)
            if cut:
                return self.back(torch.from_numpy((bands.detach().numpy() ** 2).mean(-1)))
            return self.back((bands**2).mean(-1))

    x, y = waves()
    return supervised(Net(), x, y)


@ill(
    family="no-gradient",
    causes=("graph-cut",),
    field="vision",
    proof=no_gradient("stem", "body.0", cut=False),
)
def no_grad_in_the_middle(cut: bool = True) -> Built:
    """A CNN with one block run under torch.no_grad, left over from profiling."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 16, 3, stride=2)
            self.body = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=1) for _ in range(3))
            self.head = nn.Linear(16, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.stem(x))
            for index, conv in enumerate(self.body):
                with torch.set_grad_enabled(not (cut and index == 1)):
                    x = F.relu(conv(x))
            return self.head(x.mean((2, 3)))

    x, y = images()
    return supervised(Net(), x, y)


@ill(
    family="no-gradient",
    causes=("graph-cut", "non-differentiable-op"),
    field="generative",
    proof=no_gradient("encoder", cut=False),
)
def vae_sample_instead_of_rsample(cut: bool = True) -> Built:
    """A VAE that draws its latent with Normal.sample(), and forgot the KL term."""

    class Vae(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = mlp([32, 32, 16])
            self.decoder = mlp([8, 32, 32])

        def forward(self, x: Tensor) -> Tensor:
            mean, log_std = self.encoder(x).chunk(2, 1)
            latent = torch.distributions.Normal(mean, log_std.clamp(-5, 2).exp())
            return self.decoder(latent.sample() if cut else latent.rsample())

    x, _ = blobs(64, 32, 8)
    return Vae(), x, lambda model, batch: F.mse_loss(model(batch), batch)


@ill(
    family="no-gradient",
    causes=("non-differentiable-op", "graph-cut"),
    field="text",
    proof=no_gradient("reader", soft=True),
)
def greedy_tokens_into_decoder(soft: bool = False) -> Built:
    """A two-stage text model that hands argmax tokens to its second stage."""

    class TwoStage(nn.Module):
        def __init__(self):
            super().__init__()
            self.reader = nn.Sequential(nn.Embedding(50, 32), nn.Linear(32, 20))
            self.embed = nn.Embedding(20, 16)
            self.head = nn.Linear(16, 4)

        def forward(self, ids: Tensor) -> Tensor:
            logits = self.reader(ids)
            words = logits.softmax(-1) @ self.embed.weight if soft else self.embed(logits.argmax(-1))
            return self.head(words.mean(1))

    x, y = tokens()
    return supervised(TwoStage(), x, y)


@ill(
    family="no-gradient",
    causes=("non-differentiable-op",),
    field="vision",
    proof=no_gradient("encoder", rounding=False),
)
def rounded_code(rounding: bool = True) -> Built:
    """A learned image codec that rounds its code without a straight-through estimate."""

    class Codec(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Conv2d(3, 8, 4, stride=4)
            self.decoder = nn.ConvTranspose2d(8, 3, 4, stride=4)

        def forward(self, x: Tensor) -> Tensor:
            code = self.encoder(x)
            return self.decoder(torch.round(code) if rounding else code)

    x, _ = images(16)
    return Codec(), x, lambda model, batch: F.mse_loss(model(batch), batch)


@ill(
    family="no-gradient",
    causes=("non-differentiable-op",),
    field="tabular",
    proof=no_gradient("0", "2", binary=False),
)
def sign_activations(binary: bool = True) -> Built:
    """A binarised MLP on torch.sign."""
    x, y = blobs()
    act = Lambda(torch.sign if binary else torch.tanh)
    return supervised(nn.Sequential(nn.Linear(20, 64), act, nn.Linear(64, 64), act, nn.Linear(64, 10)), x, y)


@ill(
    family="no-gradient",
    causes=("non-differentiable-op", "graph-cut"),
    field="vision",
    proof=no_gradient("mask", hard=False),
)
def hard_attention_mask(hard: bool = True) -> Built:
    """Spatial attention thresholded at zero."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Conv2d(3, 16, 3, padding=1)
            self.mask = nn.Conv2d(16, 1, 1)
            self.head = nn.Linear(16, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.features(x))
            mask = self.mask(x)
            return self.head((x * ((mask > 0).float() if hard else mask.sigmoid())).mean((2, 3)))

    x, y = images(16)
    return supervised(Net(), x, y)


@ill(
    family="no-gradient",
    causes=("non-differentiable-op", "graph-cut"),
    field="text",
    proof=no_gradient("router", weighted=True),
)
def top2_router_by_index(weighted: bool = False) -> Built:
    """A sparse mixture of experts that uses its router's top-2 indices and drops its weights."""

    class Sparse(nn.Module):
        def __init__(self):
            super().__init__()
            self.router = nn.Linear(20, 4)
            self.experts = nn.ModuleList(nn.Linear(20, 10) for _ in range(4))

        def forward(self, x: Tensor) -> Tensor:
            weights, chosen = self.router(x).softmax(-1).topk(2, dim=-1)
            outputs = torch.stack([expert(x) for expert in self.experts], dim=1)
            picked = outputs.gather(1, chosen[..., None].expand(-1, -1, 10))
            return (picked * weights[..., None]).sum(1) if weighted else picked.mean(1)

    x, y = blobs()
    return supervised(Sparse(), x, y)


@ill(
    family="no-gradient",
    causes=("non-differentiable-op", "graph-cut"),
    field="generative",
    proof=no_gradient("encoder", straight_through=True),
)
def vq_vae_without_straight_through(straight_through: bool = False) -> Built:
    """A VQ-VAE that looks its code up with one_hot(argmin) and goes on from there."""

    class VqVae(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = mlp([32, 32, 8])
            self.codes = nn.Parameter(torch.randn(16, 8))
            self.decoder = mlp([8, 32, 32])

        def forward(self, x: Tensor) -> Tensor:
            z = self.encoder(x)
            nearest = torch.cdist(z, self.codes).argmin(1)
            quantised = F.one_hot(nearest, 16).float() @ self.codes
            return self.decoder(z + (quantised - z).detach() if straight_through else quantised)

    x, _ = blobs(64, 32, 8)
    return VqVae(), x, lambda model, batch: F.mse_loss(model(batch), batch)


@ill(family="no-gradient", causes=("graph-cut",), field="timeseries", proof=no_gradient("cell", cut=False))
def state_detached_each_step(cut: bool = True) -> Built:
    """Truncated back-propagation gone too far: the state is detached after its last step too."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(4, 16)
            self.head = nn.Linear(16, 4)

        def forward(self, x: Tensor) -> Tensor:
            h = x.new_zeros(len(x), 16)
            for step in x.unbind(1):
                h = self.cell(step, h)
                h = h.detach() if cut else h
            return self.head(h)

    x, y = recall(32, 6)
    return supervised(Net(), x, y)


@ill(family="no-gradient", causes=("dead-relu",), field="tabular", proof=no_gradient("0", "2", bias=0.0))
def dead_relu_bias(bias: float = -100.0) -> Built:
    """A hidden layer whose biases of -100 keep every ReLU shut."""
    x, y = blobs()
    model = mlp([20, 64, 64, 10])
    fill(model[2].bias, bias)
    return supervised(model, x, y)


@ill(
    family="no-gradient",
    causes=("dead-relu",),
    field="vision",
    proof=no_gradient("stem", "body.0", "body.1", "head.weight", lr=1e-3),
)
def dead_after_a_big_step(lr: float = 200.0) -> Built:
    """A CNN after a few SGD steps at a learning rate of 200: no ReLU fires any more."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(1, 8, 3, stride=2)
            self.body = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(2))
            self.head = nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.stem(x))
            for conv in self.body:
                x = F.relu(conv(x))
            return self.head(x.mean((2, 3)))

    x, y = images(32, 1, 12, 4)
    built = supervised(Net(), x.sigmoid(), y)
    train(built, Recipe("sgd", lr, 3))
    return built


@ill(
    family="no-gradient",
    causes=("dead-relu",),
    field="tabular",
    proof=all_of(no_gradient("net", bias=0.5), stays_at_chance(0.99)),
)
def relu_on_the_output(bias: float = -8.0) -> Built:
    """A regression that ends in F.relu and starts below zero for every row."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp([8, 32, 1], nn.Tanh)
            fill(self.net[-1].bias, bias)

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(self.net(x))

    x, y = curve()
    return supervised(Net(), x, y + 3, F.mse_loss)


@ill(
    family="no-gradient",
    causes=("dead-relu",),
    field="generative",
    proof=no_gradient("down", shift=0.0),
)
def dead_bottleneck(shift: float = -30.0) -> Built:
    """A sparse autoencoder whose bottleneck threshold was set too high: functional ReLU, all zero."""

    class Sparse(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.Linear(32, 16)
            self.up = nn.Linear(16, 32)

        def forward(self, x: Tensor) -> Tensor:
            return self.up(torch.clamp_min(self.down(x) + shift, 0))

    x, _ = blobs(64, 32, 8)
    return Sparse(), x, lambda model, batch: F.mse_loss(model(batch), batch)


@ill(
    family="no-gradient",
    causes=("single-element-softmax",),
    field="tabular",
    proof=all_of(no_gradient("", final=nn.Sigmoid), stays_at_chance(0.99)),
)
def softmax_over_one_logit(final=lambda: nn.Softmax(dim=1)) -> Built:
    """A binary classifier with one output and Softmax(dim=1): it always says 1."""
    x, y = blobs(64, 12, 2)
    model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 1), final())
    return supervised(model, x, y.float()[:, None], F.binary_cross_entropy)


class PooledAttention(nn.Module):
    """Additive attention pooling over time."""

    def __init__(self, dim: int):
        super().__init__()
        self.embed = nn.Embedding(50, 32)
        self.score = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
        self.head = nn.Linear(32, 4)
        self.dim = dim

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        return self.head((F.softmax(self.score(x), dim=self.dim) * x).sum(1))


@ill(
    family="no-gradient",
    causes=("single-element-softmax",),
    field="text",
    proof=no_gradient("score.0", dim=1),
)
def attention_softmax_wrong_dim(dim: int = -1) -> Built:
    """Attention pooling whose softmax runs over the score's own dimension of size one."""
    x, y = tokens()
    return supervised(PooledAttention(dim), x, y)


@ill(
    family="no-gradient",
    causes=("single-element-norm",),
    field="tabular",
    proof=no_gradient("0", "2", norm=nn.Identity),
)
def layer_norm_of_one(norm=lambda: nn.LayerNorm(1)) -> Built:
    """A LayerNorm over a single feature: its output is its bias."""
    x, y = curve()
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1), norm())
    return supervised(model, x, y, F.mse_loss)


@ill(
    family="no-gradient",
    causes=("single-element-norm",),
    field="vision",
    proof=moves_less("conv2", groups=4),
)
def instance_like_norm_on_1x1(groups: int = 32) -> Built:
    """GroupNorm with one channel a group after global pooling: 1x1 maps become zeros."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, 16, 3, stride=2)
            self.conv2 = nn.Conv2d(16, 32, 3, stride=2)
            self.norm = nn.GroupNorm(groups, 32)
            self.head = nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = F.adaptive_avg_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 1)
            return self.head(self.norm(x).flatten(1))

    x, y = images()
    return supervised(Net(), x, y)


@ill(
    family="no-gradient",
    causes=("masked-loss",),
    field="text",
    proof=no_gradient("", kept=0.5),
)
def every_label_ignored(kept: float = 0.0) -> Built:
    """A token tagger whose labels are all -100 after a wrong alignment; summed loss."""

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(50, 16)
            self.head = nn.Linear(16, 5)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.embed(ids)).transpose(1, 2)

    ids, _ = tokens()
    labels = torch.where(torch.rand(ids.shape) < kept, ids % 5, torch.tensor(-100))
    return supervised(Tagger(), ids, labels, nn.CrossEntropyLoss(reduction="sum"))


@ill(
    family="no-gradient",
    causes=("masked-loss",),
    field="timeseries",
    proof=no_gradient("", kept=1.0),
)
def mask_all_zero(kept: float = 0.0) -> Built:
    """A forecaster whose validity mask is inverted: every step of every series is masked."""
    x, y = curve()
    mask = torch.full_like(y, kept)

    def step(model: nn.Module, batch: tuple) -> Tensor:
        x, y, mask = batch
        return ((model(x) - y) ** 2 * mask).sum() / mask.sum().clamp_min(1)

    return mlp([8, 32, 1]), (x, y, mask), step


@ill(
    family="no-gradient",
    causes=("masked-loss", "saturated-loss"),
    field="rl",
    proof=no_gradient("", drift=0.0),
)
def ppo_all_clipped(drift: float = -3.0) -> Built:
    """PPO against far too old log-probabilities: every ratio is beyond the clip."""
    x, actions = blobs(64, 8, 4)

    def step(model: nn.Module, batch: tuple) -> Tensor:
        x, actions, old, advantage = batch
        new = F.log_softmax(model(x), 1).gather(1, actions[:, None])[:, 0]
        ratio = (new - old).exp()
        return -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()

    model = mlp([8, 32, 4], nn.Tanh)
    old = F.log_softmax(model(x), 1).gather(1, actions[:, None])[:, 0].detach()
    return model, (x, actions, old + drift, torch.rand(64) + 0.1), step


@ill(
    family="no-gradient",
    causes=("non-differentiable-op", "graph-cut"),
    field="rl",
    proof=no_gradient("policy", soft=True),
)
def sampled_action_into_model(soft: bool = False) -> Built:
    """Model-based RL that back-propagates through one_hot of a sampled action."""

    class World(nn.Module):
        def __init__(self):
            super().__init__()
            self.policy = mlp([8, 32, 4])
            self.dynamics = mlp([12, 32, 8])

        def forward(self, state: Tensor) -> Tensor:
            logits = self.policy(state)
            action = F.one_hot(torch.distributions.Categorical(logits=logits).sample(), 4).float()
            return self.dynamics(torch.cat([state, logits.softmax(1) if soft else action], 1))

    state = torch.randn(64, 8)
    return World(), state, lambda model, batch: (model(batch) ** 2).mean()


@ill(
    family="no-gradient",
    causes=("graph-cut",),
    field="physics",
    proof=all_of(no_gradient("stiffness", cut=False), moves_less("stiffness", cut=False)),
)
def simulation_state_in_buffer(cut: bool = True) -> Built:
    """A differentiable spring whose state is written into a buffer with copy_ under no_grad."""

    class Spring(nn.Module):
        def __init__(self):
            super().__init__()
            self.stiffness = nn.Linear(4, 1)
            self.readout = nn.Linear(1, 1)
            self.register_buffer("place", torch.ones(32, 1))

        def forward(self, material: Tensor) -> Tensor:
            place, speed = torch.ones(32, 1), torch.zeros(32, 1)
            for _ in range(10):
                speed = speed - 0.1 * F.softplus(self.stiffness(material)) * place
                place = place + 0.1 * speed
            if cut:
                with torch.no_grad():
                    self.place.copy_(place)
                place = self.place.clone()
            return self.readout(place)

    material = torch.randn(32, 4)
    return supervised(Spring(), material, material[:, :1], F.mse_loss)

"""Models whose loss or gradient is nan or inf."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import Built, ill
from tests.corpus.parts import Lambda, blobs, curve, fill, images, mlp, supervised, tokens, waves
from tests.corpus.provers import nonfinite


@ill(family="nonfinite", causes=("log-zero",), field="tabular", proof=nonfinite(safe=True))
def log_of_softmax(safe: bool = False) -> Built:
    """Cross entropy written as -log(softmax): a probability underflows to zero."""
    x, y = blobs()

    def step(model: nn.Module, batch: tuple) -> Tensor:
        x, y = batch
        logits = 300 * model(x)
        log_prob = F.log_softmax(logits, 1) if safe else torch.log(F.softmax(logits, 1))
        return -log_prob.gather(1, y[:, None]).mean()

    return mlp([20, 64, 10]), (x, y), step


@ill(family="nonfinite", causes=("log-zero", "zero-times-inf"), field="rl", proof=nonfinite(eps=1e-8))
def entropy_bonus_p_log_p(eps: float = 0.0) -> Built:
    """A policy entropy -p log p with an action that is masked to probability zero."""
    x, actions = blobs(32, 8, 3)

    def step(model: nn.Module, batch: tuple) -> Tensor:
        x, actions = batch
        logits = model(x)
        logits = logits.masked_fill(torch.tensor([False, False, False, True]), -1e9)
        p = logits.softmax(1)
        entropy = -(p * torch.log(p + eps)).sum(1).mean()
        return F.cross_entropy(logits, actions) - 0.01 * entropy

    return mlp([8, 32, 4]), (x, actions), step


@ill(family="nonfinite", causes=("log-negative", "log-zero"), field="tabular", proof=nonfinite(shift=10.0))
def log_target_of_negative(shift: float = 0.0) -> Built:
    """Mean squared log error on predictions that can be negative."""
    x, y = curve()

    def step(model: nn.Module, batch: tuple) -> Tensor:
        x, y = batch
        return ((torch.log(1e-3 + shift + model(x)) - y) ** 2).mean()

    return mlp([8, 32, 1]), (x, y), step


@ill(family="nonfinite", causes=("sqrt-zero",), field="metric-learning", proof=nonfinite(eps=1e-12))
def distance_to_itself(eps: float = 0.0) -> Built:
    """A pairwise distance sqrt(sum of squares), diagonal included: the slope at zero is infinite."""
    x, y = blobs(32, 20, 8)

    def step(model: nn.Module, batch: tuple) -> Tensor:
        z = model(batch[0])
        distance = torch.sqrt(((z[:, None] - z[None]) ** 2).sum(-1) + eps)
        same = batch[1][:, None] == batch[1]
        return torch.where(same, distance, F.relu(1 - distance)).mean()

    return mlp([20, 32, 16]), (x, y), step


@ill(
    family="nonfinite",
    causes=("sqrt-zero", "zero-variance"),
    field="generative",
    proof=nonfinite(bias=0.0),
)
def std_of_constant_batch(bias: float = -50.0) -> Built:
    """A diversity loss on the batch std of an energy of features that are all zero behind a ReLU."""

    class Features(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(20, 16)
            fill(self.linear.bias, bias)
            self.head, self.energy = nn.Linear(16, 10), nn.Linear(16, 1, bias=False)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h = F.relu(self.linear(x))
            return self.head(h), self.energy(h)

    x, y = blobs()

    def step(model: nn.Module, batch: tuple) -> Tensor:
        logits, energy = model(batch[0])
        return F.cross_entropy(logits, batch[1]) - 0.1 * torch.sqrt(energy.var())

    return Features(), (x, y), step


@ill(
    family="nonfinite",
    causes=("zero-variance", "empty-reduction", "zero-div-zero"),
    field="timeseries",
    proof=nonfinite(unbiased=False),
)
def std_over_one_step(unbiased: bool = True) -> Built:
    """Standardising each window by its own std, with windows of one step: the unbiased std is 0/0."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode = nn.Linear(8, 16)
            self.head = nn.Linear(16, 1)

        def forward(self, x: Tensor) -> Tensor:
            h = self.encode(x[:, None])
            spread = h.var(dim=1, unbiased=unbiased)
            return self.head(((h - h.mean(1, keepdim=True)) / (spread[:, None] + 1e-5)).squeeze(1))

    x, y = curve()
    return supervised(Net(), x, y, F.mse_loss)


@ill(family="nonfinite", causes=("zero-div-zero",), field="text", proof=nonfinite(eps=1e-6))
def normalise_zero_vector(eps: float = 0.0) -> Built:
    """Sentence vectors divided by their norm; one sentence is all padding."""

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(50, 32, padding_idx=0)
            self.head = nn.Linear(32, 4)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.embed(ids).sum(1)
            return self.head(x / ((x * x).sum(1, keepdim=True) + eps))

    x, y = tokens()
    x[3] = 0
    return supervised(Encoder(), x, y)


@ill(family="nonfinite", causes=("zero-div-zero", "empty-reduction"), field="graph", proof=nonfinite(least=1.0))
def isolated_node_mean(least: float = 0.0) -> Built:
    """Mean aggregation by hand: a node without neighbours divides zero by zero."""

    class Gcn(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(16, 32), nn.Linear(32, 4)

        def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
            spread = adjacency / adjacency.sum(1, keepdim=True).clamp_min(least)
            return self.two(spread @ F.relu(self.one(spread @ x)))

    x, y = blobs(48, 16, 4)
    adjacency = (torch.rand(48, 48) < 0.2).float()
    adjacency[7] = 0
    return Gcn(), (x, adjacency, y), lambda m, b: F.cross_entropy(m(b[0], b[1]), b[2])


@ill(family="nonfinite", causes=("exp-overflow",), field="text", proof=nonfinite(stable=True))
def softmax_by_hand(stable: bool = False) -> Built:
    """Attention with exp(x) / sum(exp(x)) and no maximum taken off."""

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(50, 64)
            self.qkv = nn.Linear(64, 192)
            self.head = nn.Linear(64, 4)

        def forward(self, ids: Tensor) -> Tensor:
            q, k, v = self.qkv(3 * self.embed(ids)).chunk(3, -1)
            logits = q @ k.transpose(1, 2) * 5
            logits = logits - logits.amax(-1, keepdim=True).detach() if stable else logits
            weights = logits.exp()
            return self.head((weights / weights.sum(-1, keepdim=True) @ v).mean(1))

    x, y = tokens()
    return supervised(Attention(), x, y)


@ill(
    family="nonfinite",
    causes=("exp-overflow", "target-scale", "input-scale"),
    field="physics",
    proof=nonfinite(scale=1.0),
)
def poisson_rate(scale: float = 500.0) -> Built:
    """A Poisson regression on raw covariates: exp(linear) overflows."""
    x, y = curve()
    return supervised(nn.Linear(8, 1), scale * x, y.abs().round(), nn.PoissonNLLLoss())


@ill(family="nonfinite", causes=("exp-overflow",), field="generative", proof=nonfinite(bias=0.0))
def vae_log_variance(bias: float = 200.0) -> Built:
    """A VAE whose log-variance head starts at 200."""

    class Vae(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode, self.mean, self.log_var = nn.Linear(32, 32), nn.Linear(32, 8), nn.Linear(32, 8)
            self.decode = mlp([8, 32, 32])
            fill(self.log_var.bias, bias)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h = F.relu(self.encode(x))
            mean, log_var = self.mean(h), self.log_var(h)
            z = mean + torch.randn_like(mean) * (0.5 * log_var).exp()
            kl = 0.5 * (log_var.exp() + mean**2 - 1 - log_var).sum(1).mean()
            return self.decode(z), kl

    def step(model: nn.Module, batch: Tensor) -> Tensor:
        picture, kl = model(batch)
        return F.mse_loss(picture, batch) + kl

    x, _ = blobs(64, 32, 8)
    return Vae(), x, step


@ill(
    family="nonfinite",
    causes=("where-trap", "log-zero", "log-negative"),
    field="tabular",
    proof=nonfinite(double=True),
)
def where_around_log(double: bool = False) -> Built:
    """torch.where(x > 0, log(x), 0) on scaled counts: the loss is fine, the gradient is 0 * inf."""

    class LogFeatures(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale, self.second = nn.Parameter(torch.ones(8)), nn.Linear(8, 1)

        def forward(self, x: Tensor) -> Tensor:
            h = x * self.scale
            inner = torch.where(h > 0, h, torch.ones_like(h)) if double else h
            return self.second(torch.where(h > 0, torch.log(inner), torch.zeros_like(h)))

    x, y = curve()
    return supervised(LogFeatures(), x.clamp_min(0), y, F.mse_loss)


@ill(
    family="nonfinite",
    causes=("where-trap", "sqrt-zero", "zero-div-zero", "zero-times-inf"),
    field="vision",
    proof=nonfinite(double=True),
)
def where_around_norm(double: bool = False) -> Built:
    """Optical flow unit vectors guarded by torch.where after the division instead of before."""

    class Flow(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3, padding=1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            flow = self.conv(x)
            square = (flow**2).sum(1, keepdim=True)
            still = square == 0
            length = torch.sqrt(torch.where(still, torch.ones_like(square), square) if double else square)
            return torch.where(still, torch.zeros_like(flow), flow / length)

    x, _ = images(8)
    x[:, :, :6, :6] = 0
    return supervised(Flow(), x, torch.randn(8, 2, 16, 16), F.mse_loss)


@ill(family="nonfinite", causes=("nan-input",), field="tabular", proof=nonfinite(missing=False))
def missing_value(missing: bool = True) -> Built:
    """A table with one missing cell, read as NaN."""
    x, y = curve()
    if missing:
        x[5, 3] = float("nan")
    return supervised(mlp([8, 32, 32, 1]), x, y, F.mse_loss)


@ill(family="nonfinite", causes=("nan-input",), field="timeseries", proof=nonfinite(missing=False))
def nan_in_target(missing: bool = True) -> Built:
    """A forecast target with a gap (NaN) at the end of one series."""
    x, y = curve()
    if missing:
        y[-1] = float("nan")
    return supervised(mlp([8, 32, 1], nn.Tanh), x, y, F.smooth_l1_loss)


@ill(family="nonfinite", causes=("inf-input", "nan-input"), field="audio", proof=nonfinite(silent=False))
def decibels_of_silence(silent: bool = True) -> Built:
    """Log spectrogram inputs computed upstream: silence is -inf decibels."""
    x, y = waves()
    if silent:
        x[4, :, :32] = 0
    x = torch.log10(x.abs()) if silent else torch.log10(x.abs() + 1e-5)
    model = nn.Sequential(nn.Conv1d(1, 8, 8, stride=4), nn.BatchNorm1d(8), nn.ReLU(), nn.Flatten())
    return supervised(nn.Sequential(*model, nn.Linear(504, 8)), x, y)


@ill(family="nonfinite", causes=("nan-parameter",), field="vision", proof=nonfinite(spoiled=False))
def spoiled_checkpoint(spoiled: bool = True) -> Built:
    """A checkpoint saved after a step that wrote NaN into one kernel."""
    x, y = images(16)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(392, 10))
    if spoiled:
        fill(model[0].weight[2], float("nan"))
    return supervised(model, x, y)


@ill(family="nonfinite", causes=("nan-parameter",), field="graph", proof=nonfinite(spoiled=False))
def uninitialised_parameter(spoiled: bool = True) -> Built:
    """A hand-made edge weight from an uninitialised buffer that happens to hold NaN."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.edge = nn.Parameter(torch.full((16, 16), float("nan") if spoiled else 0.1))
            self.head = nn.Linear(16, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.tanh(torch.einsum("nf,fg->ng", x, self.edge)))

    x, y = blobs(64, 16, 4)
    return supervised(Net(), x, y)


class MaskedAttention(nn.Module):
    """Hand-written attention with an additive mask."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 32)
        self.qkv = nn.Linear(32, 96)
        self.head = nn.Linear(32, 4)

    def forward(self, ids: Tensor, pad: Tensor) -> Tensor:
        q, k, v = self.qkv(self.embed(ids)).chunk(3, -1)
        logits = (q @ k.transpose(1, 2) / 32**0.5).masked_fill(pad[:, None], float("-inf"))
        return self.head((logits.softmax(-1) @ v).mean(1))


def padded(lengths_from: int) -> tuple[Tensor, Tensor, Tensor]:
    """Token batches and their padding masks; the shortest sentence has that many tokens."""
    x, y = tokens()
    lengths = torch.randint(4, 17, (32, 1))
    lengths[2] = lengths_from
    return x, torch.arange(16) >= lengths, y


def masked_loss(model: nn.Module, batch: tuple) -> Tensor:
    ids, pad, y = batch
    return F.cross_entropy(model(ids, pad), y)


@ill(family="nonfinite", causes=("masked-softmax-row",), field="text", proof=nonfinite(shortest=1))
def empty_sentence_masked(shortest: int = 0) -> Built:
    """Masked attention over a batch with one empty sentence: softmax of a row of -inf."""
    batch = padded(shortest)
    return MaskedAttention(), batch, masked_loss


@ill(family="nonfinite", causes=("masked-softmax-row",), field="text", proof=nonfinite(shortest=1))
def multihead_attention_all_padded(shortest: int = 0) -> Built:
    """nn.MultiheadAttention with a key_padding_mask that hides every key of one sentence."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(50, 32)
            self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
            self.head = nn.Linear(32, 4)

        def forward(self, ids: Tensor, pad: Tensor) -> Tensor:
            x = self.embed(ids)
            return self.head(self.attention(x, x, x, key_padding_mask=pad)[0].mean(1))

    batch = padded(shortest)
    return Net(), batch, masked_loss


@ill(
    family="nonfinite",
    causes=("empty-reduction", "masked-loss", "zero-div-zero"),
    field="vision",
    proof=nonfinite(foreground=0.5),
)
def mean_over_no_boxes(foreground: float = -1.0) -> Built:
    """A detector that averages its box loss over the positives of a batch without any."""
    x, _ = images(16, 3, 8)
    positive = torch.rand(16) < foreground

    def step(model: nn.Module, batch: tuple) -> Tensor:
        x, positive = batch
        boxes = model(x)
        return F.smooth_l1_loss(boxes[positive], torch.ones_like(boxes[positive]))

    return (
        nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 4)),
        (x, positive),
        step,
    )


@ill(
    family="nonfinite",
    causes=("masked-loss", "empty-reduction", "zero-div-zero"),
    field="text",
    proof=nonfinite(ignored=False),
)
def mean_with_every_label_ignored(ignored: bool = True) -> Built:
    """F.cross_entropy(ignore_index) whose mean runs over no label at all."""
    x, y = blobs()
    return supervised(mlp([20, 32, 10]), x, torch.full_like(y, -100) if ignored else y)


@ill(family="nonfinite", causes=("acos-boundary",), field="physics", proof=nonfinite(shrink=1 - 1e-4))
def angle_between_equal_vectors(shrink: float = 1.0) -> Built:
    """A geodesic loss acos(dot) on unit quaternions, where prediction and target agree for one."""
    x, y = torch.randn(32, 4), F.normalize(torch.randn(32, 4), dim=1)
    x[0] = torch.tensor([0.0, 0.0, 0.0, 5.0])
    y[0] = torch.tensor([0.0, 0.0, 0.0, 1.0])
    model = nn.Linear(4, 4, bias=False)
    model.weight.data = torch.eye(4)

    def step(model: nn.Module, batch: tuple) -> Tensor:
        dot = (F.normalize(model(batch[0]), dim=1) * batch[1]).sum(1)
        return torch.acos(dot.clamp(-1, 1) * shrink).mean()

    return model, (x, y), step


@ill(family="nonfinite", causes=("pow-domain",), field="tabular", proof=nonfinite(guarded=True))
def fractional_power_of_negative(guarded: bool = False) -> Built:
    """Gamma correction x ** 0.45 on a layer's output, which goes below zero."""
    power = Lambda(lambda x: (x.clamp_min(1e-4) if guarded else x) ** 0.45)
    x, y = curve()
    return supervised(nn.Sequential(nn.Linear(8, 32), power, nn.Linear(32, 1)), x, y, F.mse_loss)


@ill(family="nonfinite", causes=("pow-domain", "sqrt-zero"), field="audio", proof=nonfinite(eps=1e-4))
def power_law_compression(eps: float = 0.0) -> Built:
    """PCEN-like compression energy ** 0.3 of a learned filter bank on frames of silence."""

    class Pcen(nn.Module):
        def __init__(self):
            super().__init__()
            self.filters = nn.Conv1d(1, 16, 16, stride=16, bias=False)
            self.head = nn.Linear(16, 8)

        def forward(self, x: Tensor) -> Tensor:
            energy = self.filters(x).abs() + eps
            return self.head(energy.pow(0.3).mean(2))

    x, y = waves()
    x[3, :, :64] = 0
    return supervised(Pcen(), x, y)


@ill(
    family="nonfinite",
    causes=("logsumexp-neginf", "masked-softmax-row", "log-zero"),
    field="timeseries",
    proof=nonfinite(floor=-1e4),
)
def crf_forbidden_state(floor: float = float("-inf")) -> Built:
    """A CRF forward pass with -inf transitions into a state that no state reaches."""

    class Crf(nn.Module):
        def __init__(self):
            super().__init__()
            self.emit = nn.Linear(8, 5)
            self.trans = nn.Parameter(torch.randn(5, 5))
            self.register_buffer("forbidden", torch.zeros(5, 5, dtype=torch.bool))
            self.forbidden[:, 4] = True

        def forward(self, x: Tensor) -> Tensor:
            scores = self.emit(x)
            trans = self.trans.masked_fill(self.forbidden, floor)
            alpha = scores[:, 0]
            for step in scores[:, 1:].unbind(1):
                alpha = torch.logsumexp(alpha[:, :, None] + trans, dim=1) + step
            return alpha[:, :4].logsumexp(1)

    x = torch.randn(16, 10, 8)
    return Crf(), x, lambda model, batch: model(batch).mean()


@ill(family="nonfinite", causes=("degenerate-eigenvalues",), field="physics", proof=nonfinite(split=0.1))
def eigenvectors_of_identity(split: float = 0.0) -> Built:
    """Spectral features from eigh of a matrix that starts at the identity."""

    class Spectral(nn.Module):
        def __init__(self):
            super().__init__()
            self.metric = nn.Parameter(torch.eye(6) + split * torch.diag(torch.arange(6.0)))
            self.head = nn.Linear(6, 4)

        def forward(self, x: Tensor) -> Tensor:
            values, vectors = torch.linalg.eigh(self.metric @ self.metric.T)
            return self.head(x @ vectors * values)

    x, y = blobs(64, 6, 4)
    return supervised(Spectral(), x, y)


@ill(family="nonfinite", causes=("ctc-infeasible",), field="audio", proof=nonfinite(labels=4))
def ctc_target_longer_than_frames(labels: int = 20) -> Built:
    """CTC with more labels than frames: the loss is inf."""

    class Recogniser(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(1, 16, 32, stride=16)
            self.out = nn.Linear(16, 6)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(F.relu(self.conv(x)).permute(2, 0, 1)).log_softmax(-1)

    x, _ = waves(16)
    target = torch.randint(1, 6, (16, labels))

    def step(model: nn.Module, batch: tuple) -> Tensor:
        log_prob = model(batch[0])
        frames, count = log_prob.shape[:2]
        return F.ctc_loss(log_prob, batch[1], torch.full((count,), frames), torch.full((count,), batch[1].shape[1]))

    return Recogniser(), (x, target), step


class OneOverSqrt(torch.autograd.Function):
    """A custom function whose backward forgets that its input can be zero."""

    @staticmethod
    def forward(ctx, x: Tensor, eps: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.eps = eps
        return x.clamp_min(0).sqrt()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple:
        (x,) = ctx.saved_tensors
        return grad / (2 * (x.clamp_min(0) + ctx.eps).sqrt()), None


@ill(
    family="nonfinite",
    causes=("custom-backward", "sqrt-zero", "zero-div-zero"),
    field="tabular",
    proof=nonfinite(eps=1e-6),
)
def custom_function_divides_by_zero(eps: float = 0.0) -> Built:
    """An autograd.Function for sqrt(relu(x)) whose backward divides by zero."""
    x, y = curve()
    root = Lambda(lambda h: OneOverSqrt.apply(h, eps))
    return supervised(nn.Sequential(nn.Linear(8, 32), root, nn.Linear(32, 1)), x, y, F.mse_loss)


class Coupling(nn.Module):
    """An affine coupling layer of a normalising flow."""

    def __init__(self, spread: float):
        super().__init__()
        self.net = mlp([4, 32, 8])
        nn.init.normal_(self.net[-1].weight, std=spread)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        left, right = x.chunk(2, 1)
        log_scale, shift = self.net(left).chunk(2, 1)
        return torch.cat([right * log_scale.exp() + shift, left], 1), log_scale.sum(1)


@ill(
    family="nonfinite",
    causes=("exp-overflow", "large-init"),
    field="generative",
    proof=nonfinite(spread=0.01),
)
def flow_unbounded_scale(spread: float = 0.3) -> Built:
    """A RealNVP of six couplings whose log-scales are neither bounded nor started at zero."""

    class Flow(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(Coupling(spread) for _ in range(6))

        def forward(self, x: Tensor) -> Tensor:
            total = 0.0
            for layer in self.layers:
                x, log_scale = layer(x)
                total = total + log_scale
            return 0.5 * (x**2).sum(1) - total

    x = 2 * torch.randn(64, 8)
    return Flow(), x, lambda model, batch: model(batch).mean()

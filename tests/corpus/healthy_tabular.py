"""Healthy tabular models: plain nets of every activation, odd scales, odd losses, tiny batches."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from tests.corpus.case import healthy
from tests.corpus.toys import blobs, classify, mlp, regress, surface
from tests.corpus.trained import trains


def initialised(model: nn.Module, weight, **options) -> nn.Module:
    """Apply an initialiser to every Linear weight; biases become 0."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            weight(module.weight, **options)
            nn.init.zeros_(module.bias)
    return model


@healthy(field="tabular", tricky="30 layers deep without normalisation or skips")
def relu_he_30_layers():
    """A deep plain ReLU net that He initialisation keeps alive."""
    model = mlp(16, *[64] * 30, 4)
    return initialised(model, nn.init.kaiming_normal_, nonlinearity="relu"), blobs(), classify


class ResidualMLP(nn.Module):
    """Pre-norm residual blocks, written as a ModuleList of Sequentials."""

    def __init__(self, inputs: int, width: int, depth: int, outputs: int):
        super().__init__()
        self.stem = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(depth)
        )
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, outputs)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(self.norm(x))


@healthy(field="tabular", tricky="100 blocks, 200 linear layers deep")
def residual_mlp_100_blocks():
    """Normalised residual blocks carry the gradient through any depth."""
    return ResidualMLP(16, 24, 100, 4), blobs(), classify


@healthy(field="tabular", tricky="20 layers without normalisation")
def selu_lecun_20_layers():
    """A self-normalising net: SELU, LeCun initialisation, alpha dropout."""
    model = mlp(16, *[64] * 20, 4, act=nn.SELU)
    model.append(nn.AlphaDropout(0.0))
    return initialised(model, nn.init.kaiming_normal_, nonlinearity="linear"), blobs(), classify


@healthy(field="tabular", tricky="ten saturating layers, each with a slope below 1")
def tanh_xavier_10_layers():
    """tanh with Xavier initialisation and gain 5/3 stays in its linear range."""
    model = mlp(16, *[64] * 10, 4, act=nn.Tanh)
    return initialised(model, nn.init.xavier_normal_, gain=5 / 3), blobs(), classify


@healthy(field="tabular", tricky="sigmoid layers lose a factor of four each, but there are only two")
def sigmoid_two_hidden_layers():
    """A classic shallow sigmoid net."""
    return mlp(16, 32, 32, 4, act=nn.Sigmoid), blobs(), classify


@healthy(field="tabular", tricky="smooth activations with small negative slopes")
def silu_mish_gelu_stack():
    """Three modern activations in one net."""
    model = nn.Sequential(
        nn.Linear(8, 64),
        nn.SiLU(),
        nn.Linear(64, 64),
        nn.Mish(),
        nn.Linear(64, 64),
        nn.GELU(),
        nn.Linear(64, 1),
    )
    return model, surface(), regress


@healthy(field="tabular", tricky="one row: four ReLU units of ten see no positive input")
def batch_of_one():
    """Online learning: a ReLU net with a single example a step."""
    x, y = surface(1)
    return mlp(8, 32, 32, 1), (x, y + 1), regress


@healthy(field="tabular", tricky="two rows: many units are dead on both")
def batch_of_two():
    """A pairwise batch through a ReLU classifier."""
    x, y = blobs(2, classes=2)
    return mlp(16, 32, 32, 32, 2), (x, y), classify


@healthy(field="tabular", tricky="sparsity: negative biases silence every unit on 90 % of the rows, none on all")
def sparse_relu_units():
    """A wide ReLU layer whose biases let each unit fire on a tenth of the rows."""
    x, y = blobs(256)
    model = mlp(16, 256, 4)
    with torch.no_grad():
        model[0].bias -= model[0](x).quantile(0.9, dim=0)
    return model, (x, y), classify


@healthy(field="tabular", tricky="loss in millionths: every gradient is below 1e-6")
def loss_times_a_millionth():
    """The loss is scaled by 1e-6; Adam does not mind."""
    return mlp(8, 32, 32, 1), surface(), lambda m, b: 1e-6 * regress(m, b)


@healthy(field="tabular", tricky="loss in millions: every gradient is above 1e3")
def loss_times_a_million():
    """The loss is scaled by 1e6; Adam does not mind."""
    return mlp(8, 32, 32, 1), surface(), lambda m, b: 1e6 * regress(m, b)


@healthy(field="tabular", tricky="sum over 4096 rows: gradients thousands of times those of a mean")
def sum_reduction_big_batch():
    """Squared error with reduction='sum'."""
    return mlp(8, 32, 1), surface(4096), lambda m, b: F.mse_loss(m(b[0]), b[1], reduction="sum")


class Standardised(nn.Module):
    """Predicts in standard units of the target, which the buffers hold."""

    def __init__(self, target: Tensor):
        super().__init__()
        self.register_buffer("mean", target.mean())
        self.register_buffer("std", target.std())
        self.net = mlp(8, 32, 1)

    def forward(self, x):
        return self.net(x) * self.std + self.mean


@healthy(field="tabular", tricky="targets in hundreds of thousands; the loss divides by their variance")
def house_prices_normalised_loss():
    """Prices around 3e5: outputs in currency, loss in units of the target's variance."""
    x, y = surface()
    y = 3e5 + 1e5 * y
    return Standardised(y), (x, y), lambda m, b: (((m(b[0]) - b[1]) / m.std) ** 2).mean()


@healthy(
    field="tabular",
    tricky="targets near 1e-7: raw loss 1e-14 and gradients to match, brought back by the unit",
)
def tiny_units_normalised_loss():
    """Concentrations in mol/l around 1e-7, again with a loss in the target's own units."""
    x, y = surface()
    y = 1e-7 * (3 + y)
    return Standardised(y), (x, y), lambda m, b: (((m(b[0]) - b[1]) / m.std) ** 2).mean()


@healthy(field="tabular", tricky="columns from 1e-3 to 1e5; the first layer is a normalisation")
def raw_columns_then_batchnorm():
    """Age, income and rates side by side, normalised inside the model."""
    x, y = blobs(64, 6)
    x = x * torch.tensor([1e-3, 1.0, 10.0, 1e3, 1e5, 0.1]) + torch.tensor([0.0, 5.0, 40.0, 2e3, 3e5, 0.5])
    return nn.Sequential(nn.BatchNorm1d(6), *mlp(6, 32, 32, 4)), (x, y), classify


@healthy(field="tabular", tricky="one-hot rows: most weights of the first layer get gradient 0")
def one_hot_inputs():
    """Four categorical columns of 100 levels each, one-hot, 16 rows."""
    levels = torch.randint(0, 100, (16, 4))
    return mlp(400, 32, 2), (F.one_hot(levels, 100).flatten(1).float(), levels[:, 0] % 2), classify


@healthy(field="tabular", tricky="a margin loss: most terms are 0 once rows are right", proof=trains(0.9))
def hinge_mostly_satisfied():
    """A linear SVM with weight decay in the loss, started from a good solution."""
    x, y = blobs(128, classes=2, spread=1.2)
    sign = 2.0 * y - 1
    model = nn.Linear(16, 1)
    with torch.no_grad():
        difference = x[y == 1].mean(0) - x[y == 0].mean(0)
        model.weight.copy_(0.3 * difference[None])

    def step(model, batch):
        return F.relu(1 - batch[1] * model(batch[0]).squeeze(1)).mean() + 1e-3 * model.weight.square().sum()

    return model, (x, sign), step


@healthy(
    field="tabular",
    tricky="the loss stands on a constant of 1e3: relative change is tiny",
    proof=trains(floor=1000.0),
)
def loss_with_large_offset():
    """Someone added the log of a normalising constant to the loss."""
    return mlp(8, 32, 1), surface(), lambda m, b: regress(m, b) + 1000.0


@healthy(field="tabular", tricky="float64 all through")
def float64_regression():
    """Double precision, as in scientific code."""
    x, y = surface()
    return mlp(8, 32, 32, 1, act=nn.Softplus).double(), (x.double(), y.double()), regress


@healthy(field="tabular", tricky="weights are computed from other parameters; spectral norm has buffers")
def parametrised_weights():
    """weight_norm and spectral_norm by torch's parametrizations."""
    model = mlp(8, 32, 32, 1)
    model[0], model[2] = weight_norm(model[0]), spectral_norm(model[2])
    return model, surface(), regress


class Functional(nn.Module):
    """No layers: lists and dicts of parameters, used through torch.nn.functional."""

    def __init__(self):
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(0.3 * torch.randn(32, n)) for n in (8, 32, 32))
        self.extra = nn.ParameterDict({"out": torch.zeros(1, 32), "shift": torch.zeros(32)})

    def forward(self, x):
        for i in range(3):
            x = F.leaky_relu(F.linear(x, self.weights[i], self.extra["shift"]), 0.1)
        return x @ self.extra["out"].T


@healthy(field="tabular", tricky="parameters sit in containers without a forward; the output weight starts at 0")
def functional_parameter_containers():
    """A net written with F.linear over ParameterList and ParameterDict."""
    return Functional(), surface(), regress


class Hypernetwork(nn.Module):
    """A small net writes the weights of the one that predicts."""

    def __init__(self):
        super().__init__()
        self.writer = mlp(4, 32, 8 * 16 + 16)
        self.codes = nn.Parameter(torch.randn(4))
        self.shift = nn.Parameter(torch.zeros(16))

    def forward(self, x):
        first, second = self.writer(self.codes).split([128, 16])
        return F.tanh(x @ first.view(8, 16) + self.shift) @ second[:, None]


@healthy(field="tabular", tricky="a vector of four numbers produces all weights")
def hypernetwork():
    """Weights are outputs; real parameters sit one network further up."""
    return Hypernetwork(), surface(), regress


class Grouped(nn.Module):
    """Two inputs of different kind, three outputs."""

    def __init__(self):
        super().__init__()
        self.category = nn.Embedding(10, 8)
        self.numeric = nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, 24), nn.ReLU())
        self.trunk = nn.Sequential(nn.Linear(32, 32), nn.ReLU())
        self.heads = nn.ModuleDict({"price": nn.Linear(32, 1), "kind": nn.Linear(32, 3), "flag": nn.Linear(32, 1)})

    def forward(self, numeric, category):
        h = self.trunk(torch.cat([self.numeric(numeric), self.category(category)], 1))
        return {name: head(h) for name, head in self.heads.items()}


@healthy(field="tabular", tricky="three losses that differ by a factor of 1e5; a small one drives its own head")
def multi_task_scales():
    """Regression, classification and a rare flag with weights 1, 1e-2 and 1e-5."""
    numeric, price = surface()
    category = torch.randint(0, 10, (64,))

    def step(model, batch):
        out = model(batch["numeric"], batch["category"])
        flag = F.binary_cross_entropy_with_logits(out["flag"], batch["flag"])
        kind = F.cross_entropy(out["kind"], batch["kind"])
        return F.mse_loss(out["price"], batch["price"]) + 1e-2 * kind + 1e-5 * flag

    flag = (numeric[:, :1] > 1.5).float()
    batch = {"numeric": numeric, "category": category, "price": price, "kind": category % 3, "flag": flag}
    return Grouped(), batch, step


class LitRegressor(nn.Module):
    """What a LightningModule looks like: training_step and its own loss; the batch may be a tuple."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 32), nn.ELU(), nn.Linear(32, 32), nn.Hardswish(), nn.Linear(32, 1))

    def training_step(self, batch, _index):
        x, y = batch
        return F.smooth_l1_loss(self.net(x), y)


@healthy(field="tabular", tricky="the model has no forward; Huber loss clips large errors")
def lightning_style_module():
    """training_step is the only entry."""
    return LitRegressor(), surface(), lambda m, b: m.training_step(b, 0)


@healthy(field="tabular", tricky="outputs start near chance and gradients shrink with 1000 classes")
def thousand_classes():
    """1000 classes, 2 rows each: most rows of the head are pushed down a little."""
    return mlp(32, 64, 1000), blobs(2000, 32, 1000, 0.1), classify


class Cube(torch.autograd.Function):
    """x^3 with its derivative written by hand."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * grad


class CubicNet(nn.Module):
    """A net with a hand-written activation."""

    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(8, 32), nn.Linear(32, 1)

    def forward(self, x):
        return self.down(Cube.apply(self.up(x)))


@healthy(field="tabular", tricky="a custom autograd Function: the op is unknown to any table")
def custom_function_correct():
    """A correct hand-written backward."""
    return CubicNet(), surface(), regress


class SoftTree(nn.Module):
    """A soft decision tree of depth three: products of sigmoids weigh eight leaves."""

    def __init__(self):
        super().__init__()
        self.split = nn.Linear(8, 7)
        self.leaf = nn.Parameter(torch.randn(8))

    def forward(self, x):
        right = self.split(x).sigmoid()
        path = torch.ones(len(x), 1)
        for level in range(3):
            gate = right[:, 2**level - 1 : 2 ** (level + 1) - 1]
            path = torch.stack([path * (1 - gate), path * gate], -1).flatten(1)
        return path @ self.leaf[:, None]


@healthy(field="tabular", tricky="products of three sigmoids shrink each leaf's share")
def soft_decision_tree():
    """A differentiable tree."""
    return SoftTree(), surface(), regress

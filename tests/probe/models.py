"""Small models of every kind, by name, each with a batch, a step, and what makes its predictions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from tests.probe.comparing import Built

MODELS: dict[str, Callable[[], Built]] = {}
HEADS: dict[str, tuple[str, ...]] = {}
"""The dotted names of the modules that make the predictions; of bare parameters "", of a gradient's "-"."""
ANSWERED: dict[str, str] = {}
"""What keeps the null predictions from being taken, in a word of the reason; "" where both are."""


def makes(*heads: str, but: str = "") -> Callable[[Callable[[], Built]], Callable[[], Built]]:
    """Register a model whose predictions these modules make."""

    def register(build: Callable[[], Built]) -> Callable[[], Built]:
        name = build.__name__
        MODELS[name], HEADS[name], ANSWERED[name] = build, heads, but
        return build

    return register


class Case(NamedTuple):
    x: Tensor
    y: Tensor


class Apply(nn.Module):
    """Owns parts by name and applies a function to itself and what goes in."""

    def __init__(self, function: Callable[..., Any], **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *given: Any) -> Any:
        return self.function(self, *given)


def mean_square(model: nn.Module, batch: Any) -> Tensor:
    return (model(batch[0]) - batch[1]).square().mean()


def classes(model: nn.Module, batch: Any) -> Tensor:
    return F.cross_entropy(model(batch[0]).flatten(0, -2), batch[1].flatten())


def weight(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape) * 0.3)


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape)


def trunk() -> tuple[nn.Module, nn.Module]:
    return nn.Linear(4, 8), nn.ReLU()


def pairs() -> Case:
    return Case(numbers(6, 4), numbers(6, 2))


def perceptron(head: nn.Module | None = None) -> nn.Sequential:
    return nn.Sequential(*trunk(), head or nn.Linear(8, 2))


def functional(function: Callable[..., Tensor], **parts: nn.Module | nn.Parameter) -> Built:
    return Apply(function, **parts), pairs(), mean_square


# --------------------------------------------------------------------------- plain


@makes("2")
def mlp() -> Built:
    return perceptron(), pairs(), mean_square


@makes("4")
def conv_net() -> Built:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
    return model, (numbers(4, 3, 8, 8), torch.randint(5, (4,))), classes


@makes("2")
def segmentation_in_channels_last() -> Built:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 5, 1))
    images = numbers(4, 3, 8, 8).to(memory_format=torch.channels_last)
    batch = images, torch.randint(5, (4, 8, 8))
    return model.to(memory_format=torch.channels_last), batch, lambda m, b: F.cross_entropy(m(b[0]), b[1])


@makes("2")
def convolutions_of_one_image() -> Built:
    model = nn.Sequential(nn.Conv1d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv1d(8, 2, 1))
    return model, (numbers(3, 20), numbers(2, 20)), mean_square


@makes("1")
def transformer() -> Built:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.1)
    model = nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Linear(8, 5))
    return model, (numbers(4, 6, 8), torch.randint(5, (4, 6))), classes


@makes("layers.0.linear2", "layers.0.self_attn", "layers.1.linear2", "layers.1.self_attn")
def transformer_without_a_head() -> Built:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    return model, (numbers(4, 6, 8), numbers(4, 6, 8)), mean_square


@makes("attention")
def attention() -> Built:
    model = Apply(lambda m, x: m.attention(x, x, x)[0], attention=nn.MultiheadAttention(8, 2, batch_first=True))
    return model, (numbers(4, 6, 8), numbers(4, 6, 8)), mean_square


@makes("head")
def recurrent() -> Built:
    parts = {"cell": nn.LSTM(4, 8, batch_first=True), "head": nn.Linear(8, 2)}
    return Apply(lambda m, x: m.head(m.cell(x)[0][:, -1]), **parts), (numbers(5, 7, 4), numbers(5, 2)), mean_square


@makes("", but="can be answered")
def recurrent_alone() -> Built:
    model = nn.LSTM(4, 8, batch_first=True)
    return model, (numbers(5, 3, 4), numbers(5, 3, 8)), lambda m, b: (m(b[0])[0] - b[1]).square().mean()


@makes("head")
def a_head_called_at_every_step() -> Built:
    def run(model: Apply, x: Tensor) -> Tensor:
        state, out = torch.zeros(len(x), 8), []
        for step in x.unbind(1):
            state = model.cell(step, state)
            out.append(model.head(state))
        return torch.stack(out, 1)

    parts = {"cell": nn.GRUCell(4, 8), "head": nn.Linear(8, 2)}
    return Apply(run, **parts), (numbers(5, 4, 4), numbers(5, 4, 2)), mean_square


@makes("out")
def u_net() -> Built:
    def run(model: Apply, x: Tensor) -> Tensor:
        first = model.first(x).relu()
        below = model.below(F.max_pool2d(first, 2)).relu()
        return model.out(torch.cat([first, model.up(below)], 1))

    parts = {
        "first": nn.Conv2d(1, 4, 3, padding=1),
        "below": nn.Conv2d(4, 8, 3, padding=1),
        "up": nn.ConvTranspose2d(8, 4, 2, 2),
        "out": nn.Conv2d(8, 1, 1),
    }
    return Apply(run, **parts), (numbers(3, 1, 8, 8), numbers(3, 1, 8, 8)), mean_square


@makes("2")
def transposed_convolution() -> Built:
    model = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(4, 1, 2, 2))
    return model, (numbers(3, 1, 8, 8), numbers(3, 1, 8, 8)), mean_square


@makes("actor", "critic")
def actor_critic() -> Built:
    def step(model: Any, batch: Any) -> Tensor:
        seen = model.trunk(batch[0]).tanh()
        value = (model.critic(seen)[:, 0] - batch[2]).square().mean()
        return F.cross_entropy(model.actor(seen), batch[1]) + value

    parts = {"trunk": nn.Linear(4, 8), "actor": nn.Linear(8, 3), "critic": nn.Linear(8, 1)}
    return Apply(lambda m: None, **parts), (numbers(6, 4), torch.randint(3, (6,)), numbers(6)), step


@makes("decode.2", "mean", "spread")
def variational() -> Built:
    def step(model: Any, x: Tensor) -> Tensor:
        seen = model.encode(x).relu()
        mean, spread = model.mean(seen), model.spread(seen)
        made = model.decode(mean + torch.randn_like(mean) * (spread / 2).exp())
        return (made - x).square().mean() + (mean.square() + spread.exp() - 1 - spread).mean()

    decode = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4))
    parts = {"encode": nn.Linear(4, 8), "mean": nn.Linear(8, 2), "spread": nn.Linear(8, 2), "decode": decode}
    return Apply(lambda m: None, **parts), numbers(6, 4), step


@makes("")
def tied_embedding() -> Built:
    parts = {"embed": nn.Embedding(11, 8), "trunk": nn.Linear(8, 8)}
    words = torch.randint(11, (4, 5))
    return Apply(lambda m, i: m.trunk(m.embed(i)) @ m.embed.weight.T, **parts), (words, words.roll(1)), classes


@makes("head")
def sparse_embedding() -> Built:
    parts = {"embed": nn.Embedding(50, 4, sparse=True), "head": nn.Linear(4, 2)}
    return Apply(lambda m, i: m.head(m.embed(i)), **parts), (torch.randint(50, (6,)), numbers(6, 2)), mean_square


@makes("gate", "experts.0.2", "experts.1.2")
def mixture_of_experts() -> Built:
    def run(model: Any, x: Tensor) -> Tensor:
        gates = model.gate(x).softmax(-1)
        return gates[:, :1] * model.experts[0](x) + gates[:, 1:] * model.experts[1](x)

    return functional(run, gate=nn.Linear(4, 2), experts=nn.ModuleList([perceptron(), perceptron()]))


@makes("generate", but="one sample")
def hypernetwork() -> Built:
    made = lambda m, x: F.linear(x, m.generate(x.mean(0, keepdim=True)).view(2, 4))  # noqa: E731
    return functional(made, generate=nn.Linear(4, 8))


@makes("")
def hypernetwork_of_a_code() -> Built:
    made = lambda m, x: F.linear(m.trunk(x).relu(), m.generate(m.code).view(2, 8))  # noqa: E731
    return functional(made, trunk=nn.Linear(4, 8), generate=nn.Linear(3, 16), code=weight(3))


# --------------------------------------------------------------------------- bare parameters


@makes("")
def input_times_weight() -> Built:
    return functional(lambda m, x: (x @ m.a).tanh() @ m.c + m.d, a=weight(4, 8), c=weight(8, 2), d=weight(2))


@makes("")
def weight_times_input() -> Built:
    model = Apply(lambda m, x: m.c @ (m.a @ x).tanh(), a=weight(8, 4), c=weight(2, 8))
    return model, (numbers(4, 6), numbers(2, 6)), mean_square


@makes("")
def input_times_vector() -> Built:
    model = Apply(lambda m, x: (x @ m.a).tanh() @ m.c, a=weight(4, 8), c=weight(8))
    return model, (numbers(6, 4), numbers(6)), mean_square


@makes("")
def addmv() -> Built:
    model = Apply(lambda m, x: torch.addmv(m.d, (x @ m.a).tanh(), m.c), a=weight(4, 8), c=weight(8), d=weight(1))
    return model, (numbers(6, 4), numbers(6)), mean_square


@makes("")
def einsum() -> Built:
    made = lambda m, x: torch.einsum("bh,hk->bk", torch.einsum("bi,ih->bh", x, m.a).tanh(), m.c)  # noqa: E731
    return functional(made, a=weight(4, 8), c=weight(8, 2))


@makes("")
def einsum_over_heads() -> Built:
    def run(model: Any, x: Tensor) -> Tensor:
        return torch.einsum("hdo, bthd -> bto", model.c, torch.einsum("bti,ihd->bthd", x, model.a).tanh())

    model = Apply(run, a=weight(4, 2, 8), c=weight(2, 8, 2))
    return model, (numbers(6, 3, 4), numbers(6, 3, 2)), mean_square


@makes("")
def experts_in_one_product() -> Built:
    def run(model: Any, x: Tensor) -> Tensor:
        return torch.baddbmm(model.d, torch.bmm(x.expand(3, -1, -1), model.a).relu(), model.c).mean(0)

    return functional(run, a=weight(3, 4, 8), c=weight(3, 8, 2), d=weight(3, 1, 2))


@makes("")
def one_flat_parameter() -> Built:
    def run(model: Any, x: Tensor) -> Tensor:
        return (x @ model.w[:32].view(4, 8)).relu() @ model.w[32:48].view(8, 2) + model.w[48:]

    return functional(run, w=weight(50))


# --------------------------------------------------------------------------- weights that are made


@makes("2")
def weight_norm() -> Built:
    return perceptron(parametrizations.weight_norm(nn.Linear(8, 2))), pairs(), mean_square


@makes("2")
def spectral_norm() -> Built:
    return perceptron(parametrizations.spectral_norm(nn.Linear(8, 2))), pairs(), mean_square


@makes("2")
def spectral_norm_as_a_hook() -> Built:
    return perceptron(nn.utils.spectral_norm(nn.Linear(8, 2))), pairs(), mean_square


@makes("2")
def orthogonal() -> Built:
    return perceptron(parametrizations.orthogonal(nn.Linear(8, 2))), pairs(), mean_square


@makes("", "base")
def lora() -> Built:
    def run(model: Any, x: Tensor) -> Tensor:
        seen = model.trunk(x).relu()
        return model.base(seen) + F.linear(F.linear(seen, model.a), model.b)

    base = nn.Linear(8, 2).requires_grad_(False)
    return functional(run, trunk=nn.Linear(4, 8), base=base, a=weight(2, 8), b=weight(2, 2))


@makes("")
def lora_merged() -> Built:
    made = lambda m, x: F.linear(m.trunk(x).relu(), m.base.weight + m.b @ m.a)  # noqa: E731
    base = nn.Linear(8, 2).requires_grad_(False)
    return functional(made, trunk=nn.Linear(4, 8), base=base, a=weight(2, 8), b=weight(2, 2))


@makes("2")
def frozen_head() -> Built:
    return perceptron(nn.Linear(8, 2).requires_grad_(False)), pairs(), mean_square


@makes("critic.2")
def frozen_critic() -> Built:
    critic = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(), nn.Linear(8, 1)).requires_grad_(False)
    model = Apply(lambda m, x: m.critic(m.make(x)), make=perceptron(), critic=critic)
    return model, numbers(6, 4), lambda m, x: F.softplus(-m(x)).mean()


@makes("2")
def weight_penalty() -> Built:
    def step(model: Any, batch: Any) -> Tensor:
        crossed = model[2].weight @ model[2].weight.T
        return mean_square(model, batch) + 1e-2 * (crossed.square().sum() + model[0].weight.square().sum())

    return perceptron(), pairs(), step


@makes("1.2")
def lazy() -> Built:
    return nn.Sequential(nn.Flatten(), nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))), *mlp()[1:]


# --------------------------------------------------------------------------- gradients inside the loss


def slope(model: nn.Module, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(model(x).sum(), x, create_graph=True)[0]


@makes("-", but="can be answered")
def physics_informed() -> Built:
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    return model, (numbers(6, 1), numbers(6, 1)), lambda m, b: (slope(m, b[0]) - b[1]).square().mean()


@makes("", "-", but="can be answered")
def gradient_penalty_of_a_line() -> Built:
    return nn.Linear(4, 1), numbers(6, 4), lambda m, x: m(x).mean() + (slope(m, x).norm(dim=1) - 1).square().mean()


@makes("")
def input_that_needs_a_gradient() -> Built:
    return nn.Linear(4, 2), pairs(), lambda m, b: (m(b[0].clone().requires_grad_()) - b[1]).square().mean()


# --------------------------------------------------------------------------- how it runs


@makes("_orig_mod.2")
def compiled() -> Built:
    return torch.compile(perceptron(), backend="eager"), pairs(), mean_square


@makes("head")
def checkpointed() -> Built:
    def run(model: Any, x: Tensor) -> Tensor:
        return checkpoint(model.head, checkpoint(model.trunk, x, use_reentrant=False).relu(), use_reentrant=False)

    return functional(run, trunk=nn.Linear(4, 8), head=nn.Linear(8, 2))


@makes("2")
def bfloat16() -> Built:
    batch = pairs()
    step = lambda m, b: (m(b[0]).float() - b[1]).square().mean()  # noqa: E731
    return perceptron().bfloat16(), (batch.x.bfloat16(), batch.y), step


@makes("2")
def float16() -> Built:
    batch = pairs()
    return perceptron().half(), (batch.x.half(), batch.y), bfloat16()[2]


@makes("2")
def float64() -> Built:
    batch = pairs()
    return perceptron().double(), (batch.x.double(), batch.y.double()), mean_square


@makes("2")
def autocast() -> Built:
    def step(model: Any, batch: Any) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            made = model(batch[0])
        return (made.float() - batch[1]).square().mean()

    return perceptron(), pairs(), step


@makes("2")
def complex64() -> Built:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)).to(torch.complex64)
    batch = torch.randn(6, 4, dtype=torch.complex64), numbers(6, 2)
    return model, batch, lambda m, b: (m(b[0]).abs() - b[1]).square().mean()


@makes("second")
def graph_of_a_sparse_adjacency() -> Built:
    places = torch.randint(6, (2, 12))
    adjacency = torch.sparse_coo_tensor(places, torch.ones(12), (6, 6)).coalesce()

    def run(model: Any, x: Tensor) -> Tensor:
        return torch.sparse.mm(adjacency, model.second(torch.sparse.mm(adjacency, model.first(x)).relu()))

    return functional(run, first=nn.Linear(4, 8), second=nn.Linear(8, 2))


@makes("2", but="all samples at once")
def jagged() -> Built:
    texts = torch.nested.nested_tensor([numbers(3, 4), numbers(5, 4)], layout=torch.jagged)
    return perceptron(), texts, lambda m, x: m(x).values().square().mean() + 1


@makes("2", but="raises RuntimeError")
def nested() -> Built:
    texts = torch.nested.nested_tensor([numbers(3, 4), numbers(5, 4)])
    return perceptron(), texts, lambda m, x: torch.cat(list(m(x).unbind())).square().mean()


@makes("2", but="one sample")
def batch_of_one() -> Built:
    return perceptron(), Case(numbers(1, 4), numbers(1, 2)), mean_square


@makes("2", but="one sample")
def no_batch() -> Built:
    return perceptron(), Case(numbers(4), numbers(2)), mean_square


@makes("2")
def a_number_for_each_sample() -> Built:
    return nn.Sequential(*trunk(), nn.Linear(8, 1), nn.Flatten(0)), (numbers(6, 4), numbers(6)), mean_square


@makes("head")
def written_in_place() -> Built:
    made = lambda m, x: m.head(m.trunk(x).relu_()).mul_(2).add_(1)  # noqa: E731
    return functional(made, trunk=nn.Linear(4, 8), head=nn.Linear(8, 2))


@makes("2", but="all samples at once")
def vmapped() -> Built:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    return model, pairs(), lambda m, b: (torch.vmap(lambda x: m(x))(b[0]) - b[1]).square().mean()


@makes("-", but="can be answered")
def functorch_gradients() -> Built:
    def step(model: nn.Module, x: Tensor) -> Tensor:
        own = dict(model.named_parameters())
        return torch.vmap(torch.func.grad(lambda x: torch.func.functional_call(model, own, x).sum()))(x).square().mean()

    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)), numbers(6, 4), step


@makes("head")
def counts_its_calls() -> Built:
    def run(model: Any, x: Tensor) -> Tensor:
        model.calls += 1
        return model.head(model.norm(model.trunk(x))) * model.calls

    model = Apply(run, trunk=nn.Linear(4, 8), norm=nn.BatchNorm1d(8), head=nn.Linear(8, 2))
    model.register_buffer("calls", torch.zeros(()))
    return model, pairs(), mean_square


@makes("2")
def dropout() -> Built:
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2), nn.Dropout(0.3)), pairs(), mean_square


@makes("2")
def steps_in_its_backward() -> Built:
    model = perceptron()
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(lambda p: p.data.sub_(p.grad))
    return model, pairs(), mean_square


@makes(but="no layer of its own")
def factorised() -> Built:
    parts = {"user": nn.Embedding(9, 4), "item": nn.Embedding(9, 4)}
    model = Apply(lambda m, i: (m.user(i[:, 0]) * m.item(i[:, 1])).sum(-1), **parts)
    return model, (torch.randint(9, (6, 2)), numbers(6)), mean_square

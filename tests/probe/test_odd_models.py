"""Models that break naive hooks; each is measured exactly as plain backward gives it."""

import math
import warnings
from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, rnn
from torch.utils.checkpoint import checkpoint

from gradcheck_cli import check
from gradcheck_cli.records.measurement import Measurement, ParameterMeasurement
from tests.probe.comparing import Build, Built, Step, assert_as_plain, made, plain_norms, probed

ODD: dict[str, Build] = {}


def odd(build: Build) -> Build:
    """Register a model that is measured by `test_as_plain_backward`."""
    ODD[build.__name__] = build
    return build


def mean_square(model: nn.Module, batch: Any) -> Tensor:
    output = model(batch)
    return (output[0] if isinstance(output, tuple) else output).square().mean()


class Apply(nn.Module):
    """Owns modules by name and applies a function to itself and the input."""

    def __init__(self, function: Callable[..., Any], **parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Any) -> Any:
        return self.function(self, x)


def rows(*shape: int) -> Tensor:
    return torch.randn(*(shape or (6, 4)))


# --------------------------------------------------------------------------- sharing


@odd
def shared_module() -> Built:
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.Tanh(), layer, nn.Tanh(), layer), rows(), mean_square


@odd
def tied_embedding() -> Built:
    parts = {"embed": nn.Embedding(11, 4), "head": nn.Linear(4, 11, bias=False)}
    parts["head"].weight = parts["embed"].weight
    model = Apply(lambda m, ids: m.head(m.embed(ids)), **parts)
    return model, torch.randint(0, 11, (5, 3)), lambda m, ids: F.cross_entropy(m(ids).flatten(0, 1), ids.flatten())


@odd
def sparse_embedding() -> Built:
    parts = {"embed": nn.Embedding(50, 4, sparse=True), "head": nn.Linear(4, 2)}
    return Apply(lambda m, ids: m.head(m.embed(ids)), **parts), torch.tensor([[1, 2, 2], [7, 1, 1]]), mean_square


@odd
def sparse_embedding_bag() -> Built:
    bag = nn.EmbeddingBag(50, 4, mode="sum", sparse=True)
    return nn.Sequential(bag, nn.Linear(4, 2)), torch.tensor([[1, 2, 2], [7, 1, 1]]), mean_square


@odd
def one_parameter_in_two_roles() -> Built:
    part = nn.Linear(4, 4, bias=False)
    return Apply(lambda m, x: (x @ m.part.weight).tanh() @ m.part.weight.T, part=part), rows(), mean_square


# --------------------------------------------------------------------------- types


@odd
def complex_parameters() -> Built:
    model = nn.Linear(4, 3, dtype=torch.complex64)
    return model, torch.randn(6, 4, dtype=torch.complex64), lambda m, x: m(x).abs().square().mean()


@odd
def complex_through_a_spectrum() -> Built:
    part = nn.Linear(8, 8)
    model = Apply(lambda m, x: torch.fft.irfft(torch.fft.rfft(m.part(x)) * (0.5 + 0.1j)), part=part)
    return model, rows(6, 8), mean_square


@odd
def bfloat16_parameters() -> Built:
    model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2)).bfloat16()
    return model, rows().bfloat16(), lambda m, x: m(x).float().square().mean()


@odd
def float16_parameters() -> Built:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).half()
    return model, rows().half(), lambda m, x: m(x).float().square().mean()


@odd
def mixed_types() -> Built:
    parts = {"low": nn.Linear(4, 4).bfloat16(), "high": nn.Linear(4, 2).double()}
    return Apply(lambda m, x: m.high(m.low(x).double()), **parts), rows().bfloat16(), mean_square


@odd
def autocast_inside() -> Built:
    def forward(m: Apply, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return m.part(x).float()

    return Apply(forward, part=nn.Linear(4, 3)), rows(), mean_square


# --------------------------------------------------------------------------- what takes no part


@odd
def frozen_part() -> Built:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    model[2].requires_grad_(False)
    return model, rows(), mean_square


@odd
def unused_part() -> Built:
    return Apply(lambda m, x: m.used(x), used=nn.Linear(4, 2), spare=nn.Linear(4, 2)), rows(), mean_square


@odd
def detached_part() -> Built:
    parts = {"below": nn.Linear(4, 4), "above": nn.Linear(4, 2)}
    return Apply(lambda m, x: m.above(m.below(x).detach()), **parts), rows(), mean_square


@odd
def zeroed_part() -> Built:
    parts = {"below": nn.Linear(4, 4), "above": nn.Linear(4, 2)}
    return Apply(lambda m, x: m.above(x + 0.0 * m.below(x)), **parts), rows(), mean_square


# --------------------------------------------------------------------------- machinery around the forward pass


def _checkpointed(reentrant: bool) -> Built:
    block = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 4))
    parts = {"stem": nn.Linear(4, 4), "block": block, "head": nn.Linear(4, 2)}
    model = Apply(lambda m, x: m.head(checkpoint(m.block, m.stem(x), use_reentrant=reentrant)), **parts)
    return model, rows(), mean_square


@odd
def checkpointed_with_reentry() -> Built:
    return _checkpointed(True)


@odd
def checkpointed_without_reentry() -> Built:
    return _checkpointed(False)


@odd
def compiled() -> Built:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    return torch.compile(model, backend="eager"), rows(), mean_square


@odd
def compiled_inside() -> Built:
    part = torch.compile(nn.Sequential(nn.Linear(4, 4), nn.Tanh()), backend="eager")
    return Apply(lambda m, x: m.head(m.part(x)), part=part, head=nn.Linear(4, 2)), rows(), mean_square


@odd
def data_parallel() -> Built:
    return nn.DataParallel(nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))), rows(), mean_square


@odd
def weight_norm() -> Built:
    return nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 4)), nn.Linear(4, 2)), rows(), mean_square


@odd
def old_weight_norm() -> Built:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = nn.utils.weight_norm(nn.Linear(4, 4))
    return nn.Sequential(layer, nn.Tanh(), nn.Linear(4, 2)), rows(), mean_square


@odd
def spectral_norm() -> Built:
    return nn.Sequential(parametrizations.spectral_norm(nn.Linear(4, 4)), nn.Linear(4, 2)), rows(), mean_square


@odd
def orthogonal() -> Built:
    return nn.Sequential(parametrizations.orthogonal(nn.Linear(4, 4)), nn.Linear(4, 2)), rows(), mean_square


@odd
def functional_call() -> Built:
    def forward(m: Apply, x: Tensor) -> Tensor:
        scaled = {name: 2 * p for name, p in m.part.named_parameters()}
        return torch.func.functional_call(m.part, scaled, (x,))

    return Apply(forward, part=nn.Linear(4, 2)), rows(), mean_square


# --------------------------------------------------------------------------- ops


@odd
def relu_in_place() -> Built:
    return (
        nn.Sequential(nn.Linear(4, 8), nn.ReLU(True), nn.Linear(8, 8), nn.ReLU(True), nn.Linear(8, 2)),
        rows(),
        (mean_square),
    )


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, weight)
        return x * weight, x + weight

    @staticmethod
    def backward(ctx: Any, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        return left * weight + right, (left * x + right).sum(0)


def _scaled(m: Apply, x: Tensor) -> Tensor:
    left, right = Scaled.apply(m.part(x), m.scale.weight[0])
    return left.tanh() + right


@odd
def custom_function() -> Built:
    return Apply(_scaled, part=nn.Linear(4, 4), scale=nn.Linear(4, 1)), rows(), mean_square


@odd
def multihead_attention() -> Built:
    parts = {"attend": nn.MultiheadAttention(8, 2, batch_first=True), "head": nn.Linear(8, 2)}
    return Apply(lambda m, x: m.head(m.attend(x, x, x)[0]), **parts), rows(3, 5, 8), mean_square


@odd
def multihead_attention_without_weights() -> Built:
    attend = nn.MultiheadAttention(8, 2, batch_first=True)
    return Apply(lambda m, x: m.attend(x, x, x, need_weights=False)[0], attend=attend), rows(3, 5, 8), mean_square


@odd
def transformer_layer() -> Built:
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), rows(3, 5, 8), mean_square


@odd
def views_written_in_place() -> Built:
    def forward(m: Apply, x: Tensor) -> Tensor:
        y = m.part(x).clone()
        y[:, :2].mul_(3.0)
        y[0] = y[1] * 2
        return y

    return Apply(forward, part=nn.Linear(4, 4)), rows(), mean_square


@odd
def double_backward() -> Built:
    def step(model: nn.Module, x: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        return (slope.norm(dim=1) - 1).square().mean() + model(x).mean()

    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)), rows(), step


# --------------------------------------------------------------------------- recurrence


def _recurrent(cell: type[nn.RNNBase], **options: Any) -> Build:
    def build() -> Built:
        return cell(4, 5, batch_first=True, **options), rows(3, 9, 4), mean_square

    return build


RECURRENT: dict[str, dict[str, Any]] = {
    "plain": {},
    "stacked": {"num_layers": 2},
    "bidirectional": {"bidirectional": True},
    "stacked, bidirectional, dropout": {"num_layers": 2, "bidirectional": True, "dropout": 0.2},
    "without bias": {"bias": False},
}
for _cell in (nn.RNN, nn.GRU, nn.LSTM):
    ODD |= {f"{_cell.__name__} {name}": _recurrent(_cell, **options) for name, options in RECURRENT.items()}
ODD["LSTM with projection"] = _recurrent(nn.LSTM, proj_size=3)
ODD["RNN with relu"] = _recurrent(nn.RNN, nonlinearity="relu")


def _packed(cell: type[nn.RNNBase], **options: Any) -> Build:
    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        packed = rnn.pack_padded_sequence(*batch, batch_first=True, enforce_sorted=False)
        output, _ = rnn.pad_packed_sequence(model(packed)[0], batch_first=True)
        return output.square().mean()

    def build() -> Built:
        return cell(4, 5, batch_first=True, **options), (rows(3, 9, 4), torch.tensor([4, 9, 2])), step

    return build


ODD["packed LSTM"] = _packed(nn.LSTM)
ODD["packed GRU, bidirectional"] = _packed(nn.GRU, bidirectional=True)
ODD["packed RNN, stacked"] = _packed(nn.RNN, num_layers=2)


@odd
def cells_in_a_loop() -> Built:
    def forward(m: Apply, x: Tensor) -> Tensor:
        h, c = x.new_zeros(3, 5), x.new_zeros(3, 5)
        for step in x.unbind(1):
            h, c = m.cell(step, (h, c))
        return h

    return Apply(forward, cell=nn.LSTMCell(4, 5)), rows(3, 9, 4), mean_square


# --------------------------------------------------------------------------- outputs and scales

Pair = namedtuple("Pair", "first second")


@dataclass
class Outcome:
    logits: Tensor
    hidden: tuple[Tensor, ...]


OUTPUTS: dict[str, Callable[[Tensor], Any]] = {
    "dict": lambda y: {"logits": y, "extra": [y.detach(), None]},
    "dataclass": lambda y: Outcome(y, (y * 2,)),
    "namedtuple": lambda y: Pair(y, y + 1),
    "nested": lambda y: ([{"a": (y,)}], "text", 3),
}


def _first_tensor(output: Any) -> Tensor:
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Outcome):
        return output.logits
    return _first_tensor(next(iter(output.values())) if isinstance(output, Mapping) else output[0])


def _returning(shape: Callable[[Tensor], Any]) -> Build:
    def build() -> Built:
        model = Apply(lambda m, x: shape(m.part(x)), part=nn.Linear(4, 2))
        return model, rows(), lambda m, x: _first_tensor(m(x)).square().mean()

    return build


ODD |= {f"returns a {name}": _returning(shape) for name, shape in OUTPUTS.items()}


def _times(scale: float) -> Build:
    def build() -> Built:
        model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
        return model, rows(), lambda m, x: m(x).square().mean() * scale

    return build


SCALES = [1e30, 1e25, 1e-25, 1e-30, 1e-36]
ODD |= {f"loss times {scale:g}": _times(scale) for scale in SCALES}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ODD)
def test_as_plain_backward(name: str) -> None:
    assert_as_plain(ODD[name])


# --------------------------------------------------------------------------- what else is said about them


def parameter(measurement: Measurement, name: str) -> ParameterMeasurement:
    return next(p for p in measurement.parameters if name in p.names)


def test_a_tied_parameter_is_listed_once_by_all_its_names() -> None:
    found = probed(*made(tied_embedding)).parameters
    assert [p.names for p in found] == [("embed.weight", "head.weight")]


def test_a_sparse_gradient_counts_the_rows_it_touches() -> None:
    model, batch, step = made(sparse_embedding)
    found = parameter(probed(model, batch, step), "embed.weight")
    touched = model.embed.weight.detach()[[1, 2, 7]]
    assert found.active_weight_norm == pytest.approx(float(touched.norm()), rel=1e-5)
    assert found.weight_norm == pytest.approx(float(model.embed.weight.detach().norm()), rel=1e-5)
    assert found.zero_share == pytest.approx(47 / 50)


def test_frozen_and_unused_parameters_have_no_gradient() -> None:
    frozen = parameter(probed(*made(frozen_part)), "2.weight")
    assert (frozen.requires_grad, frozen.grad_norm) == (False, None)
    unused = parameter(probed(*made(unused_part)), "spare.weight")
    assert (unused.requires_grad, unused.grad_norm, unused.op) == (True, None, None)


def test_an_exact_zero_is_zero_and_not_none() -> None:
    found = parameter(probed(*made(zeroed_part)), "below.weight")
    assert (found.grad_norm, found.zero_share) == (0.0, 1.0)


@pytest.mark.parametrize("scale", SCALES)
def test_extreme_gradients_are_neither_infinite_nor_zero(scale: float) -> None:
    for found in probed(*made(_times(scale))).parameters:
        assert found.grad_norm is not None
        assert 0 < found.grad_norm < math.inf
        assert (found.nan_count, found.inf_count) == (0, 0)


@pytest.mark.parametrize("build", [checkpointed_with_reentry, checkpointed_without_reentry])
def test_the_ops_of_a_checkpointed_block_are_seen(build: Build) -> None:
    measurement = probed(*made(build))
    modules = {m.path: i for i, m in enumerate(measurement.modules)}
    assert {op.name for op in measurement.ops if op.module == modules["block.1"]} == {"TanhBackward0"}
    assert parameter(measurement, "block.0.weight").op is not None


@pytest.mark.filterwarnings("ignore:Using `torch.compile")
def test_the_ops_of_a_compiled_model_are_seen() -> None:
    measurement = probed(*made(compiled))
    assert "ReluBackward0" in {op.name for op in measurement.ops}


@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU, nn.LSTM])
def test_built_in_recurrence_shows_its_steps(cell: type[nn.RNNBase]) -> None:
    def last(model: nn.Module, x: Tensor) -> Tensor:
        return model(x)[0][:, -1].square().mean()

    report = check(cell(4, 16, batch_first=True), rows(3, 20, 4), step=last)
    assert [series.steps for series in report.series] == [20]
    assert report.series[0].attenuation < 0


def test_a_lazy_model_has_its_shapes_after_one_plain_pass() -> None:
    model, batch = nn.Sequential(nn.LazyLinear(4), nn.Tanh(), nn.LazyLinear(2)), rows()
    model(batch)
    found = {p.names[0]: p.grad_norm for p in probed(model, batch, mean_square).parameters}
    assert found == pytest.approx(plain_norms(model, batch, mean_square), rel=1e-5)


def test_a_loss_module_and_a_loss_by_name_are_the_same() -> None:
    model, batch = nn.Linear(4, 3), (rows(), torch.tensor([0, 1, 2, 0, 1, 2]))
    step: Step = lambda m, b: F.cross_entropy(m(b[0]), b[1])  # noqa: E731
    norms = [
        check(model, batch, **how).layers[0].grad_norm
        for how in ({"loss": nn.CrossEntropyLoss()}, {"loss": "cross_entropy"}, {"step": step}, {})
    ]
    assert norms == [norms[0]] * 4

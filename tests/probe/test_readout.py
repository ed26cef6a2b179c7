"""A Measurement in plain numbers, held against the pass that it was taken of."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.probe import measure
from gradcheck_cli.probe.readout import loss_value
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.target import wrap_target
from tests.probe.comparing import probed

HERE = Path(__file__)


class Odd(nn.Module):
    """Tied, frozen, unused and partly untouched parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(6, 3)
        self.head = nn.Linear(3, 6, bias=False)
        self.head.weight = self.embed.weight
        self.scale = nn.Parameter(torch.full((3,), 2.0))
        self.spare = nn.Linear(2, 2)
        self.frozen = nn.Linear(3, 3).requires_grad_(False)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(torch.sigmoid(self.frozen(self.embed(ids) * self.scale)))


@pytest.fixture(scope="module")
def odd() -> tuple[Odd, Measurement]:
    torch.manual_seed(0)
    model = Odd()
    return model, probed(model, torch.tensor([[0, 1], [1, 3]]), lambda model, ids: model(ids)[..., :2].square().mean())


def test_every_number_is_plain(odd: tuple[Odd, Measurement]) -> None:
    def leaves(value: object) -> list[object]:
        if dataclasses.is_dataclass(value):
            return [leaf for field in dataclasses.fields(value) for leaf in leaves(getattr(value, field.name))]
        if isinstance(value, (tuple, list)):
            return [leaf for item in value for leaf in leaves(item)]
        return leaves(tuple(value.values())) if isinstance(value, dict) else [value]

    kinds = {type(leaf) for leaf in leaves(odd[1])}
    assert kinds <= {int, float, str, bool, type(None)}


def test_a_tied_parameter_is_one_with_all_its_names(odd: tuple[Odd, Measurement]) -> None:
    parameters = {p.names: p for p in odd[1].parameters}
    assert list(parameters) == [
        ("scale",),
        ("embed.weight", "head.weight"),
        ("spare.weight",),
        ("spare.bias",),
        ("frozen.weight",),
        ("frozen.bias",),
    ]
    tied = parameters["embed.weight", "head.weight"]
    assert odd[1].modules[tied.module].path == "embed"
    assert (tied.shape, tied.numel, tied.dtype) == ((6, 3), 18, "float32")


def test_rows_without_a_gradient_are_left_out_of_the_active_weight(odd: tuple[Odd, Measurement]) -> None:
    model, found = odd
    tied = next(p for p in found.parameters if "embed.weight" in p.names)
    touched = model.embed.weight.detach()[[0, 1, 3]]  # the loss reads rows 0 and 1 of the head, the ids 0, 1 and 3
    assert tied.zero_share == pytest.approx(0.5)
    assert tied.active_weight_norm == pytest.approx(touched.norm().item())
    assert tied.weight_norm == pytest.approx(model.embed.weight.norm().item())


def test_what_the_loss_does_not_reach_has_no_op_and_what_is_frozen_no_gradient(odd: tuple[Odd, Measurement]) -> None:
    by_name = {p.names[0]: p for p in odd[1].parameters}
    for name in ("spare.weight", "frozen.bias"):
        assert (by_name[name].op, by_name[name].grad_norm, by_name[name].zero_share) == (None, None, None)
    assert by_name["spare.weight"].requires_grad and not by_name["frozen.bias"].requires_grad
    scale = by_name["scale"]
    assert scale.op is not None and odd[1].ops[scale.op].name == "AccumulateGrad"
    assert odd[1].ops[scale.op].total == scale.grad_norm


def test_ops_stand_before_those_they_send_to_and_leaves_have_no_place(odd: tuple[Odd, Measurement]) -> None:
    ops = odd[1].ops
    assert all(edge.to > index for index, op in enumerate(ops) for edge in op.edges)
    assert all((op.sequence == -1) == (op.name == "AccumulateGrad") for op in ops)
    assert ops[0].total == 1.0


def test_a_lens_points_to_its_op(odd: tuple[Odd, Measurement]) -> None:
    lenses = {odd[1].ops[lens.op].name: lens for lens in odd[1].lenses}
    assert list(lenses) == ["SigmoidBackward0"]
    assert 0 < lenses["SigmoidBackward0"].slope <= 0.25
    assert lenses["SigmoidBackward0"].dead is None


def test_the_outputs_of_a_layer_point_to_the_ops_that_made_them(odd: tuple[Odd, Measurement]) -> None:
    made = {m.path: [odd[1].ops[i].name for i in m.output_ops] for m in odd[1].modules}
    assert made["embed"] == ["EmbeddingBackward0"]
    assert made["spare"] == []
    assert odd[1].modules[[m.path for m in odd[1].modules].index("spare")].output_rms is None


def test_weights_that_are_not_finite_are_counted() -> None:
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight[0, 0], layer.weight[1, 2] = math.nan, math.inf
    weight, bias = probed(layer, torch.ones(4, 3), lambda model, x: model(x)[:, 0].mean() * 0 + 1).parameters
    assert (weight.weight_nonfinite, bias.weight_nonfinite) == (2, 0)
    assert math.isnan(weight.weight_norm)


@pytest.mark.parametrize(("uses", "told"), [(7, False), (8, True)])
def test_the_spectral_radius_is_that_of_a_square_weight_used_step_after_step(uses: int, told: bool) -> None:
    layer = nn.Linear(2, 2, bias=False)
    layer.weight.data = torch.tensor([[0.0, 0.5], [0.5, 0.0]])

    def step(model: nn.Module, x: Tensor) -> Tensor:
        for _ in range(uses):
            x = model(x)
        return x.mean()

    (weight,) = probed(layer, torch.ones(4, 2), step).parameters
    assert weight.spectral_radius == (pytest.approx(0.5, rel=1e-3) if told else None)


@pytest.mark.parametrize(
    ("loss", "value"),
    [
        (torch.tensor(2.5), 2.5),
        (torch.tensor(2.5, dtype=torch.bfloat16), 2.5),
        (torch.tensor(1e300, dtype=torch.float64), 1e300),
        (torch.tensor(3 + 4j), 5.0),
        (torch.tensor(-math.inf), -math.inf),
        (torch.tensor([2.5], requires_grad=True), 2.5),
    ],
)
def test_a_loss_is_one_float(loss: Tensor, value: float) -> None:
    assert loss_value(loss) == value


def test_an_op_that_no_line_of_the_users_called_stands_where_its_module_was_built() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.Tanh()), nn.Sigmoid())
    plain = wrap_target(model, (torch.ones(3, 2), torch.zeros(3, 2)), loss="mse_loss")
    target = dataclasses.replace(plain, root=str(HERE.parent), built={"0": (str(HERE), 1), "1": (str(HERE), 3)})
    found = measure(target, target.batches[0])
    lines = {
        (op.name, found.modules[op.module].path): found.sources[op.source].line if op.source >= 0 else None
        for op in found.ops
        if op.module >= 0
    }
    assert lines["AddmmBackward0", "0"] == 1
    assert lines["AddmmBackward0", "1.0"] == lines["TanhBackward0", "1.1"] == 3  # built inside of what was seen
    assert lines["SigmoidBackward0", "2"] is None
    assert {source.file for source in found.sources} == {HERE.name}

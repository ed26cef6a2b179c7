"""Plans for layers: which edits try each remedy, or why it cannot be tried."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.trials import edits, layerplans
from gradcheck_cli.trials.planning import Plan
from gradcheck_cli.trials.torchcalls import NothingToActOn, NotTriable
from tests.trials.contexts import context

X = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
BATCH = X, torch.zeros(8, 4)
CLASSES = X, torch.arange(8) % 4


def stack(*modules: nn.Module) -> nn.Module:
    return nn.Sequential(*modules)


def squashed() -> nn.Module:
    torch.manual_seed(0)
    return stack(nn.Linear(4, 16), nn.Sigmoid(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 4))


def functions(plan: Plan) -> list[Any]:
    return [edit.function for edit in plan.edits]


# --------------------------------------------------------------------------- activations


@pytest.mark.parametrize("make", [layerplans.relu, layerplans.gelu])
def test_squashing_activations_are_swapped_and_weights_drawn_for_what_comes_in_their_place(make: Any) -> None:
    swap, drawn = make(context(squashed(), BATCH)).edits
    assert (swap.arguments["to"], swap.arguments["places"]) == (
        make.__name__,
        {("1", "sigmoid", None), ("3", "tanh", None)},
    )
    deviations = {"0.weight": math.sqrt(2 / 4), "2.weight": math.sqrt(2 / 16), "4.weight": math.sqrt(1 / 16)}
    assert drawn.arguments["deviations"] == pytest.approx(deviations, rel=1e-3)


@pytest.mark.parametrize(("make", "act"), [(layerplans.relu, nn.ReLU()), (layerplans.gelu, nn.GELU())])
def test_without_an_activation_to_swap_there_is_nothing_to_try(make: Any, act: nn.Module) -> None:
    with pytest.raises(NotTriable, match="no such activation"):
        make(context(stack(nn.Linear(4, 4), act, nn.Linear(4, 4), nn.Sigmoid()), BATCH))


def test_leaky_relu_takes_the_place_of_what_rectifies() -> None:
    class Clamped(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).clamp(min=0)

    (swap,) = layerplans.leaky_relu(context(stack(Clamped(4, 4), nn.ReLU(), nn.Linear(4, 4)), BATCH)).edits
    assert swap.arguments == {"places": {("0", "clamp", None), ("1", "relu", None)}, "to": "leaky_relu"}
    with pytest.raises(NotTriable, match="no ReLU"):
        layerplans.leaky_relu(context(squashed(), BATCH))


@pytest.mark.parametrize(
    ("activation", "called"),
    [
        (nn.ReLU6(), "hardtanh"),
        (nn.Hardtanh(0.0, 1.0), "hardtanh"),
        (nn.Threshold(0.1, 0.0), "_threshold"),
        (nn.Hardswish(), "hardswish"),
    ],
)
def test_what_is_flat_on_one_side_is_a_relu_by_any_name(activation: nn.Module, called: str) -> None:
    model = nn.Sequential(nn.Linear(4, 4), activation, nn.Linear(4, 4))
    (swap,) = layerplans.leaky_relu(context(model, BATCH)).edits
    assert swap.arguments == {"places": {("1", called, None)}, "to": "leaky_relu"}
    with pytest.raises(NotTriable):
        layerplans.relu(context(model, BATCH))  # which is for what squashes


def test_a_hardtanh_that_is_flat_on_both_sides_squashes() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Hardtanh(), nn.Linear(4, 4))
    swap = layerplans.relu(context(model, BATCH)).edits[0]
    assert swap.arguments == {"places": {("1", "hardtanh", None)}, "to": "relu"}
    with pytest.raises(NotTriable):
        layerplans.leaky_relu(context(model, BATCH))


def test_softplus_takes_the_place_of_the_last_relu_alone() -> None:
    model = stack(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU())
    (swap,) = layerplans.softplus(context(model, BATCH)).edits
    assert swap.arguments == {"places": {("3", "relu", None)}, "to": "softplus"}
    with pytest.raises(NothingToActOn, match="between the last layer and the loss"):
        layerplans.softplus(context(stack(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)), BATCH))


# --------------------------------------------------------------------------- initialisation


class Raw(nn.Module):
    """x @ W, whose sums run over the first dimension of W."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 9))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x @ self.weight)


class Waves(nn.Module):
    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(self.rate * x)


@pytest.mark.parametrize(
    ("model", "batch", "deviations", "zeroed"),
    [
        (
            stack(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 4)),
            BATCH,
            {"0.weight": math.sqrt(2 / 4), "2.weight": math.sqrt(1 / 16)},
            ("0.bias", "2.bias"),
        ),
        (
            stack(nn.Linear(4, 16), nn.LayerNorm(16), nn.Tanh(), nn.Linear(16, 4, bias=False)),
            BATCH,
            {"0.weight": 5 / 3 * math.sqrt(1 / 4), "3.weight": math.sqrt(1 / 16)},
            ("0.bias",),
        ),
        (
            stack(nn.Conv2d(3, 8, 3), nn.SELU(), nn.Flatten(), nn.Linear(8, 4)),
            (torch.randn(2, 3, 3, 3), torch.zeros(2, 4)),
            {"0.weight": 0.75 * math.sqrt(1 / 27), "3.weight": math.sqrt(1 / 8)},
            ("0.bias", "3.bias"),
        ),
        (Raw(), (X, torch.zeros(8, 9)), {"weight": 5 / 3 * math.sqrt(1 / 4)}, ()),
        (
            stack(nn.Linear(4, 16), Waves(30.0), nn.Linear(16, 16), Waves(0.5), nn.Linear(16, 4)),
            BATCH,
            {"0.weight": math.sqrt(1 / 4) / 30, "2.weight": math.sqrt(1 / 16), "4.weight": math.sqrt(1 / 16)},
            ("0.bias", "2.bias", "4.bias"),
        ),
    ],
    ids=["he", "tanh-behind-a-norm", "selu-convolution", "matmul", "behind-a-constant"],
)
def test_weights_are_drawn_by_fan_in_for_the_activation_that_follows(
    model: nn.Module, batch: Any, deviations: dict[str, float], zeroed: tuple[str, ...]
) -> None:
    (edit,) = layerplans.init(context(model, batch)).edits
    assert edit.function is edits.initialise
    assert edit.arguments["deviations"] == pytest.approx(deviations, rel=1e-3)
    assert (edit.arguments["zeroed"], edit.arguments["seed"]) == (zeroed, 0)


def test_frozen_weights_are_not_drawn() -> None:
    model = squashed()
    model[0].requires_grad_(False)
    (edit,) = layerplans.init(context(model, BATCH)).edits
    assert set(edit.arguments["deviations"]) == {"2.weight", "4.weight"}
    assert edit.arguments["zeroed"] == ("2.bias", "4.bias")


def test_biases_that_are_far_from_zero_are_set_to_it() -> None:
    model = stack(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    nn.init.constant_(model[0].bias, -50.0)
    (edit,) = layerplans.bias_init(context(model, BATCH)).edits
    assert edit.arguments == {"deviations": {}, "zeroed": ("0.bias",)}
    nn.init.zeros_(model[0].bias)
    with pytest.raises(NotTriable, match="no bias is larger than 1"):
        layerplans.bias_init(context(model, BATCH))


# --------------------------------------------------------------------------- structure


def test_every_layer_but_the_last_is_normalised() -> None:
    (edit,) = layerplans.normalization(context(squashed(), BATCH)).edits
    assert edit.function is edits.normalise
    assert edit.arguments == {"places": {("0", "linear", None), ("2", "linear", None)}}
    with pytest.raises(NotTriable, match="lies before another"):
        layerplans.normalization(context(stack(nn.Linear(4, 4)), BATCH))


def test_identity_paths_lead_around_each_hidden_layer_and_its_activation() -> None:
    (edit,) = layerplans.residual(context(squashed(), BATCH)).edits
    assert edit.arguments == {
        "layers": {("0", "linear", None), ("2", "linear", None)},
        "activations": {("1", "sigmoid", None), ("3", "tanh", None)},
        "factor": pytest.approx(1 / math.sqrt(2), rel=1e-3),
    }


class Branches(nn.Module):
    """A stream to which branches are added, each times a factor where one is given."""

    def __init__(self, factor: float | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.blocks, self.factor = nn.ModuleList(nn.Linear(4, 4) for _ in range(3)), factor

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks[0](x)
        for block in self.blocks[1:]:
            x = x + (block(x) if self.factor is None else block(x) * self.factor)
        return x


def test_branches_are_scaled_by_their_number() -> None:
    (edit,) = layerplans.residual_scaling(context(Branches(), BATCH, cause="residual-growth")).edits
    assert edit.function is edits.scale_branches
    ((path, name, call),) = edit.arguments["places"]
    assert (path, call) == ("", None) and "add" in name
    assert edit.arguments["factor"] == pytest.approx(1 / math.sqrt(2 * 2))


def test_a_small_factor_is_left_out() -> None:
    (edit,) = layerplans.residual_scaling(context(Branches(1e-6), BATCH, cause="residual-scale")).edits
    assert edit.function is edits.unscale
    with pytest.raises(NotTriable, match="no small constant factor"):
        layerplans.residual_scaling(context(Branches(0.5), BATCH, cause="residual-scale"))
    with pytest.raises(NotTriable, match="no sum of branches"):
        layerplans.residual_scaling(context(squashed(), BATCH, cause="residual-growth"))


# --------------------------------------------------------------------------- softmaxes and norms to leave out


def test_the_softmax_next_to_the_loss_is_left_out_and_the_one_inside_is_not() -> None:
    model = stack(nn.Linear(4, 4), nn.Softmax(-1), nn.Linear(4, 4), nn.Softmax(-1))
    found = context(model, CLASSES, "cross_entropy", cause="double-softmax", op="SoftmaxBackward0")
    (edit,) = layerplans.remove_softmax(found).edits
    assert (edit.function, edit.arguments) == (edits.skip, {"places": {("3", "softmax", None)}})


def test_a_softmax_over_one_logit_becomes_a_sigmoid() -> None:
    model = stack(nn.Linear(4, 1), nn.Softmax(-1))
    batch = X, torch.zeros(8, 1)
    found = context(model, batch, cause="single-element-softmax", op="SoftmaxBackward0")
    (edit,) = layerplans.remove_softmax(found).edits
    assert edit.arguments == {"places": {("1", "softmax", None)}, "to": "sigmoid"}
    with pytest.raises(NotTriable, match="outside the model's modules"):
        layerplans.remove_softmax(context(squashed(), batch=BATCH, op="SoftmaxBackward0"))


def test_a_softmax_over_one_element_runs_over_the_last_dimension_that_holds_more() -> None:
    model = stack(nn.Linear(4, 6), nn.Unflatten(1, (6, 1)), nn.Softmax(-1), nn.Flatten())
    (edit,) = layerplans.softmax_dim(context(model, (X, torch.zeros(8, 6)))).edits
    assert (edit.function, edit.arguments["dim"]) == (edits.softmax_over, 1)
    with pytest.raises(NotTriable, match="holds more than one element"):
        layerplans.softmax_dim(context(stack(nn.Linear(4, 1), nn.Softmax(-1)), (X, torch.zeros(8, 1))))


def test_only_a_normalisation_over_one_element_is_left_out() -> None:
    model = stack(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 1), nn.LayerNorm(1))
    (edit,) = layerplans.remove_norm(context(model, (X, torch.zeros(8, 1)))).edits
    assert edit.arguments == {"places": {("3", "layer_norm", None)}}
    with pytest.raises(NotTriable, match="outside the model's modules"):
        layerplans.remove_norm(context(stack(nn.Linear(4, 4), nn.LayerNorm(4)), BATCH))

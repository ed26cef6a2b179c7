"""Plans for scales: logits, sums, inputs, targets and the loss."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradcheck_cli.trials import edits, scales
from gradcheck_cli.trials.torchcalls import NotTriable
from tests.trials.contexts import context

X = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
CLASSES = X, torch.arange(8) % 4


def scaled(factor: float, *after: nn.Module) -> nn.Module:
    """A layer whose output is `factor` times its input."""
    layer = nn.Linear(4, 4, bias=False)
    with torch.no_grad():
        layer.weight.copy_(factor * torch.eye(4))
    return nn.Sequential(layer, *after)


# --------------------------------------------------------------------------- logits


def test_what_goes_into_a_saturated_output_is_brought_to_a_size_of_one() -> None:
    (edit,) = scales.scale_logits(context(scaled(50.0, nn.Sigmoid()), (X, X))).edits
    size = float((50 * X).square().mean().sqrt())
    assert (edit.function, edit.arguments) == (
        edits.scale_arguments,
        {"factors": {("1", "sigmoid", 0): pytest.approx(1 / size, rel=0.01)}},
    )


def test_of_a_softmax_the_spread_of_its_logits_counts_and_not_their_mean() -> None:
    model = scaled(50.0, nn.Softmax(-1))
    (edit,) = scales.scale_logits(context(model, (X + 100, X), cause="softmax-saturation")).edits
    assert edit.arguments["factors"][("1", "softmax", 0)] == pytest.approx(
        1 / float((50 * X).std(correction=0)), rel=0.01
    )


def test_of_a_kernel_that_underflows_the_exponent_is_scaled() -> None:
    class Kernel(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return torch.exp(-(super().forward(x) ** 2))

    kernel = Kernel(4, 4)
    with torch.no_grad():
        kernel.weight.fill_(50.0)
    (edit,) = scales.scale_logits(context(nn.Sequential(kernel), (X, X), cause="exp-underflow")).edits
    ((place, factor),) = edit.arguments["factors"].items()
    assert place == ("0", "exp", 0) and factor < 1e-3


def test_logits_that_only_the_loss_sees_are_scaled_at_the_output() -> None:
    (edit,) = scales.scale_logits(context(scaled(50.0), CLASSES, "cross_entropy")).edits
    assert edit.function is edits.scale_output
    assert edit.arguments["factor"] == pytest.approx(1 / float((50 * X).std()), rel=0.02)


@pytest.mark.parametrize("model", [scaled(0.1, nn.Sigmoid()), scaled(0.1)])
def test_logits_of_about_one_are_left_alone(model: nn.Module) -> None:
    with pytest.raises(NotTriable, match="no logits"):
        scales.scale_logits(context(model, CLASSES, "cross_entropy"))


# --------------------------------------------------------------------------- sums


class Neighbours(nn.Module):
    """Sums over neighbours, of what a layer made of each."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.ones(8, 8) @ self.layer(x) + x.sum()


def test_sums_over_elements_become_means_and_products_with_weights_stay() -> None:
    (edit,) = scales.mean_aggregation(context(Neighbours(), (X, X))).edits
    assert edit.function is edits.average
    assert {(place[0], place[2]) for place in edit.arguments["places"]} == {("", None)}
    assert {place[1] for place in edit.arguments["places"]} <= {"matmul", "__matmul__"}
    with pytest.raises(NotTriable, match="no sum is taken"):
        scales.mean_aggregation(context(scaled(1.0), (X, X)))


# --------------------------------------------------------------------------- inputs, targets and the loss


def test_inputs_are_standardised_where_there_are_floating_ones() -> None:
    assert scales.input_normalization(context(scaled(1.0), (X, X))).edits[0].function is edits.standardise_inputs
    model = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(8, 4))
    batch = torch.randint(5, (8, 2)), torch.arange(8) % 4
    with pytest.raises(NotTriable, match="no floating input"):
        scales.input_normalization(context(model, batch, "cross_entropy"))


@pytest.mark.parametrize("kind", [tuple, list, dict])
def test_the_targets_are_found_in_the_batch_by_what_the_loss_compared(kind: type) -> None:
    y = 1000 + X

    def step(model: nn.Module, batch: Any) -> Tensor:
        inputs, targets = (batch["x"], batch["y"]) if isinstance(batch, dict) else batch
        return F.mse_loss(model(inputs), targets)

    batch = {"x": X, "y": y} if kind is dict else kind((X, y))
    plan = scales.target_normalization(context(scaled(1.0), batch, step, cause="target-scale"))
    assert (plan.targets, plan.edits) == ("y" if kind is dict else 1, ())


def test_an_output_that_could_not_reach_its_targets_is_drawn_anew_as_well() -> None:
    plan = scales.target_normalization(context(scaled(1.0, nn.Sigmoid()), (X, 1000 + X), cause="saturated-output"))
    assert (plan.targets, [edit.function for edit in plan.edits]) == (1, [edits.initialise])


def test_targets_that_are_not_in_the_batch_cannot_be_standardised() -> None:
    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.mse_loss(model(batch[0]), 7 * batch[1] + 1000)

    with pytest.raises(NotTriable, match="holds no tensor with the targets"):
        scales.target_normalization(context(scaled(1.0), (X, X), step))
    with pytest.raises(NotTriable, match="by a regression loss"):
        scales.target_normalization(context(scaled(1.0), CLASSES, "cross_entropy"))


def test_the_loss_is_scaled_as_the_finding_recommends() -> None:
    assert scales.loss_scaling(context(scaled(1.0), (X, X), evidence={"loss_scale": 1024})).loss_scale == 1024.0
    for evidence in ({}, {"loss_scale": "none fits"}):
        with pytest.raises(NotTriable, match="no scale fits"):
            scales.loss_scaling(context(scaled(1.0), (X, X), evidence=evidence))

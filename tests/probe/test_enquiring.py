"""Further passes: null predictions, the profile, the agreement along a gradient; and everything put back."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck
from torch import Tensor, nn
from torch.autograd import Function

from gradcheck_cli.probe import at_chance, chance, enquire, measure
from gradcheck_cli.probe.enquiring import STEP, _enquirer
from gradcheck_cli.records.enquiry import Agreement, Enquiry, Questions
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.spec import Step
from gradcheck_cli.runtime.trees import tensors_in
from gradcheck_cli.target import wrap_target
from tests.probe.comparing import made
from tests.probe.models import ANSWERED, MODELS, Apply, mean_square, mlp, weight
from tests.probe.test_random_graphs import Plan, net, plans
from tests.sweeping import drawn

EVERYTHING = Questions(nulls=True, profile=True)


def taken(model: nn.Module, batch: Any, step: Any, **options: Any) -> tuple[Step, Measurement]:
    target = wrap_target(model, batch, step=step)
    again = Step(target=target, batch=target.batches[0], **options)
    return again, measure(again.target, again.batch, seed=again.seed, autocast=again.autocast)


def asked(model: nn.Module, batch: Any, step: Any, questions: Questions = EVERYTHING, **options: Any) -> Enquiry:
    again, measured = taken(model, batch, step, **options)
    return enquire(again, measured, questions)


def steep(model: nn.Module, batch: Any, step: Any, module: str = "", **options: Any) -> Agreement | None:
    again, measured = taken(model, batch, step, **options)
    index = [m.path for m in measured.modules].index(module)
    return enquire(again, measured, Questions(steep=index)).agreement


def everything_of(model: nn.Module, batch: Any) -> Iterator[Any]:
    """Bits that may not change, one after the other."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        yield name, _bytes(tensor)
        yield name, tensor.grad is None or _bytes(tensor.grad)
    yield [m.training for m in model.modules()]
    yield [_bytes(t) for t in tensors_in(batch)]
    yield torch.get_rng_state().numpy().tobytes(), random.getstate(), np.random.get_state()[1].tobytes()


def _bytes(tensor: Tensor) -> Any:
    if isinstance(tensor, nn.UninitializedParameter) or tensor.is_nested or tensor.layout is not torch.strided:
        return None
    flat = tensor.detach().reshape(-1)
    return (torch.view_as_real(flat).reshape(-1) if flat.is_complex() else flat).view(torch.uint8).tolist()


# --------------------------------------------------------------------------- null predictions


def test_no_prediction_of_a_regression_costs_the_mean_square_of_its_targets() -> None:
    model, batch, step = made(mlp)
    assert asked(model, batch, step).zeroed == pytest.approx(float(batch[1].square().mean()))


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_no_prediction_among_classes_costs_their_logarithm(classes: int) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, classes))
    batch = torch.randn(6, 4), torch.randint(classes, (6,))
    told = asked(model, batch, lambda m, b: F.cross_entropy(m(b[0]), b[1]))
    assert told.zeroed == pytest.approx(math.log(classes))


def test_one_answer_for_all_of_a_linear_model_is_that_of_its_mean_input() -> None:
    model, batch = nn.Linear(4, 2), (torch.randn(6, 4), torch.randn(6, 2))
    constant = model(batch[0].mean(0)).detach().expand(6, 2)
    told = asked(model, batch, mean_square)
    assert told.mean == pytest.approx(float((constant - batch[1]).square().mean()))
    assert told.without_nulls == ""


def test_a_convolution_that_makes_the_prediction_sees_its_mean_pixel() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1))
    batch = torch.randn(4, 3, 5, 5), torch.randn(4, 2, 5, 5)
    hidden = model[1](model[0](batch[0])).mean((0, 2, 3), keepdim=True)
    expected = (model[2](hidden) - batch[1]).square().mean().item()
    assert asked(model, batch, mean_square).mean == pytest.approx(expected)


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model_is_answered_or_says_why_not(name: str) -> None:
    built = made(MODELS[name])
    step, measured = taken(*built)
    before = list(everything_of(*built[:2]))
    told = enquire(step, measured, EVERYTHING)
    if ANSWERED[name]:
        assert ANSWERED[name] in told.without_nulls
        assert told.mean is None
        assert chance(step) is None
    else:
        assert told.without_nulls == ""
        assert told.zeroed is not None
        assert chance(step) == (measured.loss, told.mean)
        assert told.mean != measured.loss
    assert list(everything_of(*built[:2])) == before


def test_chance_tells_how_far_apart_the_samples_are_at_the_head() -> None:
    """Of (1, 3), (1, -3), ... the deviation from the mean is all in the second channel: 9 of 10."""
    head = nn.Linear(2, 1)
    rows = torch.tensor([[1.0, 3.0], [1.0, -3.0]]).repeat(3, 1)
    again, _ = taken(head, (rows, torch.ones(6, 1)), mean_square)
    found = at_chance(again)
    assert found is not None and found.distinguishability == pytest.approx(0.9)


def test_chance_of_a_step_that_raises_is_none() -> None:
    calls = []

    def step(model: nn.Module, batch: Any) -> Tensor:
        calls.append(0)
        if len(calls) > 1:
            raise RuntimeError("once is enough")
        return mean_square(model, batch)

    again, measured = taken(*mlp()[:2], step)
    assert chance(again) is None
    told = enquire(again, measured, EVERYTHING)
    assert told == Enquiry(
        without_nulls="with another answer of the head the step raises RuntimeError", passes=told.passes
    )


def test_a_loss_that_is_not_finite_without_a_prediction_says_so() -> None:
    model, batch, _ = made(mlp)
    told = asked(model, batch, lambda m, b: (m(b[0]).square().sum() + 1e-30).log() + 1 / m(b[0]).square().sum())
    assert told.zeroed is None
    assert "not finite" in told.without_nulls
    assert told.mean is not None


def test_a_prediction_that_routes_may_take_another_way() -> None:
    def step(model: Any, batch: Any) -> Tensor:
        predicted = model(batch[0])
        extra = model[0](batch[0]).mean() if predicted.std() > 1e-6 else 0.0
        return (predicted - batch[1]).square().mean() + extra

    model, batch, _ = made(mlp)
    told = asked(model, batch, step)
    assert told.zeroed is None
    assert told.without_nulls == "with another answer of the head the step takes another way"


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("name", ["mlp", "attention", "u_net", "mixture_of_experts", "dropout"])
def test_the_scale_of_the_loss_does_not_matter(name: str, scale: float) -> None:
    (model, batch, step), ratios = made(MODELS[name]), []
    for by in (1.0, scale):
        again, measured = taken(model, batch, lambda m, b, by=by: step(m, b) * by)
        told = enquire(again, measured, EVERYTHING)
        assert told.zeroed and told.mean
        ratios.append((measured.loss / told.zeroed, measured.loss / told.mean))
    assert ratios[1] == pytest.approx(ratios[0], rel=1e-5)


# --------------------------------------------------------------------------- the profile


def test_the_profile_goes_through_the_layers_in_their_order() -> None:
    model, batch, step = made(mlp)
    first, second = asked(model, batch, step).profile
    hidden = model[1](model[0](batch[0])).detach()
    expected = [float((x - x.mean(0)).square().mean() / x.square().mean()) for x in (batch[0], hidden)]
    assert [first.distinguishability, second.distinguishability] == pytest.approx(expected)
    assert (first.rows, second.rows) == (6, 6)
    assert first.source is not None and first.source.file.endswith("models.py")


def test_equal_samples_are_told_as_what_rounding_leaves() -> None:
    model, batch, step = made(mlp)
    profile = asked(model, (batch[0][:1].expand(6, 4), batch[1]), step).profile
    assert [each.distinguishability for each in profile] == [torch.finfo(torch.float32).eps ** 2] * 2


class Wrapped(nn.Module):
    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.renamed = inside

    def forward(self, x: Any) -> Any:
        return self.renamed(x)


@pytest.mark.parametrize("name", ["mlp", "conv_net", "attention", "einsum_over_heads"])
def test_neither_name_nor_wrapping_nor_repetition_nor_precision_matters(name: str) -> None:
    model, batch, step = made(MODELS[name])

    def told(model: nn.Module, batch: Any) -> list[float | None]:
        again, measured = taken(model, batch, step)
        profile = enquire(again, measured, EVERYTHING).profile
        return [head.distinguishability for head in measured.heads] + [each.distinguishability for each in profile]

    plain = told(model, batch)
    assert told(Wrapped(model), batch) == plain
    assert told(model, tuple(torch.cat([part, part]) for part in batch)) == pytest.approx(plain, rel=1e-5)
    wide = tuple(part.double() if part.is_floating_point() else part for part in batch)
    assert told(copy.deepcopy(model).double(), wide) == pytest.approx(plain, rel=1e-5)


# --------------------------------------------------------------------------- along the gradient


class Square(nn.Module):
    """L = a |w|^2: its gradient is 2 a w, S = 2 whatever a is, and a step along it is exact to second order."""

    def __init__(self, scale: float = 1.0, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([3.0, -4.0], dtype=dtype))
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.w.square().sum() + 0 * x.sum()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_gradient_of_a_quadratic_agrees(scale: float) -> None:
    told = steep(Square(scale), torch.zeros(1), lambda m, x: m(x))
    assert told is not None
    assert told.agreement == pytest.approx(1, rel=1e-9)
    assert told.above == pytest.approx(scale * 25 * (1 + STEP) ** 2, rel=1e-12)
    assert told.below == pytest.approx(scale * 25 * (1 - STEP) ** 2, rel=1e-12)


def test_a_wave_that_is_shorter_than_the_step_does_not_agree() -> None:
    told = steep(Square(), torch.zeros(1), lambda m, x: (1e9 * m(x)).sin())
    assert told is not None
    assert abs(told.agreement) < 0.1


def test_a_chaotic_recurrent_net_does_not_agree() -> None:
    def run(model: Any, x: Tensor) -> Tensor:
        state = x
        for _ in range(100):
            state = torch.tanh(state @ model.w)
        return state.square().sum()

    torch.manual_seed(0)
    model = Apply(run, w=nn.Parameter(torch.randn(32, 32, dtype=torch.float64) * 0.6))
    told = steep(model, torch.randn(2, 32, dtype=torch.float64), lambda m, x: m(x))
    assert told is not None
    assert abs(told.agreement) < 0.5


@pytest.mark.parametrize("name", MODELS)
def test_weights_come_back_bit_for_bit(name: str) -> None:
    built = made(MODELS[name])
    step, measured = taken(*built)
    before = list(everything_of(*built[:2]))
    module = next(p.module for p in measured.parameters if p.grad_norm)
    told = enquire(step, measured, Questions(steep=module)).agreement
    assert list(everything_of(*built[:2])) == before
    if name in ("bfloat16", "float16", "autocast", "lazy"):
        assert told is None
    elif not (name == "nested" and told is None):
        assert told is not None
        assert told.agreement == pytest.approx(1, abs=0.05)


def test_weights_come_back_where_the_step_raises() -> None:
    model, batch, step = made(mlp)
    calls: list[Tensor] = []

    def picky(model: Any, batch: Any) -> Tensor:
        calls.append(model[0].weight.detach().clone())
        if len(calls) > 2:
            raise RuntimeError("not these weights")
        return step(model, batch)

    before = list(everything_of(model, batch))
    assert steep(model, batch, picky, "0") is None
    assert not torch.equal(calls[2], calls[0])
    assert list(everything_of(model, batch)) == before


def test_a_layer_that_shares_its_weight_is_moved_once() -> None:
    layer = nn.Linear(4, 4, bias=False).double()
    other = nn.Linear(4, 4, bias=False).double()
    other.weight = layer.weight
    model, x = nn.Sequential(layer, nn.Tanh(), other), torch.randn(6, 4).double()
    before = layer.weight.detach().clone()
    told = steep(model, x, lambda m, x: m(x).square().mean(), "0")
    assert told is not None
    assert told.agreement == pytest.approx(1, abs=1e-5)
    assert torch.equal(layer.weight, before)
    assert other.weight is layer.weight


def test_no_hook_and_no_gradient_of_the_users_is_touched() -> None:
    model, batch, step = made(mlp)
    outside, seen = torch.ones(2, requires_grad=True), []
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(lambda p: seen.append(p.data.sub_(p.grad)))
    before = list(everything_of(model, batch))
    told = steep(model, batch, lambda m, b: step(m, b) * outside.sum(), "0")
    assert told is not None
    assert (list(everything_of(model, batch)), outside.grad, seen) == (before, None, [])


@pytest.mark.parametrize("frozen", ["weight", "bias"])
def test_what_is_frozen_does_not_move(frozen: str) -> None:
    model, batch, step = made(mlp)
    getattr(model[0], frozen).requires_grad_(False)
    told = steep(model, batch, step, "0")
    assert told is not None
    assert told.agreement == pytest.approx(1, abs=0.01)


def test_a_layer_without_a_gradient_has_no_agreement() -> None:
    model, batch, step = made(mlp)
    assert steep(model, batch, step, "1") is None
    nn.init.zeros_(model[0].weight)
    nn.init.zeros_(model[0].bias)
    assert steep(model, (torch.zeros(6, 4), batch[1]), step, "0") is None


# --------------------------------------------------------------------------- custom Functions


class Shrinking(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * 2e-3


def test_the_functions_that_are_asked_for_are_tested_where_they_stand() -> None:
    def run(model: Any, x: Tensor) -> Tensor:
        return Shrinking.apply(Shrinking.apply(x @ model.a).tanh() @ model.b)

    model = Apply(run, a=weight(4, 8), b=weight(8, 2))
    step, measured = taken(model, torch.randn(6, 4), lambda m, x: m(x).square().mean())
    ops = tuple(i for i, op in enumerate(measured.ops) if op.name == "ShrinkingBackward")
    told = enquire(step, measured, Questions(functions=ops)).functions
    assert sorted(test.op for test in told) == sorted(ops)
    assert [(test.decades, test.alike) for test in told] == [(pytest.approx(-3), pytest.approx(1))] * 2
    (one,) = enquire(step, measured, Questions(functions=ops[:1])).functions
    assert one.op == ops[0]


def test_a_step_that_takes_another_way_tests_nothing() -> None:
    calls = []

    def step(model: Any, x: Tensor) -> Tensor:
        calls.append(0)
        return Shrinking.apply(model(x)).sum() * (1 if len(calls) == 1 else torch.ones(()).requires_grad_())

    again, measured = taken(nn.Linear(4, 2), torch.randn(6, 4), step)
    ops = tuple(i for i, op in enumerate(measured.ops) if op.name == "ShrinkingBackward")
    assert enquire(again, measured, Questions(functions=ops)).functions == ()


# --------------------------------------------------------------------------- float64


def test_what_float32_does_not_hold_is_there_in_float64() -> None:
    def step(model: Any, x: Tensor) -> Tensor:
        return torch.log(torch.sigmoid(model(x)).prod() + 1e-12)

    model = nn.Linear(1, 1)
    again, measured = taken(model, torch.zeros(300, 1), step)
    assert measured.parameters[1].grad_norm == 0
    product = torch.sigmoid(model.bias.detach().double()) ** 300
    slope = 300 * product / (product + 1e-12) * (1 - torch.sigmoid(model.bias.detach().double()))
    assert enquire(again, measured, Questions(double=True)).in_double == pytest.approx(slope.item(), rel=1e-4)
    assert model.weight.dtype == torch.float32 and model.bias.grad is None


def test_a_model_that_makes_float32_of_its_own_has_no_pass_in_float64() -> None:
    again, measured = taken(nn.Linear(2, 1), torch.ones(4, 2), lambda m, x: (m(x) @ torch.ones(1, 3)).sum())
    assert enquire(again, measured, Questions(double=True)).in_double is None


# --------------------------------------------------------------------------- any architecture


@drawn(15, 60, plans(), derandomize=True, suppress_health_check=list(HealthCheck), database=None)
def test_a_replay_is_the_same_pass_and_leaves_nothing_behind(plan: Plan) -> None:
    model, batch, step = net(plan)
    again, measured = taken(model, batch, step, seed=plan.seed)
    before = list(everything_of(model, batch))
    module = next((p.module for p in measured.parameters if p.grad_norm), None)
    with _enquirer(again) as enquirer:
        assert [enquirer.forward().loss.item() for _ in range(2)] == [measured.loss] * 2
    told = enquire(again, measured, Questions(nulls=True, profile=True, steep=module))
    assert list(everything_of(model, batch)) == before
    assert told.zeroed is not None or told.without_nulls
    assert chance(again) == (None if told.mean is None else (measured.loss, told.mean))


def test_autocast_and_seed_are_those_of_the_step() -> None:
    model, batch, step = made(MODELS["dropout"])
    again, measured = taken(model, batch, step, seed=7, autocast=torch.bfloat16)
    with _enquirer(again) as enquirer:
        assert enquirer.forward().loss.item() == measured.loss
    assert steep(model, batch, step, "0", autocast=torch.bfloat16) is None

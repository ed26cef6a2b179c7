"""Which layers make the predictions, what feeds them, and how alike that is for all samples."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from gradcheck_cli.probe.heads import Weights, distinguishability, heads, rounding_floor
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.runtime.autogradgraph import Graph
from tests.probe.comparing import Built, made, probed
from tests.probe.models import HEADS, MODELS, mlp


def found_in(measured: Measurement) -> tuple[str, ...]:
    modules = (measured.ops[head.op].module for head in measured.heads)
    return tuple(sorted({measured.modules[m].path if m >= 0 else "-" for m in modules}))


@pytest.mark.parametrize("name", MODELS)
def test_the_layers_that_make_the_predictions_are_found(name: str) -> None:
    measured = probed(*made(MODELS[name]))
    assert found_in(measured) == tuple(sorted(HEADS[name]))
    for head in measured.heads:
        assert head.distinguishability is None or 0 <= head.distinguishability <= 1


def test_the_input_of_a_head_is_that_of_its_layer() -> None:
    model, batch, step = made(mlp)
    hidden = model[1](model[0](batch[0]))
    (head,) = probed(model, batch, step).heads
    spread = (hidden - hidden.mean(0)).square().mean() / hidden.square().mean()
    assert head.distinguishability == pytest.approx(float(spread))
    assert (head.rows, head.call) == (6, 1)


def test_a_gradient_inside_the_loss_is_no_activation() -> None:
    """It multiplies ones by the weights: they would seem to be one and the same for all samples."""
    measured = probed(*made(MODELS["gradient_penalty_of_a_line"]))
    told = {head.call: head.distinguishability for head in measured.heads}
    assert told[-1] is None
    assert told[0] is not None and told[0] > 0.1


@pytest.mark.parametrize("name", ["frozen_head", "frozen_critic"])
def test_what_feeds_a_frozen_head_is_read_though_autograd_does_not_keep_it(name: str) -> None:
    model, batch, step = made(MODELS[name])
    (frozen,) = probed(model, batch, step).heads
    (free,) = probed(model.requires_grad_(), batch, step).heads
    assert frozen[1:] == free[1:]
    assert frozen.distinguishability is not None


def test_what_was_written_to_since_it_fed_a_frozen_head_is_left_out() -> None:
    model = nn.ModuleList([nn.Linear(4, 8), nn.Linear(8, 2).requires_grad_(False)])

    def step(model: Any, x: Tensor) -> Tensor:
        hidden = model[0](x)
        made = model[1](hidden)
        hidden.zero_()
        return made.square().mean()

    (head,) = probed(model, torch.randn(6, 4), step).heads
    assert (head.distinguishability, head.rows) == (None, 0)


@pytest.mark.parametrize("images", [torch.randn(4, 3, 6, 6), torch.randn(3, 6, 6)])
def test_a_frozen_convolution(images: Tensor) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1).requires_grad_(False))
    (frozen,) = probed(model, images, lambda m, x: m(x).square().mean()).heads
    (free,) = probed(model.requires_grad_(), images, lambda m, x: m(x).square().mean()).heads
    assert frozen[1:] == free[1:]
    assert frozen.distinguishability is not None


def test_saved_tensors_that_a_users_hook_refuses_to_unpack_are_left_out() -> None:
    class Locked(Exception):
        pass

    def unpack(packed: Any) -> Tensor:
        if locked:
            raise Locked
        return packed

    locked, layer = True, nn.Linear(3, 2)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, unpack):
        loss = layer(torch.randn(5, 3)).sum()
    (head,) = heads(Graph(loss.grad_fn), Weights(layer))
    assert head.input is None


def test_a_buffer_of_a_parametrization_is_no_data_but_another_is() -> None:
    class Projected(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 8)
            self.register_buffer("fixed", torch.randn(8, 2))

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x) @ self.fixed

    built: Built = Projected(), torch.randn(5, 3), lambda m, x: m(x).square().mean()
    assert found_in(probed(*built)) == ("layer",)


def test_heads_are_found_in_linear_time() -> None:
    """Each node once, and no more than a few below each product."""
    layers = [nn.Linear(2, 2) for _ in range(300)]

    def run(x: Tensor) -> Tensor:
        for layer in layers:
            x = x + layer(x)
        return x

    model = nn.ModuleList(layers)
    graph = Graph(run(torch.randn(4, 2)).sum().grad_fn)
    weights = Weights(model)
    assert len(heads(graph, weights)) == 300


# --------------------------------------------------------------------------- distinguishability


def test_a_known_ratio_of_variances() -> None:
    # Rows m + s e with e = +-1: the mean is m, and D = s^2 / (m^2 + s^2).
    signs = torch.tensor([1.0, -1.0]).repeat(8).unsqueeze(1).double()
    rows = 3.0 + 0.5 * signs.expand(16, 5)
    assert distinguishability(rows, -1)[:2] == (pytest.approx(0.25 / 9.25), 16)


def test_each_channel_has_a_mean_of_its_own() -> None:
    images = torch.randn(1, 3, 1, 1).expand(4, 3, 5, 5)
    assert distinguishability(images, 1)[:2] == (pytest.approx(0, abs=1e-30), 100)
    assert distinguishability(images.mT.movedim(1, -1), -1)[0] == pytest.approx(0, abs=1e-30)
    along = distinguishability(images, 0)[0]
    assert along is not None and along > 1e-3


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_equal_rows_that_were_rounded_lie_about_the_floor(dtype: torch.dtype) -> None:
    eps = torch.finfo(dtype).eps
    signs = torch.tensor([0.0, 1.0]).repeat(8).unsqueeze(1)
    rows = torch.ones(16, 4, dtype=dtype) * (1 + eps * signs).to(dtype)
    spread, _, floor = distinguishability(rows, -1)
    assert spread == pytest.approx(floor / 4, rel=0.05)
    assert floor == rounding_floor(dtype) == eps**2


@pytest.mark.parametrize(
    ("tensor", "rows"),
    [
        (torch.randn(3, 5), 3),
        (torch.randn(5), 1),
        (torch.zeros(8, 5), 8),
        (torch.full((8, 5), math.nan), 8),
        (torch.full((8, 5), math.inf), 8),
        (torch.randn(0, 5), 0),
        (torch.randn(8, 0), 8),
        (torch.arange(10).view(5, 2), 0),
        (torch.randn(6, 4).to_sparse(), 0),
        (torch.randn(6, 4, device="meta"), 0),
        (torch.nested.nested_tensor([torch.randn(3, 4), torch.randn(5, 4)], layout=torch.jagged), 0),
    ],
)
def test_what_cannot_be_told_is_left_out(tensor: Tensor, rows: int) -> None:
    assert distinguishability(tensor, -1)[:2] == (None, rows)


def test_a_complex_activation_counts_with_both_parts() -> None:
    rows = torch.randn(6, 4, dtype=torch.complex64)
    whole = torch.cat([rows.real, rows.imag], 1)
    assert distinguishability(rows, -1)[0] == pytest.approx(distinguishability(whole, -1)[0])
    assert distinguishability(rows.conj(), -1)[0] == pytest.approx(distinguishability(whole, -1)[0])


@given(st.integers(0, 2**16), st.integers(4, 9), st.integers(1, 6), st.floats(1e-3, 1e3))
def test_neither_scale_nor_repetition_nor_precision_matters(seed: int, many: int, width: int, scale: float) -> None:
    rows = torch.randn(many, width, generator=torch.Generator().manual_seed(seed))
    plain = distinguishability(rows, -1)[0]
    assert distinguishability(torch.cat([rows, rows]), -1)[0] == pytest.approx(plain, rel=1e-6)
    assert distinguishability(rows.double(), -1)[0] == pytest.approx(plain, rel=1e-6)
    assert distinguishability(rows * scale, -1)[0] == pytest.approx(plain, rel=1e-5)
    assert distinguishability(rows.mT.contiguous(), 0)[0] == pytest.approx(plain, rel=1e-6)


def test_of_a_large_activation_a_part_is_read() -> None:
    rows = torch.randn(64, 1024, 96) + 1
    whole = float((rows - rows.mean((0, 1))).square().mean() / rows.square().mean())
    assert distinguishability(rows, -1)[:2] == (pytest.approx(whole, rel=0.05), 65536)
    wide = torch.randn(8, 1 << 17) + 1
    assert distinguishability(wide, -1)[0] == pytest.approx(0.5 * 7 / 8, rel=0.05)


def test_texts_that_begin_alike_are_not_taken_for_one() -> None:
    """Any sample of every n-th row could be the first token of each text, which all begin with the same."""
    for texts, length in ((128, 256), (256, 128), (100, 300)):
        rows = torch.randn(texts, length, 64)
        rows[:, 0] = 1
        spread = distinguishability(rows, -1)[0]
        assert spread is not None and spread > 0.9


def test_a_sample_is_the_same_at_every_call_and_draws_on_nobody_elses_generator() -> None:
    rows = torch.randn(1 << 12, 64)
    before = torch.get_rng_state()
    assert distinguishability(rows, -1) == distinguishability(rows, -1)
    assert torch.equal(torch.get_rng_state(), before)


# --------------------------------------------------------------------------- weights


def test_what_is_a_weight() -> None:
    layer = nn.Linear(4, 4).requires_grad_(False)
    free, data = nn.Parameter(torch.randn(4, 4)), torch.randn(6, 4)
    weights = Weights(nn.ModuleList([layer, nn.ParameterList([free])]))
    held = [layer.weight, layer.weight.T, free, free * 2, free.mT @ free, F.normalize(free), free.bfloat16()]
    assert all(map(weights.holds, held))
    others = [data, data.clone().requires_grad_(), data @ free, data * free[0], F.embedding(torch.tensor([1]), free)]
    assert not any(map(weights.holds, others))


def test_a_model_of_odd_tensors_has_weights_too() -> None:
    model = nn.ModuleList([nn.LazyLinear(3), nn.Linear(3, 3, device="meta"), nn.Linear(0, 3)])
    weights = Weights(model)
    assert not weights.holds(torch.randn(2, 2))
    assert not weights.holds(torch.randn(0, 2))

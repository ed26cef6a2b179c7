"""Verdicts on small models, ill and well side by side."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gradcheck_cli import check


def serious(model: nn.Module, batch: Any, loss: Callable[..., Tensor]) -> list[tuple[str, str]]:
    report = check(model, batch, loss=loss)
    return [(f.code, f.cause) for f in report.findings if f.severity.value != "note"]


def labelled(scale: float = 1.0) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(64, 16) * scale, torch.randint(10, (64,))


def squashing(act: type[nn.Module]) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(16, 64), act(), nn.Linear(64, 64), act(), nn.Linear(64, 10))


@pytest.mark.parametrize("act", [nn.Tanh, nn.Sigmoid])
def test_inputs_that_saturate_the_first_layer_are_found_although_its_gradient_is_large(act):
    assert serious(squashing(act), labelled(1e4), functional.cross_entropy) == [("GC206", "input-scale")]
    assert serious(squashing(act), labelled(), functional.cross_entropy) == []


class Gated(nn.Module):
    def __init__(self, bias: float):
        super().__init__()
        torch.manual_seed(1)
        self.value, self.gate, self.out = nn.Linear(16, 32), nn.Linear(16, 32), nn.Linear(32, 10)
        nn.init.constant_(self.gate.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.sigmoid(self.gate(x)) * torch.relu(self.value(x)))


def test_a_sigmoid_that_multiplies_another_signal_is_a_gate():
    assert serious(Gated(-25.0), labelled(), functional.cross_entropy) == [("GC201", "gate-closed")]
    assert serious(Gated(0.0), labelled(), functional.cross_entropy) == []


@pytest.mark.parametrize(
    "loss", [functional.l1_loss, functional.mse_loss, lambda o, t: ((o - t) ** 2).mean()], ids=["l1", "mse", "written"]
)
def test_targets_far_above_the_output_are_found_in_any_regression_loss(loss):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 1))
    x, y = torch.randn(64, 16), torch.randn(64, 1)
    assert serious(model, (x, 3e5 + 1e4 * y), loss) == [("GC303", "target-scale")]
    assert serious(model, (x, 100 * y), loss) == []


class Reader(nn.Module):
    def __init__(self, kind: type[nn.RNNBase], pool: Callable[[Tensor], Tensor]):
        super().__init__()
        torch.manual_seed(1)
        self.rnn, self.out, self.pool = kind(8, 32, batch_first=True), nn.Linear(32, 10), pool

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.pool(self.rnn(x)[0]))


def series(steps: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(8, steps, 8), torch.randint(10, (8,))


def test_gates_that_hear_from_the_loss_at_every_step_can_learn_to_keep_more():
    mean = Reader(nn.GRU, lambda states: states.mean(1))
    report = check(mean, series(200), loss="cross_entropy")
    assert [(f.code, f.severity.value) for f in report.findings] == [("GC202", "note")]
    last = Reader(nn.GRU, lambda states: states[:, -1])
    assert serious(last, series(200), functional.cross_entropy) == [("GC202", "bptt-decay")]


def test_a_plain_rnn_forgets_where_not_each_step_has_a_short_way_to_the_loss():
    at_the_end, everywhere = Reader(nn.RNN, lambda states: states[:, -1]), Reader(nn.RNN, lambda states: states.mean(1))
    assert serious(at_the_end, series(80), functional.cross_entropy) == [("GC202", "bptt-decay")]
    assert serious(everywhere, series(80), functional.cross_entropy) == []
    for reader in (at_the_end, everywhere):
        assert serious(reader, series(15), functional.cross_entropy) == []


class FixedPoint(nn.Module):
    """z = tanh(W z / 2 + U x), iterated: the first guess is meant to be forgotten."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.inject, self.state, self.out = nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        given = self.inject(x)
        z = torch.zeros_like(given)
        for _ in range(30):
            z = torch.tanh(0.5 * self.state(z) + given)
        return self.out(z)


def test_a_loop_that_reads_its_input_again_at_every_step_has_nothing_to_remember():
    assert serious(FixedPoint(), labelled(), functional.cross_entropy) == []


def test_a_normalisation_over_one_element_explains_the_dead_rectifier_behind_it():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 1), nn.LayerNorm(1), nn.ReLU(), nn.Linear(1, 10))
    assert serious(model, labelled(), functional.cross_entropy)[0] == ("GC404", "single-element-norm")


def test_a_finding_that_is_not_shown_is_counted():
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 10))
    nn.init.constant_(model[0].bias, -50.0)
    report = check(model, labelled(), loss="cross_entropy", ignore=("GC403",))
    assert (report.ok, report.hidden) == (True, 1)
    assert "1 finding not shown" in str(report)
    assert "healthy" not in str(report)


def test_a_loss_whose_gradients_overflow_when_squared_is_exploding_and_not_infinite():
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 10))
    for scale in (1e25, 1e30):
        found = serious(model, labelled(), lambda o, t, scale=scale: functional.cross_entropy(o, t) * scale)
        assert found == [("GC304", "loss-scale")]
    report = check(model, labelled(), loss=lambda o, t: functional.cross_entropy(o, t) * 1e30)
    assert all(0 < layer.grad_norm < float("inf") for layer in report.layers)
    assert serious(model, labelled(), lambda o, t: functional.cross_entropy(o, t) * 1e6) == []


def test_an_attention_mask_of_minus_infinity_is_no_illness():
    torch.manual_seed(0)
    attention, x = nn.MultiheadAttention(16, 2, batch_first=True), torch.randn(4, 5, 16)
    mask = nn.Transformer.generate_square_subsequent_mask(5)

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return model(batch[0], batch[0], batch[0], attn_mask=batch[1])[0].pow(2).mean()

    assert check(attention, (x, mask), step=step).ok

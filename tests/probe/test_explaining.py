"""What further passes tell of values that are not finite."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.errors import ProbeError, UserCodeError
from gradcheck_cli.probe.explaining import by_user, is_ours
from gradcheck_cli.runtime.passes import RaisedByUser
from tests.probe.comparing import probed

X = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))


def layer() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 4)


def gaps() -> tuple[Tensor, Tensor]:
    y = torch.zeros(8, 4)
    y[::2] = math.nan
    return X.clone(), y


def asserted(m: nn.Module, x: Tensor) -> Tensor:
    y = torch.log(m(x) - 100)
    assert torch.isfinite(y).all(), "not finite"
    return y.mean()


def exited(m: nn.Module, x: Tensor) -> Tensor:
    y = torch.log(m(x) - 100).mean()
    if math.isnan(y.item()):
        raise SystemExit(3)
    return y


def left_out(m: nn.Module, x: Tensor) -> Tensor | None:
    y = torch.log(m(x) - 100).mean()
    return None if torch.isnan(y) else y


def derived_under_anomaly_mode(m: nn.Module, x: Tensor) -> Tensor:
    with torch.autograd.detect_anomaly(check_nan=True):
        y = torch.log(m(x) * 0)
        (g,) = torch.autograd.grad(y.sum(), m.weight, create_graph=True)
    return g.mean()


def indexed(m: nn.Module, x: Tensor) -> Tensor:
    y = torch.log(m(x) - 100)
    return x[y.mean(-1).long()].mean() * m(x).mean()


def refused(m: nn.Module, x: Tensor) -> Tensor:
    return torch.distributions.Normal(torch.log(m(x) - 100), 1.0, validate_args=True).log_prob(x).mean()


def decomposed(m: nn.Module, x: Tensor) -> Tensor:
    y = torch.log(m(x) - 100)
    return torch.linalg.eigvalsh(y.T @ y).sum()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("step", "stopped"),
    [
        (asserted, "AssertionError"),
        (exited, "SystemExit: 3"),
        (refused, "ValueError"),
        (decomposed, "_LinAlgError"),
        (left_out, "no loss"),
        (derived_under_anomaly_mode, "RuntimeError"),
        (indexed, "IndexError"),
    ],
)
def test_a_pass_that_stops_for_a_value_names_the_op_that_made_it(step: Any, stopped: str):
    found = probed(layer(), X, step)
    assert found.stopped.startswith(stopped)
    assert math.isnan(found.loss) and found.ops == ()
    assert found.origin is not None and found.origin.op == "log"


def logged_then_wrong(m: nn.Module, x: Tensor) -> Tensor:
    torch.log(m(x).detach() - 100).mean().item()
    return (m(x) @ torch.zeros(7, 3)).mean()


def masked_then_wrong(m: nn.Module, x: Tensor) -> Tensor:
    scores = m(x).masked_fill(x > 0, -math.inf)
    if (scores == -math.inf).any():
        raise ValueError("of another kind")
    return scores.mean()


def plainly_wrong(m: nn.Module, x: Tensor) -> Tensor:
    raise ValueError(f"of another kind: {m(x).shape}")


def no_loss(m: nn.Module, x: Tensor) -> None:
    m(x).mean()


@pytest.mark.parametrize("step", [logged_then_wrong, masked_then_wrong, plainly_wrong])
def test_a_pass_that_stops_for_another_reason_raises_as_before(step: Any):
    with pytest.raises(RaisedByUser):
        probed(layer(), X, step)
    with pytest.raises(ProbeError):
        probed(layer(), X, no_loss)


def test_a_masked_nan_takes_no_blame_for_an_op_also_in_the_same_tensor():
    def step(m: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, y = batch
        return (torch.log(m(x) - 100) - y)[~y.isnan()].square().mean()

    found = probed(layer(), gaps(), step)
    assert found.entry is None
    assert found.origin is not None and found.origin.op == "log"


def test_of_two_in_one_tensor_the_one_that_is_not_dropped_is_to_blame():
    def step(m: nn.Module, x: Tensor) -> Tensor:
        h = m(x)
        padded = torch.cat([(h[:4] - h[:4]) / (h[:4] - h[:4]), h[4:]])  # dropped below
        sick = torch.cat([h[:4], torch.log(h[4:] - 100)])
        return (padded + sick)[4:].mean()

    found = probed(layer(), X, step)
    assert found.origin is not None and found.origin.op == "log"


def test_a_nan_that_reaches_the_loss_is_told_with_the_op_that_takes_it_in():
    found = probed(layer(), gaps(), lambda m, b: (m(b[0]) - b[1]).square().mean())
    assert found.origin is None and found.entry is not None
    assert (found.entry.kind, found.entry.name, found.entry.produced) == ("batch", "batch.1", "nan")
    assert found.entry.origin is not None and found.entry.origin.op == "sub"


def test_the_batch_is_as_it_was_after_it_was_filled_on_trial():
    batch = gaps()
    probed(layer(), batch, lambda m, b: ((m(b[0]) - b[1]) * torch.log(m(b[0]) - 100)).mean())
    assert int(batch[1].isnan().sum()) == 16


@pytest.mark.parametrize(("fill", "op"), [(-math.inf, "sqrt"), (0.0, "sqrt")])
def test_a_mask_of_minus_inf_takes_no_blame_for_an_op(fill: float, op: str):
    mask = torch.zeros(8, 4)
    mask[:, 2] = fill
    found = probed(layer(), (X, mask), lambda m, b: (m(b[0]) + b[1]).softmax(-1).sum() + (m(b[0]) - 100).sqrt().sum())
    assert found.entry is None and found.origin is not None and found.origin.op == op


@pytest.mark.parametrize(("safe", "kind"), [(False, "parameter"), (True, None)])
def test_a_learned_inf_that_a_function_hides_is_to_blame_where_nothing_is_amiss_without_it(safe: bool, kind: str):
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.raw = nn.Parameter(torch.tensor([0.0, -math.inf, 0.0, 0.0]))

        def forward(self, x: Tensor) -> Tensor:
            noise = nn.functional.softplus(self.raw)
            return x / (noise + 1.0) + torch.log(noise * 0) if safe else x / noise

    found = probed(Noisy(), X, lambda m, x: m(x).mean())
    assert (found.entry and found.entry.kind) == kind
    if found.entry is not None and found.entry.origin is not None:
        assert (found.entry.name, found.entry.origin.op) == ("raw", "div")
    else:
        assert found.origin is not None and found.origin.op == "log"


def test_what_was_made_forward_and_dropped_belongs_to_the_op_that_made_it():
    def step(m: nn.Module, x: Tensor) -> Tensor:
        h = m(x)
        kept = torch.where(x > -100, h, h * ((h - h) / (h - h)))
        return kept.square().mean()

    found = probed(layer(), X, step)
    assert math.isfinite(found.loss)
    assert found.origin is not None and (found.origin.op, found.origin.node) == ("div", -1)


def test_what_was_made_and_dropped_without_harm_is_not_looked_for():
    def step(m: nn.Module, x: Tensor) -> Tensor:
        h = m(x)
        return torch.where(x > -100, h, torch.log(h.detach() - 100)).square().mean()

    assert probed(layer(), X, step).origin is None


def test_an_op_inside_autograd_grad_is_told_by_its_own_line():
    def step(m: nn.Module, x: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        energy = (m(x) - m(x).detach()).square().sqrt().sum()  # the op
        (force,) = torch.autograd.grad(energy, x, create_graph=True)
        return force.square().mean()

    found = probed(layer(), X, step).origin
    assert found is not None and found.source is not None
    assert (found.op, found.derived) == ("sqrt", True)
    assert "# the op" in found.source.code or "energy" in found.source.code


def test_a_gradient_that_torch_func_takes_is_searched_too():
    def step(m: nn.Module, x: Tensor) -> Tensor:
        return torch.func.vmap(torch.func.grad(lambda row: torch.sqrt(0 * row).sum()))(m(x)).mean()

    found = probed(layer(), X, step).origin
    assert found is not None and found.op == "sqrt"


def test_an_op_of_a_second_derivative_is_told_by_its_own_line():
    def step(m: nn.Module, x: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        h = m(x)
        energy = ((h - h.detach()) ** 1.5).sum()
        (force,) = torch.autograd.grad(energy, x, create_graph=True)
        return force.square().sum() + h.square().mean()

    found = probed(layer(), X, step)
    assert math.isfinite(found.loss) and found.origin is not None and found.origin.source is not None
    assert (found.origin.op, found.origin.derived) == ("pow", True)
    assert "energy =" in found.origin.source.code


def test_a_function_that_answers_with_nan_itself_is_told_by_its_name():
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    found = probed(model, torch.zeros(1, 2), lambda m, x: torch.logdet(m.weight))
    assert found.origin is not None and found.origin.op == "logdet"


def test_whose_an_error_is():
    assert by_user(KeyboardInterrupt()) is None
    assert by_user(MemoryError()) is None
    assert by_user(UserCodeError("the loss raised")) is None
    cause = ValueError("of the user")
    wrapped = UserCodeError("the loss raised")
    wrapped.__cause__ = cause
    assert by_user(wrapped) is cause
    assert not is_ours(cause)

"""A loss that compares the wrong things: ill ones, and healthy ones that look like them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck_cli import check
from gradcheck_cli.records.choices import About, Severity
from tests.measurements import LEAF, measurement, module, op, parameter
from tests.records.test_targetcomparison import comparison
from tests.rules.chains import diagnoses, only

X = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
Y = X[:, 0] + 0.5 * X[:, 1] ** 2
YES = (Y > 0).float()
CLASSES = torch.arange(64) % 4
SURE = torch.softmax(torch.randn(64, 4, generator=torch.Generator().manual_seed(1)), -1)


def net(units: int = 1, *last: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, units), *last)


def found(model: nn.Module, target: Tensor, loss: Callable[..., Tensor]) -> list[tuple[str, str]]:
    """Codes and causes of what is ill, with a loss that is a step, so that nothing but its code tells of targets."""

    def step(model: nn.Module, batch: Any) -> Tensor:
        return loss(model(batch[0]), batch[1])

    report = check(model, (X, target), step=step)
    return [(f.code, f.cause) for f in report.findings if f.severity.value != "note"]


BROADCAST, UNREACHED = [("GC208", "broadcast")], [("GC209", "saturated-output")]


def bootstrapped(output: Tensor, reward: Tensor) -> Tensor:
    return F.mse_loss(output, reward + 0.9 * output.detach())


def reinforced(logits: Tensor, advantage: Tensor) -> Tensor:
    return -(F.log_softmax(logits, 1).gather(1, CLASSES[:, None]) * advantage).mean()


def in_a_row(scores: Tensor, labels: Tensor) -> Tensor:
    """Each row four frames long, and its label the only one that is spoken; class 0 is the blank."""
    spoken, ones = labels.clamp(min=1), torch.ones(len(labels), dtype=torch.long)
    return F.ctc_loss(scores.expand(4, -1, -1), spoken[:, None], 4 * ones, ones)


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize(
    ("model", "target", "loss", "expected"),
    [
        (net(), Y, F.mse_loss, BROADCAST),
        (net(), Y, lambda o, t: ((o - t) ** 2).mean(), BROADCAST),
        (net(), Y[:, None], lambda o, t: (t - o.squeeze()).abs().mean(), BROADCAST),
        (net(), Y, bootstrapped, BROADCAST),
        (net(4), Y - Y.mean(), reinforced, BROADCAST),
        (net(), Y[:, None], F.mse_loss, []),
        (net(), Y, lambda o, t: ((o[:, 0] - t) ** 2).mean(), []),
        (net(), torch.ones(64), lambda o, t: ((o - t) ** 2).mean(), []),  # labels of a discriminator
        (net(), Y, lambda o, t: (o - t).abs().min(1).values.mean(), []),  # the nearest target
        (net(), Y, lambda o, t: ((o - t) ** 2 * torch.eye(64)).sum() / 64, []),
        (net(3), X[:, :3], lambda o, t: (torch.rand(64, 1) * (o - t) ** 2).mean(), []),  # a weight a sample
    ],
    ids="mse square squeezed td reinforce column indexed lsgan nearest mask weights".split(),
)
def test_outputs_that_are_broadcast_against_targets(
    model: nn.Module, target: Tensor, loss: Callable[..., Tensor], expected: list[tuple[str, str]]
) -> None:
    assert found(model, target, loss) == expected


@pytest.mark.parametrize(
    ("model", "target", "loss", "expected"),
    [
        (net(1, nn.Sigmoid()), 4000 + 100 * Y[:, None], lambda o, t: ((o - t) ** 2).mean(), UNREACHED),
        (net(1, nn.Tanh()), 10 + Y[:, None], F.l1_loss, UNREACHED),
        (net(1, nn.ReLU()), -10 + Y[:, None], F.smooth_l1_loss, UNREACHED),
        (net(4, nn.Softmax(-1)), 2 + X[:, :4].abs(), F.mse_loss, UNREACHED),
        (net(1, nn.Sigmoid()), YES[:, None], F.mse_loss, []),
        (net(1, nn.Tanh()), Y[:, None].tanh(), F.mse_loss, []),
        (net(1, nn.ReLU()), Y[:, None].abs(), F.mse_loss, []),
        (net(), 255 * YES[:, None], F.binary_cross_entropy_with_logits, [("GC209", "label-range")]),
        (net(), YES[:, None], F.binary_cross_entropy_with_logits, []),
    ],
    ids="sigmoid tanh relu softmax yes-no within positive masks labels".split(),
)
def test_targets_that_the_output_cannot_be(
    model: nn.Module, target: Tensor, loss: Callable[..., Tensor], expected: list[tuple[str, str]]
) -> None:
    assert found(model, target, loss) == expected


@pytest.mark.parametrize(
    ("model", "target", "loss", "expected"),
    [
        (net(4, nn.Softmax(-1)), CLASSES, F.nll_loss, [("GC210", "missing-log")]),
        (net(4, nn.Softmax(-1)), SURE, F.kl_div, [("GC210", "missing-log")]),
        (net(4), CLASSES, F.nll_loss, [("GC210", "unbounded-loss")]),
        (net(4, nn.LogSoftmax(-1)), CLASSES, F.nll_loss, []),
        (net(4, nn.LogSoftmax(-1)), SURE, F.kl_div, []),
        (net(4, nn.Softmax(-1)), CLASSES, in_a_row, [("GC210", "missing-log")]),
        (net(4), CLASSES, in_a_row, []),
        (net(4, nn.LogSoftmax(-1)), CLASSES, in_a_row, []),
        (net(4), CLASSES, F.cross_entropy, []),
        (net(4, nn.Softmax(-1)), CLASSES, lambda o, t: F.nll_loss(o.log(), t), []),
        (net(4, nn.Softmax(-1)), CLASSES, F.cross_entropy, [("GC205", "double-softmax")]),
        (net(1, nn.Sigmoid()), YES[:, None], F.binary_cross_entropy_with_logits, [("GC205", "double-sigmoid")]),
        (net(1, nn.Sigmoid()), YES[:, None], F.binary_cross_entropy, []),
        (net(4, nn.Sigmoid()), CLASSES, F.cross_entropy, [("GC205", "double-sigmoid")]),
        (net(4, nn.Sigmoid()), CLASSES, lambda o, t: F.cross_entropy(16 * o, t), []),
        (net(1), torch.zeros(64, dtype=torch.long), F.cross_entropy, [("GC404", "single-element-softmax")]),
    ],
    ids=(
        "nll kl scores log-nll log-kl ctc ctc-scores log-ctc cross-entropy log-of-softmax twice sigmoid-twice sigmoid "
        "sigmoids scaled-sigmoids one-logit"
    ).split(),
)
def test_what_a_loss_over_classes_is_given(
    model: nn.Module, target: Tensor, loss: Callable[..., Tensor], expected: list[tuple[str, str]]
) -> None:
    assert found(model, target, loss) == expected


ONE_A_CLASS, ONE = [("GC214", "error")], [("GC214", "note")]


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize(
    ("model", "target", "loss", "expected"),
    [
        (net(4), CLASSES, lambda o, t: F.mse_loss(o, t.float().unsqueeze(1)), ONE_A_CLASS),
        (net(4), CLASSES, lambda o, t: (o - t[:, None]).abs().mean(), ONE_A_CLASS),
        (net(), CLASSES, lambda o, t: F.mse_loss(o[:, 0], t.float()), ONE),
        (net(4), CLASSES, lambda o, t: F.mse_loss(o, F.one_hot(t, 4).float()), []),
        (net(3), CLASSES, lambda o, t: F.mse_loss(o, t.float().unsqueeze(1)), []),  # three critics of one amount
        (net(4), CLASSES.float(), lambda o, t: F.mse_loss(o, t.unsqueeze(1)), []),
        (net(), torch.arange(64), lambda o, t: F.mse_loss(o[:, 0], t.float()), []),  # counts
        (net(), YES.long(), lambda o, t: F.mse_loss(o[:, 0], t.float()), []),
        (net(4), CLASSES, F.cross_entropy, []),
    ],
    ids="all-outputs by-hand one-output one-hot ensemble amounts counts yes-no cross-entropy".split(),
)
def test_numbers_of_classes_as_targets_of_a_regression(
    model: nn.Module, target: Tensor, loss: Callable[..., Tensor], expected: list[tuple[str, str]]
) -> None:
    report = check(model, (X, target), step=lambda model, batch: loss(model(batch[0]), batch[1]))
    assert [(f.code, f.severity.value) for f in report.findings if f.code == "GC214"] == expected


@pytest.mark.parametrize(
    ("target", "loss", "expected"),
    [
        (50 + Y, lambda o, t: ((o[:, 0] - t).clamp(-1, 1) ** 2).mean(), [("GC405", "saturated-loss")]),
        (Y, lambda o, t: ((o[:, 0] - t).clamp(-1, 1) ** 2).mean(), []),
        (torch.ones(64), lambda o, t: F.relu(-9 - o[:, 0] * t).mean(), []),  # every margin is kept
    ],
    ids=["flat", "a-few", "hinge"],
)
def test_a_loss_that_is_clamped_flat(
    target: Tensor, loss: Callable[..., Tensor], expected: list[tuple[str, str]]
) -> None:
    assert found(net(), target, loss) == expected


# --------------------------------------------------------------------------- what training decides


def test_targets_of_which_some_cannot_be_reached_are_a_suspicion() -> None:
    ops = (op("SubBackward0", 1.0, (1, 1.0)), op("TanhBackward0", 1.0, (2, 1.0), module=1), op(LEAF, 1.0))
    sides = {"made_by": "Tanh", "low": -1.0, "high": 1.0, "averaged": True}
    layers = {
        "parameters": [parameter("net.weight", op=2, grad=1.0, module=1)],
        "modules": [module("", "Net"), module("net")],
    }
    some = measurement(*ops, comparisons=(comparison((8,), (8,), (8,), outside=0.3, **sides),), **layers)
    told = only("GC209", some)
    assert (told.doubt, told.layers, told.op) == (About.WHOLE, ("net",), 1)
    assert told.message.startswith("the output cannot reach 30 % of the targets: tanh in `net` puts out -1 to 1")
    few = measurement(*ops, comparisons=(comparison((8,), (8,), (8,), outside=0.01, **sides),), **layers)
    assert diagnoses("GC209", few) == []


def test_a_loss_of_which_most_is_clamped_is_a_suspicion() -> None:
    ops = (op("ClampBackward0", 1.0, (1, 0.1)), op(LEAF, 0.1))
    layers = {
        "parameters": [parameter("net.weight", op=1, grad=0.1, module=1)],
        "modules": [module("", "Net"), module("net")],
    }
    most = measurement(*ops, comparisons=(comparison((8,), (8,), (8,), clipped=0.97, averaged=True),), **layers)
    assert only("GC416", most).doubt is About.WHOLE
    half = measurement(*ops, comparisons=(comparison((8,), (8,), (8,), clipped=0.5, averaged=True),), **layers)
    assert diagnoses("GC416", half) == []


def test_weights_of_the_samples_that_lose_their_samples_are_a_note() -> None:
    weighed = comparison((8, 1), (8,), (8, 8), function="mul", averaged=True)
    assert only("GC208", measurement(op(LEAF, 1.0), comparisons=(weighed,))).severity is Severity.NOTE


# --------------------------------------------------------------------------- trials


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize(
    ("model", "target", "loss", "remedy"),
    [
        (net(), Y, F.mse_loss, "shape-fix"),
        (net(1, nn.Sigmoid()), YES[:, None], F.binary_cross_entropy_with_logits, "remove-sigmoid"),
        (net(1, nn.Tanh()), 10 + Y[:, None], F.mse_loss, "output-layer"),
    ],
    ids=["shape-fix", "remove-sigmoid", "output-layer"],
)
def test_the_remedy_is_tried(model: nn.Module, target: Tensor, loss: Callable[..., Tensor], remedy: str) -> None:
    report = check(model, (X, target), loss=loss, try_budget=600)
    (tried,) = (r for r in report.findings[0].remedies if r.id == remedy)
    assert tried.trial is not None and tried.trial.outcome in ("fixed", "helps")

"""`check` from a model in memory to a report: its result, its errors and what its verdict may not depend on."""

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradcheck_cli import Report, check
from gradcheck_cli.errors import GradcheckError, ProbeError, TargetError, UsageError, UserCodeError
from gradcheck_cli.records.choices import FailOn, Family, Severity, Status
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.verdict import exit_code

SEVERITIES = [Severity.ERROR, Severity.WARNING, Severity.NOTE]


def finding(severity: Severity) -> Finding:
    return Finding(
        code="GC201",
        rule="vanishing-depth",
        family=Family.VANISHING,
        severity=severity,
        layers=("0",),
        cause="depth",
        message="",
        evidence={},
    )


@pytest.mark.parametrize("fail_on", FailOn)
@pytest.mark.parametrize("found", [s for n in range(4) for s in itertools.combinations(SEVERITIES, n)])
def test_exit_code(found: tuple[Severity, ...], fail_on: FailOn) -> None:
    failing = {
        FailOn.ERROR: Severity.ERROR in found,
        FailOn.WARNING: Severity.ERROR in found or Severity.WARNING in found,
        FailOn.NEVER: False,
    }[fail_on]
    assert exit_code(tuple(map(finding, found)), fail_on) == int(failing)


# --------------------------------------------------------------------------- models to judge

Loss = Callable[[Tensor, Tensor], Tensor]
Sample = tuple[nn.Module, tuple[Tensor, Tensor], Loss]


def stack(
    depth: int, act: Callable[[], nn.Module], width: int = 32, prepare: Callable[[nn.Linear], Any] | None = None
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(width, width), act()]
        if prepare is not None:
            prepare(layers[-2])
    return nn.Sequential(*layers, nn.Linear(width, 5))


def classes() -> tuple[Tensor, Tensor]:
    return torch.randn(64, 32), torch.arange(64) % 5


def values() -> tuple[Tensor, Tensor]:
    return torch.randn(64, 32), torch.randn(64, 5)


def he(layer: nn.Linear) -> None:
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")


def tiny(layer: nn.Linear) -> None:
    nn.init.normal_(layer.weight, std=1e-3)
    nn.init.zeros_(layer.bias)


def huge(layer: nn.Linear) -> None:
    nn.init.normal_(layer.weight, std=2.0)


def off(layer: nn.Linear) -> None:
    nn.init.constant_(layer.bias, -100.0)


def normed() -> nn.Module:
    return nn.Sequential(nn.LayerNorm(32), nn.GELU())


class Cut(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.below, self.above = nn.Linear(32, 32), nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.above(self.below(x).tanh().detach())


class Recurrent(nn.Module):
    def __init__(self, gain: float) -> None:
        super().__init__()
        self.cell, self.head = nn.RNN(4, 16, batch_first=True), nn.Linear(16, 5)
        nn.init.orthogonal_(self.cell.weight_hh_l0, gain)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(x)[0][:, -1])


SAMPLES: dict[str, Callable[[], Sample]] = {
    "healthy relu": lambda: (stack(4, nn.ReLU, prepare=he), classes(), F.cross_entropy),
    "healthy tanh regression": lambda: (stack(3, nn.Tanh), values(), F.mse_loss),
    "healthy layer norm": lambda: (stack(3, normed), classes(), F.cross_entropy),
    "deep sigmoid": lambda: (stack(20, nn.Sigmoid), classes(), F.cross_entropy),
    "tiny weights": lambda: (stack(6, nn.ReLU, prepare=tiny), classes(), F.cross_entropy),
    "huge weights": lambda: (stack(8, nn.ReLU, prepare=huge), classes(), F.cross_entropy),
    "dead relu": lambda: (stack(2, nn.ReLU, prepare=off), classes(), F.cross_entropy),
    "cut": lambda: (Cut(), classes(), F.cross_entropy),
    "forgetful rnn": lambda: (Recurrent(0.3), (torch.randn(64, 60, 4), torch.arange(64) % 5), F.cross_entropy),
}
# The first finding of each ill one.
EXPECTED = {
    "deep sigmoid": ("GC201", "saturating-activation"),
    "tiny weights": ("GC201", "small-init"),
    "huge weights": ("GC303", "large-init"),
    "dead relu": ("GC403", "dead-relu"),
    "cut": ("GC401", "graph-cut"),
    "forgetful rnn": ("GC202", "bptt-decay"),
}


def made(name: str) -> Sample:
    torch.manual_seed(0)
    return SAMPLES[name]()


def verdict(report: Report) -> set[tuple[str, str]]:
    return {(f.code, f.cause) for f in report.findings if f.severity is not Severity.NOTE}


class Wrapped(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.zzz = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.zzz(x)


class Renamed(nn.Module):
    """The same layers under other names, registered in the opposite order."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        for index in reversed(range(len(layers))):
            self.add_module(f"[red]part {index}[/]", layers[index])

    def forward(self, x: Tensor) -> Tensor:
        for part in reversed(list(self.children())):
            x = part(x)
        return x


def times(scale: float) -> Callable[[Sample], Sample]:
    return lambda s: (s[0], s[1], lambda y, t: s[2](y, t) * scale)


def summed(sample: Sample) -> Sample:
    model, batch, loss = sample
    return model, batch, lambda y, t: loss(y, t, reduction="sum")


def twice(sample: Sample) -> Sample:
    model, (x, t), loss = sample
    return model, (torch.cat([x, x]), torch.cat([t, t])), loss


def in_float64(sample: Sample) -> Sample:
    model, (x, t), loss = sample
    return model.double(), (x.double(), t.double() if t.is_floating_point() else t), loss


def renamed(sample: Sample) -> Sample:
    model, batch, loss = sample
    return Renamed(model) if isinstance(model, nn.Sequential) else Wrapped(Wrapped(model)), batch, loss


VARIANTS: dict[str, Callable[[Sample], Sample]] = {
    "loss x 1e-6": times(1e-6),
    "loss x 1e6": times(1e6),
    "sum": summed,
    "batch twice": twice,
    "float64": in_float64,
    "wrapped": lambda s: (Wrapped(s[0]), s[1], s[2]),
    "renamed": renamed,
}


def checked(sample: Sample, **options: Any) -> Report:
    model, batch, loss = sample
    return check(model, batch, step=lambda m, b: loss(m(b[0]), b[1]), **options)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_ill_model_and_its_cause(name: str) -> None:
    report = checked(made(name))
    code, cause = EXPECTED[name]
    assert report.findings[0].code == code
    assert {found for _, found in verdict(report)} == {cause}
    assert (report.status, report.exit_code) == (Status.ILL, 1)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in EXPECTED])
def test_a_healthy_model(name: str) -> None:
    report = checked(made(name))
    assert report.findings == ()
    assert (report.status, report.exit_code) == (Status.HEALTHY, 0)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", SAMPLES)
def test_the_verdict_does_not_depend_on(name: str, variant: str) -> None:
    expected = verdict(checked(made(name)))
    assert verdict(checked(VARIANTS[variant](made(name)))) == expected


# --------------------------------------------------------------------------- options and results


def test_fail_on_and_ok() -> None:
    sample = made("deep sigmoid")
    assert not checked(sample).ok
    assert checked(sample, fail_on="never").ok
    assert not checked(sample, fail_on=FailOn.ERROR).ok
    assert checked(sample, ignore=("GC2",)).ok
    assert checked(sample, select=("GC1",)).findings == ()


def test_remedies_come_with_findings_and_not_with_notes() -> None:
    model, batch, loss = made("deep sigmoid")
    model[0].requires_grad_(False)
    report = checked((model, batch, loss))
    assert {f.severity for f in report.findings} == {Severity.ERROR, Severity.NOTE}
    assert all(bool(f.remedies) is (f.severity is not Severity.NOTE) for f in report.findings)


def test_the_seed_decides_the_dropout() -> None:
    torch.manual_seed(0)
    sample = nn.Sequential(nn.Linear(32, 32), nn.Dropout(0.5), nn.Linear(32, 5)), classes(), F.cross_entropy
    losses = [checked(sample, seed=seed).loss for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]


def test_a_report_can_be_printed_and_names_its_model() -> None:
    report = checked(made("cut"), name="my model")
    assert report.name == "my model"
    assert "my model" in str(report)
    assert "GC401" in str(report)


def test_layers_and_times() -> None:
    report = checked(made("healthy relu"))
    assert [layer.path for layer in report.layers] == ["0", "2", "4", "6", "8"]
    assert {"load", "forward", "backward", "total"} <= report.seconds.keys()
    assert all(seconds >= 0 for seconds in report.seconds.values())
    assert report.loss is not None
    assert report.loss == pytest.approx(math.log(5), abs=0.8)


def test_the_same_on_a_copy() -> None:
    model, batch, loss = made("tiny weights")
    first, second = checked((model, batch, loss)), checked((copy.deepcopy(model), batch, loss))
    assert [layer.grad_norm for layer in first.layers] == [layer.grad_norm for layer in second.layers]


# --------------------------------------------------------------------------- errors


def frozen() -> nn.Module:
    return nn.Linear(4, 2).requires_grad_(False)


@pytest.mark.parametrize(
    ("model", "step", "error", "says"),
    [
        (nn.Linear(4, 2), lambda m, x: m(x), ProbeError, "shape"),
        (nn.Linear(4, 2), lambda m, x: m(x).sum().item(), ProbeError, "float"),
        (nn.Linear(4, 2), lambda m, x: None, GradcheckError, "None"),
        (nn.Linear(3, 2), lambda m, x: m(x).sum(), UserCodeError, "Linear"),
        (nn.Tanh(), lambda m, x: m(x).sum(), ProbeError, "no parameters"),
        (frozen(), lambda m, x: m(x).sum(), ProbeError, "requires a gradient"),
        (42, lambda m, x: x.sum(), TargetError, "int"),
    ],
)
def test_what_cannot_be_checked(model: Any, step: Any, error: type[GradcheckError], says: str) -> None:
    with pytest.raises(error, match=says) as raised:
        check(model, torch.randn(3, 4), step=step)
    assert raised.value.exit_code == 2


def test_a_loss_and_a_step_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="exclude"):
        check(nn.Linear(4, 2), torch.randn(3, 4), loss="mse_loss", step=lambda m, x: m(x).sum())


# --------------------------------------------------------------------------- a sample that makes a value not finite


class Variational(nn.Module):
    """Puts out a mean and the logarithm of a variance."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.mu, self.logvar = nn.Linear(10, 16), nn.Linear(16, 3), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        mu, logvar = self.mu(h), self.logvar(h)
        std = torch.exp(0.5 * logvar)
        return mu + std, mu.square() + logvar.exp() - logvar


def evidence_bound(out: tuple[Tensor, Tensor], target: Tensor) -> Tensor:
    return (out[0] - target).square().mean() + out[1].mean()


def of_a_variance(x: Tensor) -> Finding:
    torch.manual_seed(0)
    return check(Variational(), (x, torch.zeros(len(x), 3)), loss=evidence_bound).findings[0]


def test_a_sample_on_another_scale_is_told_and_the_remedies_are_those_of_a_variance() -> None:
    x = torch.randn(24, 10, generator=torch.Generator().manual_seed(1))
    x[7] *= 20000
    found = of_a_variance(x)
    assert (found.code, found.cause, found.evidence["sample"]) == ("GC103", "exp-overflow", 7)
    assert "; row 7 of `batch.0` reaches " in found.why and "where the others' largest is" in found.why
    assert found.remedies[0].id == "clamp" and found.remedies[0].trial.outcome == "fixed"
    assert found.remedies[0].code.startswith("logvar = logvar.clamp(")
    assert not {"softmax", "log-softmax", "scale-logits"} & {each.id for each in found.remedies}


def test_of_a_sample_among_many_as_large_nothing_is_said() -> None:
    x = torch.randn(24, 10, generator=torch.Generator().manual_seed(1)) * 20000
    assert "row" not in of_a_variance(x).why

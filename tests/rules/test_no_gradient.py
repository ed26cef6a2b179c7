"""Parameters that get no gradient, in small models that run: each ill one beside one that looks like it and is well."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradcheck_cli import check
from gradcheck_cli.pipeline import run_check
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.spec import CheckSpec


def batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(64, 8), torch.randn(64, 1)


def report_on(model: nn.Module, step: Callable[..., Tensor] | None = None) -> Report:
    return check(model, batch(), step=step or (lambda model, batch: F.mse_loss(model(batch[0]), batch[1])))


def ill(report: Report) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(f.code, f.cause, f.layers) for f in report.findings if f.severity.value != "note"]


class Mixed(nn.Module):
    """A layer with a matrix of its own, whose value `how` takes."""

    def __init__(self, how: Callable[[nn.Parameter], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.how = how
        self.inp, self.out = nn.Linear(8, 16), nn.Linear(16, 1)
        self.mixing = nn.Parameter(torch.randn(16, 16) / 4)
        self.gain = nn.Parameter(torch.ones(16))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.tanh(self.inp(x)) @ self.how(self.mixing) * self.gain)


def quietly(weight: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.tanh(weight)


def constrained(weight: Tensor) -> Tensor:
    with torch.no_grad():
        a, b = torch.stack([weight.clamp(-1, 1), weight]).unbind(0)
    return a + 0 * b


ILL: dict[str, tuple[Callable[[nn.Parameter], Tensor], str]] = {
    "no_grad": (quietly, "graph-cut"),
    "no_grad-unbind": (constrained, "graph-cut"),
    "data": (lambda w: w.data * 2, "graph-cut"),
    "detach": (lambda w: w.detach(), "graph-cut"),
    "numpy": (lambda w: torch.from_numpy(w.detach().numpy().copy()), "graph-cut"),
    "int": (lambda w: w.int().float(), "non-differentiable-op"),
    "comparison": (lambda w: (w > 0).float(), "non-differentiable-op"),
}


@pytest.mark.parametrize("how", ILL)
def test_a_parameter_whose_value_is_used_without_its_gradient(how: str) -> None:
    take, cause = ILL[how]
    (finding,) = (f for f in report_on(Mixed(take)).findings if f.severity.value != "note")
    assert (finding.code, finding.cause, finding.layers) == ("GC401", cause, ("(Mixed)",))
    assert finding.message.startswith("`mixing` cannot learn") and finding.source is not None


def clamped(weight: nn.Parameter) -> Tensor:
    with torch.no_grad():
        weight.clamp_(-1, 1)
    return weight


def spectral(weight: nn.Parameter) -> Tensor:
    with torch.no_grad():
        v = F.normalize(weight @ torch.ones(16), dim=0)
        u = F.normalize(weight.t() @ v, dim=0)
    return weight / (v @ weight @ u)


def straight_through(weight: nn.Parameter) -> Tensor:
    return weight + (weight.sign() - weight).detach()


WELL: dict[str, Callable[[nn.Parameter], Tensor]] = {
    "projection-in-place": clamped,
    "spectral-norm": spectral,
    "straight-through": straight_through,
    "normed-by-a-constant": lambda w: w / w.detach().norm(),
    "never-read": lambda w: torch.eye(16),
    "only-its-shape": lambda w: torch.ones_like(w) / 16,
}


@pytest.mark.parametrize("how", WELL)
def test_what_looks_like_it_and_learns_or_is_not_read(how: str) -> None:
    assert ill(report_on(Mixed(WELL[how]))) == []


def test_a_value_that_is_only_logged_is_not_used() -> None:
    def logging(weight: nn.Parameter) -> Tensor:
        with torch.no_grad():
            weight.abs().mean()
        return torch.eye(16)

    assert ill(report_on(Mixed(logging))) == []


class Quantised(nn.Module):
    """Codes looked up in a book: by its data alone, or by moving averages that the pass itself takes."""

    def __init__(self, *, averages: bool) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.averages = averages
        self.encoder, self.decoder = nn.Linear(8, 4), nn.Linear(4, 1)
        self.book = nn.Embedding(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        z, book = self.encoder(x), self.book.weight.data
        index = torch.cdist(z, book).argmin(1)
        q = F.embedding(index, book)
        if self.averages:
            book.index_add_(0, index, 0.01 * (z.detach() - q))
        return self.decoder(z + (q - z).detach())


def test_a_codebook_learns_by_its_gradient_or_by_moving_averages() -> None:
    assert ill(report_on(Quantised(averages=False))) == [("GC401", "graph-cut", ("book",))]
    assert ill(report_on(Quantised(averages=True))) == []


class Taught(nn.Module):
    """A student beside a teacher of the same layers that runs under no_grad."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.student = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
        self.teacher = copy.deepcopy(self.student)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.teacher(x + 1)
        return F.mse_loss(self.student(x), wanted)


def test_a_teacher_under_no_grad_is_one_note() -> None:
    report = report_on(Taught(), lambda model, batch: model(batch[0]))
    assert ill(report) == []
    (note,) = (f for f in report.findings if f.cause == "detached")
    assert (note.code, note.layers) == ("GC413", ("teacher.0", "teacher.2"))


class Clustered(nn.Module):
    """Features that are drawn to the nearest of some centres, which something else moves."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.body, self.centres = nn.Linear(8, 4), nn.Parameter(torch.randn(5, 4))

    def forward(self, x: Tensor) -> Tensor:
        z = self.body(x)
        with torch.no_grad():
            nearest = torch.cdist(z, self.centres).argmin(1)
        return F.mse_loss(z, self.centres.detach()[nearest])


def test_a_parameter_that_is_only_a_target_stands_still_on_purpose() -> None:
    assert ill(report_on(Clustered(), lambda model, batch: model(batch[0]))) == []


def test_a_critic_that_is_called_with_all_its_parameters_detached_is_asleep_on_purpose() -> None:
    torch.manual_seed(3)
    critic = nn.Sequential(nn.Linear(9, 16), nn.ReLU(), nn.Linear(16, 1))
    model = nn.ModuleDict({"actor": plain(), "critic": critic})

    def step(model: Any, batch: Any) -> Tensor:
        held = {name: p.detach() for name, p in model["critic"].named_parameters()}
        seen = torch.cat([batch[0], model["actor"](batch[0])], 1)
        return -torch.func.functional_call(model["critic"], held, (seen,)).mean()

    report = report_on(model, step)
    assert ill(report) == []
    assert [(f.cause, f.layers) for f in report.findings if f.code == "GC413"] == [
        ("detached", ("critic.0", "critic.2"))
    ]


class Masking(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token, self.out = nn.Parameter(torch.zeros(1, 8)), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x)


def test_a_mask_token_that_this_batch_does_not_need_is_told_as_what_it_is() -> None:
    (note,) = report_on(Masking()).findings
    assert (note.code, note.message) == ("GC413", "`token` was not used for this loss")


# --------------------------------------------------------------------------- made of others, once

CELL = """
import torch
from torch import nn
from torch.nn import functional as F

class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(1, 8)), nn.Parameter(torch.randn(1, 8))
        self.kernel = nn.Parameter(torch.tanh(self.a) * torch.sigmoid(self.b){detached})

    def forward(self, x):
        return F.linear(x, {used})

def build_model():
    torch.manual_seed(0)
    return nn.Sequential(Cell())

batch = torch.randn(32, 8), torch.randn(32, 1)
loss = nn.functional.mse_loss
"""


def test_a_parameter_made_of_others_when_the_model_is_built(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(CELL.format(detached="", used="self.kernel"))
    (finding,) = run_check(CheckSpec(model=str(tmp_path / "net.py"))).findings
    assert (finding.code, finding.cause, finding.layers) == ("GC401", "graph-cut", ("0",))
    assert finding.message == "`0.a` and `0.b` cannot learn: `nn.Parameter()` cuts them off from the loss"
    assert finding.source is not None and finding.source.line == 10


def test_parameters_that_others_only_start_from_are_well(tmp_path: Path) -> None:
    used = "self.kernel * torch.tanh(self.a) * torch.sigmoid(self.b)"
    (tmp_path / "net.py").write_text(CELL.format(detached="", used=used))
    assert ill(run_check(CheckSpec(model=str(tmp_path / "net.py")))) == []


# --------------------------------------------------------------------------- nothing at all


def plain() -> nn.Module:
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))


def forced(model: nn.Module, batch: Any) -> Tensor:
    loss = F.mse_loss(model(batch[0]).detach(), batch[1])
    loss.requires_grad = True
    return loss


def adapted(model: nn.Module, batch: Any) -> Tensor:
    learner = copy.deepcopy(model)
    loss = F.mse_loss(learner(batch[0]), batch[1])
    for p, g in zip(learner.parameters(), torch.autograd.grad(loss, list(learner.parameters())), strict=True):
        p.data -= 0.1 * g
    return F.mse_loss(learner(batch[0]), batch[1])


def quiet(model: nn.Module, batch: Any) -> Tensor:
    with torch.no_grad():
        return F.mse_loss(model(batch[0]), batch[1])


@pytest.mark.parametrize("step", [forced, adapted, quiet])
def test_no_parameter_at_all_gets_a_gradient(step: Callable[..., Tensor]) -> None:
    report = report_on(plain(), step)
    assert ill(report) == [("GC407", "graph-cut", ("0", "2"))]
    assert report.findings[0].source is not None
    assert report.exit_code == 1


def test_a_functional_inner_step_hands_the_gradient_on() -> None:
    def inner(model: nn.Module, batch: Any) -> Tensor:
        names, weights = zip(*model.named_parameters(), strict=True)
        grads = torch.autograd.grad(F.mse_loss(model(batch[0]), batch[1]), weights)
        fast = {n: w - 0.1 * g for n, w, g in zip(names, weights, grads, strict=True)}
        return F.mse_loss(torch.func.functional_call(model, fast, (batch[0],)), batch[1])

    assert ill(report_on(plain(), inner)) == []


# --------------------------------------------------------------------------- zeros that stay


class Corrected(nn.Module):
    """A low-rank correction whose factors start at zero, both of them or one."""

    def __init__(self, *, both: bool) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.body, self.down, self.up = nn.Linear(8, 8), nn.Linear(8, 2, bias=False), nn.Linear(2, 8, bias=False)
        self.out = nn.Linear(8, 1)
        nn.init.zeros_(self.up.weight)
        if both:
            nn.init.zeros_(self.down.weight)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.body(x))
        return self.out(h + self.up(self.down(h)))


def test_two_zeros_that_multiply_each_other_never_open_and_one_does() -> None:
    assert ill(report_on(Corrected(both=True))) == [("GC408", "zero-product", ("down", "up"))]
    assert ill(report_on(Corrected(both=False))) == []


class Box(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor, threshold: float) -> Tensor:
        ctx.save_for_backward(v)
        ctx.threshold = threshold
        return (v > threshold).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (v,) = ctx.saved_tensors
        return grad * ((v - ctx.threshold).abs() < 0.5), None


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return -ctx.factor * grad, None


class Spiking(nn.Module):
    def __init__(self, function: type[torch.autograd.Function], number: float) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.inp, self.out, self.function, self.number = nn.Linear(8, 32), nn.Linear(32, 1), function, number

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.function.apply(self.inp(x), self.number))


def test_a_surrogate_that_passes_nothing_is_dead_and_a_reversal_that_is_off_is_not() -> None:
    assert ill(report_on(Spiking(Box, 9.0))) == [("GC403", "dead-surrogate", ("inp",))]
    assert ill(report_on(Spiking(Box, 0.2))) == []
    assert ill(report_on(Spiking(Reversed, 0.0))) == []


@pytest.mark.parametrize(("shift", "expected"), [(30.0, ["saturated-output"]), (0.0, [])])
def test_an_output_outside_of_its_clamp(shift: float, expected: list[str]) -> None:
    assert [cause for _, cause, _ in ill(report_on(Clamped(plain(), shift)))] == expected


class Clamped(nn.Module):
    def __init__(self, body: nn.Module, shift: float) -> None:
        super().__init__()
        self.body, self.shift = body, shift

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(self.body(x) + self.shift, -10, 10)


@pytest.mark.parametrize(("offset", "cause"), [(20.0, ["saturated-loss"]), (0.0, [])])
def test_a_loss_whose_clamp_is_at_its_limit_for_all(offset: float, cause: list[str]) -> None:
    def step(model: nn.Module, batch: Any) -> Tensor:
        return (batch[1] + offset - model(batch[0])).clamp(-3, 3).square().mean()

    assert [found for _, found, _ in ill(report_on(plain(), step))] == cause


class Halved(nn.Module):
    """Of 64 units 40 are off; the others bend, or are always on."""

    def __init__(self, on: float) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.hidden, self.out = nn.Linear(8, 64), nn.Linear(64, 1)
        with torch.no_grad():
            self.hidden.bias[:40], self.hidden.bias[40:] = -20, on

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu(self.hidden(x)))


def test_a_layer_of_which_a_part_is_off_is_a_note_unless_the_rest_is_linear() -> None:
    report = report_on(Halved(0.0))
    assert ill(report) == []
    (note,) = report.findings
    assert (note.cause, note.message) == ("partly-dead", "40 of 64 units behind `hidden` are off for the whole batch")
    assert ill(report_on(Halved(20.0))) == [("GC410", "dead-relu", ("hidden",))]


# --------------------------------------------------------------------------- built and never called


class Order(nn.Module):
    """Which of two tokens comes first; a mean of embeddings cannot tell, what `context` says can."""

    def __init__(self, *, task: str) -> None:
        super().__init__()
        torch.manual_seed(8)
        self.embed, self.context, self.head = nn.Embedding(12, 16), nn.GRU(16, 16, batch_first=True), nn.Linear(16, 2)
        self.task = task

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.embed(tokens).mean(1))


@pytest.mark.parametrize(("task", "expected"), [("order", [("GC409", "not-in-loss", ("context",))]), ("count", [])])
def test_a_module_that_is_never_called_is_an_illness_where_the_model_learns_nothing(task: str, expected: Any) -> None:
    torch.manual_seed(9)
    first = torch.randint(2, 12, (48, 6))
    first[:, 1], first[:, 4] = 0, 1
    second = first.clone()
    second[:, 1], second[:, 4] = (1, 0) if task == "order" else (2, 2)
    data = torch.cat([first, second]), torch.cat([torch.ones(48), torch.zeros(48)]).long()
    report = check(Order(task=task), data, loss="cross_entropy", try_budget=2000)
    assert ill(report) == expected

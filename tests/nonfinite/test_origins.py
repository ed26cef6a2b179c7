"""Every case is blamed on its op and its line, with the values that went in."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli import Finding, check
from gradcheck_cli.records.ops import plain_op
from tests.nonfinite import CASES, Case
from tests.nonfinite.case import Scale

ids = [case.name for case in CASES]


def blamed(case: Case) -> Finding:
    model, x, loss = case.make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = check(model, x, step=loss)
    return report.findings[0]


def test_there_are_sixty_cases():
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_plain_torch_agrees_that_it_is_not_finite(case: Case):
    model, x, loss = case.make()
    value = loss(model, x)
    assert bool(torch.isfinite(value)) == case.backward
    if case.backward:
        value.backward()
        poisoned = any(not torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
        assert poisoned == case.reaches


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_the_op_the_line_and_the_cause_are_named(case: Case):
    found = blamed(case)
    assert found.code == ("GC104" if case.backward else "GC103")
    assert plain_op(found.op or "").startswith(case.ops)
    assert found.source is not None
    assert (found.source.file.rpartition("/")[2], found.source.line) == (
        case.loss.__code__.co_filename.rpartition("/")[2],
        case.line,
    )
    assert found.cause in case.causes
    assert found.severity.value == ("error" if case.reaches else "warning")
    assert bool(found.layers) == case.reaches or not case.backward
    assert found.remedies


class Layered(nn.Module):
    """A layer that puts out Inf, which what comes after it replaces."""

    def __init__(self, hide: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.hide, self.second = Grown(), hide, nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.hide(self.first(x)))


class Grown(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        return torch.exp(100 * (x * self.weight).detach()) + self.weight


def test_an_inf_that_later_becomes_zero_is_told():
    torch.manual_seed(0)
    model = Layered(lambda h: torch.where(h.isinf(), 0.0, h).clamp(max=1))
    report = check(model, (torch.randn(8, 4), torch.arange(8) % 2), loss="cross_entropy")
    (found,) = [f for f in report.findings if f.code == "GC105"]
    assert (found.op, found.layers, found.severity.value) == ("exp", ("first",), "warning")
    assert found.source is not None and "torch.exp" in found.source.code


def test_a_metric_beside_the_loss_that_feeds_nothing_is_a_note():
    class Measured(nn.Linear):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            y = super().forward(x)
            return y, (y.detach() * 0).sum() / (y.detach() * 0).sum()

    report = check(Measured(4, 2), torch.randn(8, 4), step=lambda m, x: m(x)[0].square().mean())
    (found,) = [f for f in report.findings if f.code == "GC105"]
    assert (found.op, found.severity.value) == ("div", "note")


def test_an_inf_that_is_written_on_purpose_is_left_alone():
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scores = Causal()

        def forward(self, x: Tensor) -> Tensor:
            return self.scores(x).softmax(-1)[:, :2].clamp_min(1e-6).log()

    class Causal(nn.Linear):
        def __init__(self) -> None:
            super().__init__(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).masked_fill(torch.eye(8, 4, dtype=torch.bool), -torch.inf)

    report = check(Masked(), (torch.randn(8, 4), torch.arange(8) % 2), loss="cross_entropy")
    assert [f.code for f in report.findings if f.severity.value != "note"] == []


def test_where_the_batch_is_not_finite_is_told():
    x = torch.randn(8, 4)
    x[5, 2] = torch.nan
    (found, *_) = check(nn.Linear(4, 2), (x, torch.arange(8) % 2), loss="cross_entropy").findings
    assert found.code == "GC101"
    assert "the first at [5, 2]" in found.message


def test_the_values_that_did_it_are_shown_with_their_indexes():
    x = torch.rand(8, 4) + 1
    x[3, 1] = 0.0
    report = check(Scale(), x, step=lambda m, b: torch.log(m(b)).mean())
    assert "0 at [3, 1]" in report.findings[0].why
    assert "1 of 32 elements" in report.findings[0].message


def test_a_buffer_that_holds_nan_is_told_before_the_op_that_reads_it():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).eval()
    model[1].num_batches_tracked.fill_(1)
    model[1].running_mean[0] = torch.nan
    (found, *_) = check(model, (torch.randn(8, 4), torch.arange(8) % 3), loss="cross_entropy").findings
    assert (found.code, found.cause) == ("GC102", "nan-parameter")
    assert "`1.running_mean` holds NaN" in found.message


def test_an_integer_zero_is_a_zero_denominator():
    report = check(nn.Linear(4, 3), torch.randn(8, 4), step=lambda m, b: (m(b) / 0).mean())
    assert report.findings[0].cause == "zero-div-zero"


def test_a_product_that_overflows_is_no_zero_times_infinity():
    report = check(nn.Linear(4, 3), torch.randn(8, 4), step=lambda m, b: ((h := m(b) * 1e25) @ h.T).mean())
    assert (report.findings[0].op, report.findings[0].cause) == ("mm", "large-init")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("every_label_ignored", ("puts out NaN, and", "`target` is -100")),
        ("target_longer_than_input", ("puts out Inf, and", "`target_lengths` is 7", "`input_lengths` is 8")),
    ],
)
def test_a_loss_shows_its_labels_and_lengths(name: str, told: tuple[str, ...]):
    found = blamed(next(case for case in CASES if case.name == name))
    assert all(words in f"{found.message} {found.why}" for words in told)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("log_of_a_softmax_that_underflowed", "log-softmax"),
        ("binary_cross_entropy_by_hand", "log-softmax"),
        ("log_of_a_histogram", "clamp"),  # no softmax is near
        ("softmax_by_hand", "softmax"),
        ("exponential_rate", "clamp"),
        ("pairwise_distance_with_a_diagonal", "eps"),
        ("division_behind_where", "double-where"),
        ("attention_row_without_a_key", "mask-fix"),
        ("label_of_a_masked_class", "finite-min"),
        ("singular_vectors_of_the_identity", "jitter"),
        ("mean_of_no_positives", "drop-empty"),
    ],
)
def test_the_remedy_that_fits_the_op_comes_first(name: str, first: str):
    assert blamed(next(case for case in CASES if case.name == name)).remedies[0].id == first


def test_the_sample_that_did_it_is_told():
    x = torch.rand(8, 4) + 1
    x[3, 1] = 0.0
    (found, *_) = check(Scale(), x, step=lambda m, b: torch.log(m(b)).mean()).findings
    assert "the first comes from sample 3 of the batch" in found.message
    groups = (x, torch.rand(8, 2), torch.rand(3))  # and a number for each of three groups
    (found, *_) = check(Scale(), groups, step=lambda m, b: torch.log(m(b[0])).mean()).findings
    assert "the first comes from sample 3 of the batch" in found.message
    (found, *_) = check(Scale(), x[3:4], step=lambda m, b: torch.log(m(b)).mean()).findings
    assert "sample" not in found.message


def test_no_rewrite_that_is_shown_changes_a_healthy_number():
    x = torch.rand(16, 4) + 0.1
    x[2, 0], x[5, 1], x[7, 2] = 0.0, 1e-9, -3.0

    def loss(m: nn.Module, b: Tensor) -> Tensor:
        y = m(b)
        q = 1.0 + b.detach() / y
        return torch.where(y == 0, 0.0, q).mean()

    (found, *_) = check(Scale(), x, step=loss).findings
    best = found.remedies[0]
    assert (found.cause, best.id, best.trial.outcome) == ("where-trap", "double-where", "fixed")
    assert "ok = y != 0" in best.code  # not y > 1e-8: what is below 0 is as healthy

"""Data that a model cannot use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck_cli import check
from gradcheck_cli.pipeline import run_check
from gradcheck_cli.records.choices import About
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.spec import CheckSpec
from tests.measurements import stats
from tests.rules.chains import chain, diagnoses, only

X = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
Y = X[:, :1] + 0.5 * X[:, 1:2] ** 2


def uneven(factor: float) -> Tensor:
    x = X.clone()
    x[:, 2] *= factor
    return x


def net(*first: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(*first, nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))


def found(model: nn.Module, x: Tensor, y: Tensor) -> list[tuple[str, str, str]]:
    report = check(model, (x, y), loss=F.mse_loss)
    return [(f.code, f.cause, f.severity.value) for f in report.findings]


def table(widest: float) -> Measurement:
    """Layers of which the first takes four columns."""
    return chain([0.3, 0.3], inputs=(stats("batch.0", widest=widest, column=2),))


def test_a_column_far_above_the_others_is_a_suspicion() -> None:
    told = only("GC212", table(1e5))
    assert (told.doubt, told.cause, told.layers) == (About.WHOLE, "input-scale", ("layers.0",))
    assert "column 2 is 100,000 times the median column" in told.message
    assert diagnoses("GC212", table(1e3)) == []


def test_columns_behind_a_normalisation_are_well() -> None:
    assert "GC212" in {code for code, *_ in found(net(), uneven(2e4), Y)} | {"GC212"}
    assert [c for c in found(net(nn.BatchNorm1d(6)), uneven(1e6), Y) if c[0] == "GC212"] == []
    assert [c for c in found(net(nn.LayerNorm(6)), uneven(1e6), Y) if c[0] == "GC212"] == []


def test_the_column_is_named_where_it_explains_what_is_ill() -> None:
    report = check(net(), (uneven(1e6), Y), loss=F.mse_loss)
    assert report.findings[0].cause == "input-scale"
    assert "column 2 of `batch.0` is" in report.findings[0].why


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (X, Y, []),
        (X[:1].repeat(64, 1), Y, [("GC213", "unshuffled-batches", "note")]),
        (X, torch.full((64, 1), 3.0), [("GC213", "constant-target", "note")]),
        (torch.cat((X, torch.ones(64, 1)), 1)[:, 1:], Y, []),  # a column of ones
    ],
    ids=["well", "one-sample", "one-target", "one-column"],
)
def test_a_batch_of_one_answer(x: Tensor, y: Tensor, expected: list[tuple[str, str, str]]) -> None:
    assert found(net(), x, y) == expected


LABELS = torch.arange(64) % 4


def classified(target: Tensor, loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy) -> list[str]:
    torch.manual_seed(1)
    report = check(nn.Linear(6, 4), (X, target), step=lambda model, batch: loss(model(batch[0]), batch[1]))
    return [f.message for f in report.findings if f.code == "GC213"]


def test_a_batch_of_one_class_is_a_note() -> None:
    assert classified(LABELS) == []
    assert classified(torch.full((64,), 2)) == ["all 64 labels of this batch are class 2 of 4"]
    assert classified(torch.full((64,), -100), lambda o, t: F.cross_entropy(o, t, ignore_index=-100)) == []


def test_a_label_that_is_one_by_design_is_well() -> None:
    def two(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target[:, 0]) + F.cross_entropy(output[:, :3], target[:, 1])

    assert classified(torch.stack((LABELS, torch.ones_like(LABELS)), 1), two) == []
    assert classified(LABELS, lambda o, t: F.cross_entropy(o, torch.zeros(64, dtype=torch.long))) == []  # contrastive


@pytest.mark.parametrize(
    ("classes", "expected"),
    [((0, 0, 0), "note"), ((0, 1, 2), "warning"), ((0, 1, None), "note"), ((None, 1, 2), None)],
    ids=["always-one", "one-each", "mixed", "mixed-first"],
)
def test_batches_of_a_class_each_were_never_shuffled(
    tmp_path: Path, classes: tuple[int | None, ...], expected: str | None
) -> None:
    torch.save([(X, LABELS if c is None else torch.full((64,), c)) for c in classes], tmp_path / "batches.pt")
    (tmp_path / "case.py").write_text(
        "import torch\n\nmodel = torch.nn.Linear(6, 4)\n"
        f"train_loader = torch.load({str(tmp_path / 'batches.pt')!r})\n"
        "loss_fn = torch.nn.functional.cross_entropy\n"
    )
    findings = run_check(CheckSpec(model=str(tmp_path / "case.py"), batches=3, try_budget=0)).findings
    assert [f.severity.value for f in findings if f.code == "GC213"] == ([expected] if expected else [])


@pytest.mark.parametrize(("offset", "suspected"), [(5.0, False), (500.0, True)])
def test_columns_far_from_zero_are_a_suspicion(offset: float, suspected: bool) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
    findings = check(model, (0.05 * (X + offset), Y), loss=F.mse_loss).findings
    told = [f for f in findings if f.code == "GC212"]
    assert [(f.cause, f.opinion is not None) for f in told] == [("input-scale", True)] * suspected
    assert not suspected or "standard deviations from 0" in told[0].message


@pytest.mark.parametrize(
    ("x", "layers", "expected"),
    [
        (X, (), []),
        (120 * X, (), ["GC217"]),
        (1e-4 * X, (), ["GC217"]),
        (120 * X, (nn.LayerNorm(6),), []),
        (1e4 * X, (), []),  # an explosion tells of it
    ],
    ids=["well", "large", "faint", "normalised", "told-already"],
)
def test_inputs_far_from_one_are_a_note_where_no_finding_comes_of_them(
    x: Tensor, layers: tuple[nn.Module, ...], expected: list[str]
) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(*layers, nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
    findings = check(model, (x, Y), loss=F.mse_loss).findings
    assert [f.code for f in findings if f.code in ("GC212", "GC217")] == expected


def test_large_targets_are_no_inputs() -> None:
    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.mse_loss(model(batch[0]), batch[1])

    torch.manual_seed(1)
    model = nn.Sequential(nn.EmbeddingBag(4, 8), nn.Linear(8, 1))
    assert [f for f in check(model, (LABELS[:, None], 4000 + Y), step=step).findings if f.code == "GC217"] == []


def test_labels_made_in_the_code_of_a_loss_are_no_data() -> None:
    report = check(net(), X, step=lambda model, x: F.mse_loss(model(x), torch.ones(64, 1)))
    assert report.findings == ()

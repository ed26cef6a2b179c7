"""Dropout that leaves next to nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gradcheck_cli import check
from gradcheck_cli.records.choices import About

X = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] * X[:, 1] > 0).long()


def found(drop: float, mode: str = "train") -> list[tuple[str, tuple[str, ...], About | None]]:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(drop), nn.Linear(32, 2))
    report = check(model.train(mode == "train"), (X, Y), loss=F.cross_entropy)
    return [(f.cause, f.layers, f.opinion and f.opinion.about) for f in report.findings if f.code == "GC220"]


def test_a_share_that_is_meant_to_be_kept_is_a_suspicion() -> None:
    assert found(0.95) == [("dropout-too-high", ("2",), About.WHOLE)]


def test_training_with_less_dropout_decides() -> None:
    torch.manual_seed(1)
    layers = [m for _ in range(2) for m in (nn.Linear(16, 16), nn.ReLU(), nn.Dropout(0.95))]
    x = torch.randn(64, 16, generator=torch.Generator().manual_seed(2))
    report = check(
        nn.Sequential(*layers, nn.Linear(16, 2)), (x, (x[:, 0] > 0).long()), loss="cross_entropy", try_budget=800
    )
    (finding,) = report.findings
    assert (finding.code, finding.severity.value, finding.opinion and finding.opinion.decision.value) == (
        "GC220",
        "error",
        "confirmed",
    )
    assert [(r.id, r.trial.outcome) for r in finding.remedies] == [("lower-dropout", "fixed")]


@pytest.mark.parametrize(("drop", "mode"), [(0.5, "train"), (0.95, "eval")])
def test_a_usual_share_and_eval_mode_are_well(drop: float, mode: str) -> None:
    assert found(drop, mode) == []

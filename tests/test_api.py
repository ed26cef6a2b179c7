"""`gradcheck_cli.check`: what a person at a notebook calls."""

from __future__ import annotations

import torch
from torch import nn

import gradcheck_cli
from gradcheck_cli.reports import Style, render


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(8, 4), torch.randint(3, (8,))


def test_str_of_a_report_is_its_table() -> None:
    report = gradcheck_cli.check(nn.Linear(4, 3), batch())
    assert isinstance(report, gradcheck_cli.Report)
    assert str(report) == render(report, "table", Style(width=100))

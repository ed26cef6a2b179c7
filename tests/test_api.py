"""`gradcheck_cli.check`: what a person at a notebook calls; it must not be able to lie."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources

import pytest
import torch
from torch import nn

import gradcheck_cli
from gradcheck_cli.errors import GradcheckError, UsageError
from gradcheck_cli.records.choices import FailOn, Optimizer
from gradcheck_cli.reports import Style, render


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(32, 8), torch.randint(4, (32,))


def ill() -> nn.Module:
    """A deep sigmoid net, GC201."""
    torch.manual_seed(0)
    layers = [layer for _ in range(12) for layer in (nn.Linear(8, 8), nn.Sigmoid())]
    return nn.Sequential(*layers, nn.Linear(8, 4))


def test_str_of_a_report_is_its_table() -> None:
    report = gradcheck_cli.check(ill(), batch())
    assert isinstance(report, gradcheck_cli.Report)
    assert str(report) == render(report, "table", Style(width=100))


@pytest.mark.parametrize("other", ["GC3", ("GC3",), ["GC3"], "exploding-depth", "GC3,GC4"])
def test_leaving_out_another_rule_hides_nothing(other) -> None:
    report = gradcheck_cli.check(ill(), batch(), ignore=other)
    assert not report.ok and report.hidden == 0
    assert [f.code for f in report.findings] == ["GC201"]


@pytest.mark.parametrize("own", ["GC201", "vanishing-depth", ("GC1", "gc2"), ["GC2"]])
def test_leaving_out_a_rule_is_counted(own) -> None:
    report = gradcheck_cli.check(ill(), batch(), ignore=own)
    assert report.ok and report.hidden == 1
    assert gradcheck_cli.check(ill(), batch(), select=own).findings


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"select": ("GC999",)}, "select: no rule is called `GC999`"),
        ({"select": "vanishing"}, "select: no rule is called `vanishing`; did you mean `vanishing-"),
        ({"ignore": "GC2 GC3"}, "ignore: no rule is called `GC2 GC3`"),
        ({"fail_on": "errors"}, "fail_on: 'errors' is none of `error`, `warning`, `never`; did you mean `error`?"),
        ({"fail_on": None}, "fail_on: None is none of"),
        ({"optimizer": "adamv"}, "optimizer: 'adamv' is none of `sgd`, `adam`, `adamw`; did you mean `adam"),
        ({"lr": -1}, "lr: -1 is not a number above 0"),
        ({"lr": float("nan")}, "lr: nan is not a number above 0"),
        ({"lr": "0.1"}, "lr: '0.1' is not a number above 0"),
        ({"seed": -1}, "seed: -1 is not a whole number"),
        ({"seed": 1.5}, "seed: 1.5 is not a whole number"),
        ({"try_budget": -3}, "try_budget: -3 is not a whole number from 0"),
    ],
)
def test_a_wrong_value_is_a_usage_error(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        gradcheck_cli.check(ill(), batch(), **wrong)
    assert caught.value.message.startswith(told)
    assert isinstance(caught.value, GradcheckError) and caught.value.hint


def test_members_and_their_values_are_one() -> None:
    named = gradcheck_cli.check(ill(), batch(), fail_on="never", optimizer="adam", lr=1e-3)
    meant = gradcheck_cli.check(ill(), batch(), fail_on=FailOn.NEVER, optimizer=Optimizer.ADAM, lr=1)
    assert named.ok and meant.ok


def test_the_package_is_typed() -> None:
    assert resources.files("gradcheck_cli").joinpath("py.typed").is_file()


def test_importing_it_imports_no_torch() -> None:
    code = "import sys, gradcheck_cli; assert 'torch' not in sys.modules; gradcheck_cli.Report"
    subprocess.run([sys.executable, "-c", code], check=True)

"""The corpus holds the rules to their numbers: recall, causes, no false alarm, and invariance."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from gradcheck_cli import Report, check
from tests.corpus import CASES, Case
from tests.corpus.score import gradcheck, score

HEALTHY = [case for case in CASES if case.status == "healthy"]


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Wrapped(nn.Module):
    """The model under another name, one level deeper."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.renamed = model


def diagnosed(report: Report) -> list[tuple[str, str]]:
    return [(f.code, f.cause) for f in report.findings if f.severity.value != "note"]


def test_the_corpus_is_large_and_half_healthy():
    assert len(CASES) >= 100
    assert len(HEALTHY) >= len(CASES) / 2


def test_the_ill_are_caught_and_their_causes_named():
    numbers = score(gradcheck)
    assert numbers["recall"] >= 0.97
    assert numbers["cause"] >= 0.90


@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: case.name)
def test_no_healthy_model_raises_an_alarm(case: Case):
    model, batch, step = case.make()
    assert diagnosed(check(model, batch, step=step)) == []


@pytest.mark.parametrize("case", CASES[::4], ids=lambda case: case.name)
def test_the_verdict_does_not_depend_on_the_scale_of_the_loss_or_on_names(case: Case):
    model, batch, step = case.make()
    expected = diagnosed(check(model, batch, step=step))
    for scale in (1e-6, 1e6):
        torch.manual_seed(0)
        scaled = check(model, batch, step=lambda m, b, scale=scale: step(m, b) * scale)
        assert diagnosed(scaled) == expected, scale
    wrapped = check(Wrapped(model), batch, step=lambda m, b: step(m.renamed, b))
    assert diagnosed(wrapped) == expected

"""The corpus holds the rules to their numbers: recall, causes, no false alarm, and invariance."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_map

from gradcheck_cli import Report, check
from gradcheck_cli.errors import GradcheckError
from tests.corpus import CASES, Case
from tests.corpus.case import Built
from tests.corpus.checked import checked
from tests.corpus.score import Verdict, score

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


def judged(case: Case) -> Verdict:
    found = diagnosed(checked(case))
    return Verdict(bool(found), found[0][1] if found else "")


def test_the_ill_are_caught_and_their_causes_named():
    numbers = score(judged)
    assert numbers["recall"] >= 0.97
    assert numbers["cause"] >= 0.90


@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: case.name)
def test_no_healthy_model_raises_an_alarm(case: Case):
    assert diagnosed(checked(case)) == []


# --------------------------------------------------------------------------- invariances of THEORY.md section 4


def times(scale: float) -> Callable[[Built], Built]:
    return lambda built: (built[0], built[1], lambda m, b: built[2](m, b) * scale)


def wrapped(built: Built) -> Built:
    model, batch, step = built
    return Wrapped(model), batch, lambda m, b: step(m.renamed, b)


def repeated(built: Built) -> Built:
    model, batch, step = built
    return model, tree_map(lambda t: torch.cat([t, t]) if isinstance(t, torch.Tensor) and t.dim() else t, batch), step


def in_float64(built: Built) -> Built:
    model, batch, step = built

    def doubled(value: object) -> object:
        return value.double() if isinstance(value, torch.Tensor) and value.dtype == torch.float32 else value

    return model.double(), tree_map(doubled, batch), step


VARIANTS = {
    "loss x 1e-6": times(1e-6),
    "loss x 1e6": times(1e6),
    "sum for mean": times(64.0),  # a mean over n samples is their sum over n, whatever the loss
    "wrapped and renamed": wrapped,
    "batch repeated": repeated,
    "float64": in_float64,
}
# Where float32 itself saturates or overflows, float64 is another computation, and may well be healthy.
FLOAT32_ALONE = {"log_of_softmax", "minimax_generator", "softmax_by_hand", "vae_log_variance"}
# Where a precision ends, the scale of the loss is what the verdict is about; so it is where an option gives a learning
# rate, or lets training decide.
SCALED = {"chi_square_in_metres", "float16_with_a_sum", "float16_without_a_loss_scale"}
FREE = [case for case in CASES if case.name not in SCALED and not case.options]


def verdict(report: Report) -> list[tuple[str, str]]:
    """The causes found, with their family, and not the code: GC203 is GC201 over all layers."""
    return [(f.family.value, f.cause) for f in report.findings if f.severity.value != "note"]


@cache
def verdict_on(case: Case, variant: str) -> list[tuple[str, str]] | None:
    """The verdict on a case that is varied; None where it cannot be.

    A graph cannot be repeated, nor a loss that names its dtypes be run in another.
    """
    model, batch, step = VARIANTS[variant](case.make())
    torch.manual_seed(0)
    try:
        return verdict(check(model, batch, step=step))
    except GradcheckError:
        if variant not in ("batch repeated", "float64"):
            raise
        return None


def assert_invariant(case: Case, variant: str) -> None:
    varied = verdict_on(case, variant)
    if varied is not None and (variant != "float64" or case.name not in FLOAT32_ALONE):
        assert varied == verdict(checked(case))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("case", FREE[::6], ids=lambda case: case.name)
def test_the_verdict_is_invariant(case: Case, variant: str):
    assert_invariant(case, variant)


@pytest.mark.sweep
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("case", FREE, ids=lambda case: case.name)
def test_the_verdict_is_invariant_on_the_whole_corpus(case: Case, variant: str):
    assert_invariant(case, variant)


def test_most_cases_can_be_repeated_and_run_in_float64():
    runs = dict.fromkeys(("batch repeated", "float64"), 0)
    for case, variant in itertools.product(FREE[::6], runs):
        runs[variant] += verdict_on(case, variant) is not None
    assert min(runs.values()) >= 0.8 * len(FREE[::6])

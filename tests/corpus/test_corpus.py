"""The corpus holds the rules to their numbers: recall, causes, no false alarm, and invariance.

What is said of a model, which rules it shows and which remedies are named is asked here too, since a model is checked
once in a process and the tests of a file share theirs.
"""

from __future__ import annotations

import itertools
import json
import re
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_map

from gradcheck_cli import Report, check
from gradcheck_cli.errors import GradcheckError
from gradcheck_cli.rules import RULES, Rule
from tests.corpus import CASES, Case
from tests.corpus.applying import Called, cannot_apply
from tests.corpus.case import Built
from tests.corpus.checked import checked
from tests.corpus.score import Verdict, score
from tests.corpus.verdicts import RECORDED

HEALTHY = [case for case in CASES if case.status == "healthy"]
ILL = [case for case in CASES if case.status == "ill"]


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


# --------------------------------------------------------------------------- every rule fires, as it is recorded

WITHOUT_A_MODEL = {
    "GC611": "a threshold needs the norms of four batches, and a case has one",
    "GC620": "gradients drift from those of a baseline, which is a file of an earlier check",
}
"""Rules that no single model and batch can show, with the reason; their own tests make what they need."""
_VERDICTS: dict[str, Any] = json.loads(RECORDED.read_text(encoding="ascii"))


def shown_by(code: str) -> list[str]:
    """The cases in whose recorded verdict a rule is, those in which it is alone first."""
    found = {case.name: [f["code"] for f in _VERDICTS[f"corpus/{case.name}"]] for case in CASES}
    return sorted((name for name, codes in found.items() if code in codes), key=lambda name: len(found[name]))


@pytest.mark.parametrize("rule", [r for r in RULES if r.code not in WITHOUT_A_MODEL], ids=lambda rule: rule.code)
def test_every_rule_fires_on_a_model(rule: Rule) -> None:
    names = shown_by(rule.code)
    assert names, f"no case of the corpus shows {rule.code}"
    case = next(case for case in CASES if case.name == names[0])
    assert rule.code in [finding.code for finding in checked(case).findings]


@pytest.mark.parametrize("code", WITHOUT_A_MODEL)
def test_what_no_model_shows_is_no_longer_listed_once_one_does(code: str) -> None:
    assert shown_by(code) == []


# --------------------------------------------------------------------------- messages and remedies

_WITH_NOTES = ("dit_adaln_zero", "bayesian_personalised_ranking", "adapter_tuning", "stochastic_depth_skips_blocks")
CHOSEN = {case.causes: case for case in CASES} | {case.name: case for case in CASES if case.name in _WITH_NOTES}
UNREADABLE = re.compile(r"10\^|\de[+-]0|\de\+|\bnan\b|\binf\b|\breduction\b|\bother factors\b|\s\s")


@pytest.mark.parametrize("case", CHOSEN.values(), ids=lambda case: case.name)
def test_messages_read_as_sentences_and_quote_the_layers_they_name(case: Case) -> None:
    for found in checked(case).findings:
        assert found.message and found.why, found.code
        assert not UNREADABLE.search(f"{found.message} {found.why}")
        assert not found.message.endswith(".") and not found.message[0].isupper()
        unquoted = re.sub(r"`[^`]*`", "", found.message)
        assert not [name for name in found.layers if not name.isdigit() and re.search(_word(name), unquoted)]


def _word(name: str) -> str:
    return rf"(?<![\w.]){re.escape(name)}(?![\w.])"


@pytest.mark.parametrize("case", ILL, ids=lambda case: case.name)
def test_no_remedy_is_shown_that_cannot_apply(case: Case) -> None:
    model, batch, step = case.make()
    findings = [f for f in checked(case).findings if f.severity.value != "note"]
    called = Called(model)
    with called:
        step(model, batch)
    wrong = [(f.code, f.cause, r.id) for f in findings for r in f.remedies if cannot_apply(r, f, called, batch)]
    assert wrong == []
    assert all(f.remedies for f in findings)


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
TURNS = list(zip(FREE[::3], itertools.cycle(VARIANTS)))
"""Every third case in one variant, the variants taking turns; the sweep varies each case in all of them."""


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


@pytest.mark.parametrize(("case", "variant"), TURNS, ids=lambda each: getattr(each, "name", each))
def test_the_verdict_is_invariant(case: Case, variant: str):
    assert_invariant(case, variant)


@pytest.mark.sweep
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("case", FREE, ids=lambda case: case.name)
def test_the_verdict_is_invariant_on_the_whole_corpus(case: Case, variant: str):
    assert_invariant(case, variant)


def test_most_cases_can_be_repeated_and_run_in_float64():
    for variant in ("batch repeated", "float64"):
        ran = [verdict_on(case, each) is not None for case, each in TURNS if each == variant]
        assert sum(ran) >= 0.8 * len(ran) > 10

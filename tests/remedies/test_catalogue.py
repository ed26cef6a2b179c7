"""The catalogue: words that read well, sources, and trials that each row says there are."""

from __future__ import annotations

import re

import pytest

from gradcheck_cli.records.causes import CAUSES
from gradcheck_cli.records.traits import Trait
from gradcheck_cli.remedies import BY_CAUSE, ROWS, TrialKind, remedies_for
from gradcheck_cli.trials.recipes import HABITS
from gradcheck_cli.trials.remedyplans import PLANS

EVERYTHING = frozenset(Trait)
REMEDIES = [row.remedy for row in ROWS.values()]


@pytest.mark.parametrize("cause", BY_CAUSE)
def test_every_cause_has_a_remedy(cause: str) -> None:
    found = remedies_for(cause)
    assert found
    assert len({remedy.id for remedy in found}) == len(found)


@pytest.mark.parametrize("cause", [cause.name for cause in CAUSES.values() if cause.note])
def test_a_note_has_no_remedy(cause: str) -> None:
    assert remedies_for(cause) == ()


def test_each_row_says_how_its_remedy_is_tried() -> None:
    assert {name for name, row in ROWS.items() if row.tried is TrialKind.EDIT} == set(PLANS)
    assert {name for name, row in ROWS.items() if row.tried is TrialKind.TRAINING} == set(HABITS)


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.id)
def test_a_remedy_reads_well(remedy) -> None:
    assert len(remedy.title) <= 50
    assert remedy.detail.endswith(".")
    assert len(remedy.detail) <= 240
    assert "\n" not in remedy.code
    assert remedy.unless and not remedy.unless.endswith(".") and remedy.unless[0].islower()


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.id)
def test_a_remedy_has_a_source(remedy) -> None:
    year, page = re.search(r"\b(19|20)\d\d\b", remedy.source), re.search(r"https://\S+\Z", remedy.source)
    assert year or page
    assert all(re.fullmatch(r"\d{4}\.\d{4,5}", number) for number in re.findall(r"arXiv:([\d.]+\d)", remedy.source))


@pytest.mark.parametrize("cause", BY_CAUSE)
def test_what_is_shown_for_a_model_keeps_the_order_of_the_cause(cause: str) -> None:
    order = [remedy.id for remedy in remedies_for(cause)]
    for traits in (frozenset(), EVERYTHING, EVERYTHING - {Trait.VANISHING}):
        shown = [remedy.id for remedy in remedies_for(cause, traits=traits)]
        assert shown == [name for name in order if name in shown]


@pytest.mark.parametrize(
    ("cause", "traits", "shown", "hidden"),
    [
        ("residual-growth", (), (), "residual-scaling"),
        ("residual-growth", (Trait.RESIDUAL,), ("residual-scaling",), ""),
        ("gate-closed", (Trait.GATED, Trait.RECURRENT), ("forget-bias",), "lstm"),
        ("gate-closed", (Trait.GATED,), ("bias-init",), "forget-bias"),
        ("bptt-decay", (Trait.RECURRENT, Trait.PLAIN_RECURRENT), ("lstm", "gru"), "forget-bias"),
        ("log-zero", (Trait.REGRESSION,), ("clamp",), "log-softmax"),
        ("dead-relu", (Trait.RECTIFIED_OUTPUT,), ("softplus", "leaky-relu"), "lower-scale"),
        ("dead-relu", (Trait.VANISHING,), ("leaky-relu",), "lower-lr"),
        ("unknown", (Trait.HIDDEN, Trait.VANISHING), ("normalization", "residual"), "lower-lr"),
        ("unknown", (Trait.HIDDEN,), ("normalization", "residual", "lower-lr"), "clipping"),
        ("target-scale", (Trait.REGRESSION,), ("target-normalization",), ""),
        ("norm-depth", (), ("residual", "init", "normalization", "warmup", "lower-lr"), ""),
        ("saturated-output", (Trait.VANISHING,), ("scale-logits",), "input-normalization"),
        (
            "saturated-output",
            (Trait.BINARY, Trait.FLOATING_INPUTS, Trait.LARGE_INPUTS),
            ("log-softmax", "scale-logits", "input-normalization"),
            "",
        ),
    ],
)
def test_remedies_are_those_that_the_model_has_something_for(
    cause: str, traits: tuple[Trait, ...], shown: tuple[str, ...], hidden: str
) -> None:
    found = [remedy.id for remedy in remedies_for(cause, traits=frozenset(traits))]
    assert tuple(found[: len(shown)]) == shown
    assert hidden not in found


def test_the_line_to_paste_is_for_the_loss_of_the_model() -> None:
    codes = [remedies_for("log-zero", traits=frozenset((t,)))[0].code for t in (Trait.CROSS_ENTROPY, Trait.BINARY)]
    assert "F.cross_entropy" in codes[0] and "binary_cross_entropy_with_logits" in codes[1]

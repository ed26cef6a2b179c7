from __future__ import annotations

import re

import pytest

from gradcheck_cli.remedies import BY_CAUSE, CATALOGUE, NOTE_CAUSES, remedies_for

CAUSES = """
saturating-activation saturated-output saturated-loss softmax-saturation small-init large-init depth
input-scale target-scale loss-scale residual-growth residual-scale recurrent-gain bptt-decay gate-closed
dead-relu graph-cut non-differentiable-op double-softmax single-element-softmax single-element-norm
masked-loss sum-aggregation small-denominator exp-overflow log-zero log-negative sqrt-zero pow-domain
acos-boundary zero-div-zero zero-times-inf where-trap masked-softmax-row logsumexp-neginf empty-reduction
degenerate-eigenvalues zero-variance ctc-infeasible nan-input inf-input nan-parameter custom-backward
fp16-overflow fp16-underflow lr-too-high lr-too-low drift
""".split()

REMEDY_IDS = """
relu leaky-relu gelu init orthogonal-init bias-init forget-bias normalization remove-norm residual
residual-scaling lstm gru attention clipping weight-decay l1 lower-lr warmup fewer-layers
input-normalization target-normalization scale-logits loss-scaling bf16 fp32 eps clamp double-where
mask-fix drop-empty log-softmax remove-softmax softmax-dim xlogy softplus remove-detach differentiable-op
straight-through fix-backward loss-fix mean-aggregation variance-floor data-cleaning input-check
weight-check zero-infinity jitter batch-size raise-lr identity-recurrence update-baseline
""".split()


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_has_a_remedy(cause: str) -> None:
    found = remedies_for(cause)
    assert found
    assert len({remedy.id for remedy in found}) == len(found)


@pytest.mark.parametrize("cause", sorted(NOTE_CAUSES))
def test_a_note_has_no_remedy(cause: str) -> None:
    assert remedies_for(cause) == ()


def test_the_causes_are_those_of_the_design() -> None:
    assert set(BY_CAUSE) == set(CAUSES)


def test_the_ids_are_those_of_the_design_and_all_are_used() -> None:
    assert set(CATALOGUE) == set(REMEDY_IDS)
    assert {name for ids in BY_CAUSE.values() for name in ids} == set(REMEDY_IDS)


@pytest.mark.parametrize("remedy", CATALOGUE.values(), ids=lambda remedy: remedy.id)
def test_a_remedy_reads_well(remedy) -> None:
    assert len(remedy.title) <= 50
    assert remedy.detail.endswith(".")
    assert len(remedy.detail) <= 240
    assert "\n" not in remedy.code
    assert remedy.unless and not remedy.unless.endswith(".") and remedy.unless[0].islower()


@pytest.mark.parametrize("remedy", CATALOGUE.values(), ids=lambda remedy: remedy.id)
def test_a_remedy_has_a_source(remedy) -> None:
    year, page = re.search(r"\b(19|20)\d\d\b", remedy.source), re.search(r"https://\S+\Z", remedy.source)
    assert year or page
    assert all(re.fullmatch(r"\d{4}\.\d{4,5}", number) for number in re.findall(r"arXiv:([\d.]+\d)", remedy.source))


def test_every_cause_of_every_rule_is_known() -> None:
    rules = pytest.importorskip("gradcheck_cli.rules").RULES
    named = {cause for rule in rules for cause in rule.causes}
    assert named <= set(BY_CAUSE) | NOTE_CAUSES

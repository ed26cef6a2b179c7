"""Which guards there are for a remedy, and what becomes of a finding whose remedies were carried out."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.guard import Carried
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.traits import Trait
from gradcheck_cli.remedies import carried_into, ladders_for, remedies_for
from gradcheck_cli.remedies.guards import guards_for, without_softmax


def finding(op: str, cause: str, code: str, **fields: object) -> Finding:
    made = Finding(
        code="GC103",
        rule="nonfinite-forward",
        family=Family.NONFINITE,
        severity=Severity.ERROR,
        layers=(),
        cause=cause,
        message="",
        op=op,
        source=SourceLine(file="loss.py", line=3, code=code),
        evidence={},
        remedies=tuple(sorted(remedies_for(cause), key=lambda r: r.id == "log-softmax")),
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def test_the_condition_of_a_double_where_is_the_domain_of_the_op_and_chooses_outside_too() -> None:
    lines = [guard.line for guard in guards_for("double-where", "sqrt", "sqrt-zero", "y = x.sqrt()")]
    assert lines[0] == "ok = x > 0; y = torch.where(ok, torch.where(ok, x, 1.0).sqrt(), 0.0)"
    (first, *_) = guards_for("double-where", "div", "where-trap", "y = a / z")
    assert first.chosen == "z != 0".replace("z", "x")  # what is below 0 stays as it is


@pytest.mark.parametrize(
    ("remedy", "op", "cause", "code"),
    [
        ("clamp", "pow", "exp-overflow", "y = x ** 8"),  # a floor is no help
        ("clamp", "log", "log-zero", "y = model(x)"),
        ("bf16", "log", "log-zero", "y = x.log()"),
    ],
)
def test_there_is_no_guard_that_is_no_help(remedy: str, op: str, cause: str, code: str) -> None:
    assert guards_for(remedy, op, cause, code) == ()


def test_what_cured_comes_first_and_what_did_not_is_left_out() -> None:
    sick = finding("log", "log-negative", "y = x.log()")
    ladders = ladders_for(sick)
    assert set(ladders) == {"clamp", "double-where"}
    good = Carried(guard=ladders["double-where"][1], loss=0.5, seen=True)
    told = carried_into(sick, ladders, {"clamp": Carried(guard=None, loss=0.0, seen=True), "double-where": good})
    assert [r.id for r in told.remedies] == ["double-where", "softplus", "data-cleaning"]
    assert told.remedies[0].code == ladders["double-where"][1].line
    assert told.remedies[0].trial.outcome == "fixed" and "carried out" in told.remedies[0].trial.note


def test_what_could_not_be_carried_out_is_told_as_untried() -> None:
    sick = finding("log", "log-negative", "y = x.log()")
    told = carried_into(sick, ladders_for(sick), {})
    assert [(r.id, r.trial.outcome) for r in told.remedies][:2] == [
        ("clamp", "not-tried"),
        ("double-where", "not-tried"),
    ]
    assert "untried" in told.remedies[0].trial.note


def test_where_nothing_cures_the_remedies_are_kept_and_say_so() -> None:
    sick = finding("acos", "acos-boundary", "y = torch.acos(x)")
    failed = Carried(guard=None, loss=0.0, seen=True)
    told = carried_into(sick, ladders_for(sick), {"clamp": failed, "double-where": failed})
    assert [r.id for r in told.remedies] == ["clamp", "double-where"]
    assert all("does not cure" in r.trial.note for r in told.remedies)


def test_an_op_inside_of_a_library_gets_no_line_that_the_user_does_not_have() -> None:
    sick = finding("xlogy", "log-zero", "loss = dist.log_prob(action).mean()")
    told = carried_into(sick, ladders_for(sick), {})
    assert told.remedies[0].id == "clamp"
    assert "before log_prob" in told.remedies[0].code and "untried" in told.remedies[0].trial.note


def test_a_weight_that_is_normalised_is_to_be_initialised() -> None:
    layers = ("table.parametrizations.weight.0",)
    told = carried_into(finding("div", "zero-div-zero", "e = self.table(x)", layers=layers), {}, {})
    assert told.remedies[0].id == "init"
    told = carried_into(finding("div", "zero-div-zero", "e = a / b"), {}, {})
    assert "init" not in [r.id for r in told.remedies]


def test_advice_that_means_nothing_to_the_op_is_left_out() -> None:
    told = carried_into(finding("cumprod", "exp-overflow", "y = x.cumprod(0)"), {}, {})
    assert not {"clamp", "log-softmax", "softmax"} & {r.id for r in told.remedies}


def test_a_buffer_is_filled_where_the_users_line_reads_it() -> None:
    read = finding("mm", "nan-parameter", "return weight @ self.store", evidence={"buffer": "memory.store"})
    (first, *_) = carried_into(read, {}, {}).remedies
    assert (first.id, first.code) == ("data-cleaning", "return weight @ torch.nan_to_num(self.store)")
    elsewhere = finding("batch_norm", "nan-parameter", "h = self.bn(h)", evidence={"buffer": "bn.running_mean"})
    assert carried_into(elsewhere, {}, {}).remedies[0].id == "weight-check"


def test_memory_that_was_never_set_is_no_weight_that_a_checkpoint_brings_back() -> None:
    sick = finding("new_empty", "nan-parameter", "block = flat.new_empty(n, m)")
    ladder = ladders_for(sick)
    told = carried_into(sick, ladder, {"init": Carried(guard=ladder["init"][0], loss=1.0, seen=True)})
    assert [(r.id, r.code) for r in told.remedies] == [("init", "block = flat.new_empty(n, m).zero_()")]


def test_a_mask_of_minus_infinity_inside_a_library_is_to_be_finite_and_not_clamped() -> None:
    code = "return kl_divergence(new, old).mean()"
    sick = finding("sub", "where-trap", code, evidence={"smallest_input": -math.inf, "largest_input": 0.0})
    told = carried_into(sick, ladders_for(sick), {})
    assert [r.id for r in told.remedies] == ["finite-min", "double-where"]


@pytest.mark.parametrize(
    ("op", "code", "ids"),
    [
        ("embedding_bag", "y = F.embedding_bag(i, w)", ["input-normalization"]),
        ("layer_norm", "y = self.norm(x)", ["input-normalization"]),
        ("scaled_dot_product_attention", "y = self.attend(x)", ["scale-logits", "input-normalization"]),
        ("linalg_det", "y = torch.linalg.det(x)", ["input-normalization", "slogdet"]),
    ],
)
def test_what_overflows_without_an_exp_gets_no_advice_about_one(op: str, code: str, ids: list[str]) -> None:
    sick, meant = finding(op, "exp-overflow", code), remedies_for("exp-overflow", _TRAITS)
    sick = replace(sick, remedies=tuple(remedy for remedy in sick.remedies if remedy in meant))
    assert [r.id for r in carried_into(sick, {}, {}).remedies] == ids


_TRAITS = frozenset((Trait.FLOATING_INPUTS, Trait.OTHER_LOSS))


def test_a_normalisation_is_told_its_eps() -> None:
    told = carried_into(finding("layer_norm", "zero-variance", "y = self.norm(x)"), {}, {})
    assert (told.remedies[0].id, told.remedies[0].code) == ("variance-floor", "eps=1e-5  # to the normalisation")


def test_advice_about_a_softmax_is_left_out_where_none_is_near() -> None:
    remedies = finding("exp", "exp-overflow", "").remedies
    assert {"softmax", "log-softmax", "scale-logits"} <= {r.id for r in remedies}
    kept = [r.id for r in without_softmax(remedies, "std = torch.exp(0.5 * logvar)")]
    assert kept[:2] == ["clamp", "softplus"] and not {"softmax", "log-softmax", "scale-logits"} & set(kept)
    assert without_softmax(remedies, "p = torch.exp(logits)") == remedies

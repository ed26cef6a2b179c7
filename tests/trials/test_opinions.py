"""Suspicions decided by training: refuted, confirmed, undecided and not tried, on whole checks and on a bench."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

import gradcheck_cli
from gradcheck_cli import pipeline, trials
from gradcheck_cli.evidence import Evidence
from gradcheck_cli.records.choices import About, Decision, Severity, Status
from gradcheck_cli.records.report import Finding, Opinion, Report
from gradcheck_cli.reports.jsonfile import read_saved, render_report
from gradcheck_cli.reports.style import Style
from gradcheck_cli.rules.rule import Diagnosis, Rule
from gradcheck_cli.trials import budget, edittrials
from gradcheck_cli.trials.budget import Budget, OutOfBudget
from gradcheck_cli.trials.opinions import Opinions, decided
from tests.corpus import CASES
from tests.trials.contexts import bench_of, finding, step_of

BY_NAME = {case.name: case for case in CASES}
JUDGE = importlib.import_module("gradcheck_cli.rules.judge")
Doubt = Callable[[About], None]


def doubting(rule: Rule, about: About) -> Rule:
    """A rule all of whose findings are suspicions."""

    def check(evidence: Evidence) -> Iterator[Diagnosis]:
        return (replace(diagnosis, doubt=about) for diagnosis in rule.check(evidence))

    return replace(rule, check=check)


def doubted(about: About) -> tuple[Rule, ...]:
    return tuple(doubting(rule, about) if rule.triable else rule for rule in JUDGE.RULES)


@pytest.fixture
def doubt(monkeypatch: pytest.MonkeyPatch) -> Doubt:
    """Makes a suspicion of whatever a rule with triable remedies finds."""

    def patch(about: About) -> None:
        monkeypatch.setattr(JUDGE, "RULES", doubted(about))

    return patch


def checked(name: str, passes: int = 800) -> Report:
    model, batch, step = BY_NAME[name].make()
    return gradcheck_cli.check(model, batch, step=step, try_budget=passes)


@cache
def confirmed() -> Report:
    """The report on a model of which all that is found is a suspicion."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JUDGE, "RULES", doubted(About.WHOLE))
        return checked("dead_relu_bias")


def opinion_of(found: Finding) -> Opinion:
    assert found.opinion is not None
    return found.opinion


def suspicion(about: About = About.WHOLE, **fields: object) -> Finding:
    return finding(severity=Severity.NOTE, opinion=Opinion(about=about, severity=Severity.ERROR), **fields)


# -- whole checks


def test_what_looks_ill_and_trains_is_refuted_and_healthy(doubt: Doubt) -> None:
    doubt(About.WHOLE)
    report = checked("small_init_mlp")
    assert (report.status, report.exit_code) == (Status.HEALTHY, 0)
    assert {layer.status for layer in report.layers} == {"ok"}
    for found in report.findings:
        assert (found.severity, found.remedies, opinion_of(found).decision) == (Severity.NOTE, (), Decision.REFUTED)
        assert opinion_of(found).told.startswith(
            "looks extreme at the start, and trains: 100 steps of Adam(0.001) take the loss from 2.3 to 1."
        )


def test_what_trains_only_with_its_remedy_is_confirmed_and_ill() -> None:
    report = confirmed()
    found = report.findings[0]
    assert (report.status, report.exit_code, found.severity) == (Status.ILL, 1, Severity.ERROR)
    assert opinion_of(found).decision is Decision.CONFIRMED
    assert all(layer.status == found.code for layer in report.layers if layer.path in found.layers)
    assert opinion_of(found).told.startswith(
        "100 steps of Adam(0.001) end at a loss of 2.3 (one answer for all costs 2.3)"
    )
    assert f"with `{found.remedies[0].title}` at 0.0" in opinion_of(found).told
    assert found.remedies[0].trial.outcome == "fixed"


def test_where_no_remedy_helps_nothing_is_decided(doubt: Doubt, monkeypatch: pytest.MonkeyPatch) -> None:
    doubt(About.WHOLE)
    monkeypatch.setattr(pipeline, "remedies_for", lambda *args: ())
    report = checked("dead_relu_bias")
    opinion = opinion_of(report.findings[0])
    assert (report.status, report.exit_code, opinion.decision) == (Status.HEALTHY, 0, Decision.UNDECIDED)
    assert opinion.told.endswith("; no remedy that was tried helps")
    assert (
        "of Adam(0.001) end at a loss of 2.3 (" in opinion.told
        and "of SGD(0.01) end at a loss of 2.3 (" in opinion.told
    )


@pytest.mark.parametrize(
    ("passes", "told"),
    [
        (0, "not tried; --try-budget decides"),
        (20, "too large to try in 20 passes; --try-budget decides"),
        (150, "too large to try in 150 passes; --try-budget decides"),
        (300, "too large to try in 300 passes; --try-budget decides"),
    ],
)
def test_what_is_not_tried_is_no_illness(doubt: Doubt, passes: int, told: str) -> None:
    doubt(About.WHOLE)
    report = checked("dead_relu_bias", passes)
    opinion = opinion_of(report.findings[0])
    assert (report.status, report.exit_code, opinion.decision) == (Status.HEALTHY, 0, Decision.NOT_TRIED)
    assert opinion.told == told


def test_a_model_too_large_to_copy_is_no_illness(doubt: Doubt, monkeypatch: pytest.MonkeyPatch) -> None:
    doubt(About.WHOLE)
    monkeypatch.setattr(budget, "LARGEST", 1000)
    report = checked("dead_relu_bias")
    assert report.exit_code == 0 and "a copy of the model takes" in opinion_of(report.findings[0]).told


def test_a_clock_that_strikes_is_told(doubt: Doubt, monkeypatch: pytest.MonkeyPatch) -> None:
    doubt(About.WHOLE)
    monkeypatch.setattr(trials, "Budget", lambda passes: Budget(passes, clock=0.0))
    told = opinion_of(checked("dead_relu_bias").findings[0]).told
    assert told == "the clock ended the trials after 0 s: another run may decide"


def test_an_interrupt_keeps_the_suspicion(doubt: Doubt, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object) -> object:
        raise KeyboardInterrupt

    doubt(About.WHOLE)
    monkeypatch.setattr(edittrials, "plan", interrupted)
    report = checked("dead_relu_bias")
    assert report.exit_code == 0 and "the trials of remedies were interrupted" in report.notes
    assert opinion_of(report.findings[0]).told == "the trials did not come to it"


def test_a_step_that_raises_on_a_trained_copy_is_told(doubt: Doubt) -> None:
    doubt(About.WHOLE)
    model, batch, step = BY_NAME["dead_relu_bias"].make()
    taken = itertools.count()

    def failing(model: nn.Module, batch: object) -> torch.Tensor:
        if next(taken) > 50:
            raise ValueError("enough")
        return step(model, batch)

    report = gradcheck_cli.check(model, batch, step=failing, try_budget=800)
    opinion = opinion_of(report.findings[0])
    assert (report.exit_code, opinion.decision) == (0, Decision.UNDECIDED)
    assert opinion.told == "training it ends in ValueError: enough"


def test_a_part_that_stays_shut_is_confirmed(doubt: Doubt) -> None:
    doubt(About.PART)
    report = checked("dead_relu_bias")
    found = report.findings[0]
    assert (report.exit_code, found.severity, opinion_of(found).decision) == (1, Severity.ERROR, Decision.CONFIRMED)
    assert opinion_of(found).told.startswith("stays shut: 100 steps of Adam(0.001) move its weights by 0.00%")
    assert found.remedies[0].trial.outcome == "fixed", "remedies are tried as for any other illness"


def test_two_runs_come_to_the_same(doubt: Doubt) -> None:
    doubt(About.WHOLE)
    first, second = confirmed(), checked("dead_relu_bias")
    assert (first.findings, first.layers) == (second.findings, second.layers)


@pytest.mark.parametrize("about", About)
def test_the_model_comes_back_as_it_was(doubt: Doubt, about: About) -> None:
    doubt(about)
    model, batch, step = BY_NAME["dead_relu_bias"].make()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state, attributes = torch.get_rng_state(), [set(vars(m)) for m in model.modules()]
    gradcheck_cli.check(model, batch, step=step, try_budget=800)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [set(vars(m)) for m in model.modules()] == attributes and all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_report_with_an_opinion_is_read_back(doubt: Doubt, tmp_path: Path) -> None:
    doubt(About.WHOLE)
    report = checked("dead_relu_bias", 20)
    saved = tmp_path / "report.json"
    saved.write_text(render_report(report, Style()), encoding="utf-8")
    read = read_saved(saved)
    assert [f.opinion for f in read.findings] == [f.opinion for f in report.findings]
    assert opinion_of(read.findings[0]).told.startswith("too large")


# -- on a bench


def regression(scale: float = 1.0) -> tuple[nn.Module, tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(0)
    x = torch.randn(32, 4)
    return nn.Linear(4, 1), (x, scale * x.sum(1, keepdim=True))


def test_what_learns_under_sgd_alone_is_told_as_that() -> None:
    model, batch = regression(scale=100.0)  # far for steps of a thousandth
    found = Opinions(bench_of(step_of(model, batch), keeps=True)).untreated(suspicion())
    opinion = opinion_of(found)
    assert opinion.decision is Decision.REFUTED and "of SGD(0.01) take the loss from" in opinion.told
    assert opinion.told.endswith("; it does not learn under Adam(0.001)")


@pytest.mark.parametrize(("lr", "decision"), [(0.1, Decision.REFUTED), (1e-6, Decision.NOT_TRIED)])
def test_with_a_rate_of_the_users_it_alone_decides(lr: float, decision: Decision) -> None:
    model, batch = regression()
    bench = bench_of(step_of(model, batch), lr=lr, passes=104, keeps=True)
    found = Opinions(bench).untreated(suspicion())
    assert opinion_of(found).decision is decision
    assert not bench.budget.take(1), "100 steps, and 2 passes before and after"


def test_what_a_copy_learns_is_found_once_for_all_suspicions() -> None:
    model, batch = regression(scale=100.0)
    bench = bench_of(step_of(model, batch), passes=206, keeps=True)
    opinions = Opinions(bench)
    first, second = opinions.untreated(suspicion()), opinions.untreated(suspicion(code="GC203"))
    assert opinion_of(first) == opinion_of(second) and not bench.budget.take(1)


def test_without_a_chance_nothing_is_decided_nor_trained() -> None:
    model, batch = regression()
    bench = replace(bench_of(step_of(model, batch), passes=2, keeps=True), chance=lambda step: None)
    opinion = opinion_of(Opinions(bench).untreated(suspicion()))
    assert opinion.decision is Decision.UNDECIDED
    assert opinion.told == "what one answer for every sample costs cannot be had here"


def test_passes_that_are_not_left_are_raised() -> None:
    model, batch = regression()
    for passes in (1, 2, 101, 103):
        with pytest.raises(OutOfBudget):
            Opinions(bench_of(step_of(model, batch), passes=passes, keeps=True)).untreated(suspicion())


def test_a_part_that_training_cannot_tell_of_is_undecided() -> None:
    model, batch = regression()
    opinion = opinion_of(Opinions(bench_of(step_of(model, batch), keeps=True)).untreated(suspicion(About.PART)))
    assert (opinion.decision, opinion.told) == (Decision.UNDECIDED, "no layer of it is trained")


@pytest.mark.parametrize("decision", Decision)
def test_only_what_is_confirmed_is_as_grave_as_it_says(decision: Decision) -> None:
    found = decided(suspicion(), decision, "why")
    grave = decision is Decision.CONFIRMED
    assert found.severity is (Severity.ERROR if grave else Severity.NOTE)
    assert opinion_of(found) == Opinion(about=About.WHOLE, severity=Severity.ERROR, decision=decision, told="why")

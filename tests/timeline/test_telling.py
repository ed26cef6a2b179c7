import math
from dataclasses import replace

import pytest

from gradcheck_cli.records.apart import Apart, Kind
from gradcheck_cli.records.choices import Decision, Family, Severity, Status
from gradcheck_cli.records.raterise import RateRise
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import LayerSample, Without
from gradcheck_cli.records.spec import RuleWaiver
from gradcheck_cli.records.timeline import Alarm, AlarmKind, Diagnosed, Outcome, Raised, Replay, Why
from gradcheck_cli.rules import standing_out
from gradcheck_cli.timeline.events import AlarmEvent, events_of
from gradcheck_cli.timeline.telling import alarm_of, first_judged
from tests.timeline.sessions import (
    BACKWARD,
    NAN,
    SPIKE,
    Session,
    blown,
    ddp,
    entry,
    exploding,
    falling,
    finding,
    judged,
    nan,
    process,
    raised,
    recovered,
    step_report,
    suspicion,
    vitals,
)

OPTIONS = RunOptions(command=("train.py",))


def alarm(session: Session, options: RunOptions = OPTIONS, began: tuple[Finding, ...] = ()) -> Alarm:
    (event,) = events_of(session.processes, session.judge, 5)
    return alarm_of(event, began, options)


def of(alarm_: object, *findings: Finding, outcome: Outcome = Outcome.CONFIRMED, **changes: object) -> Session:
    made = process(raised=(entry(alarm_, *findings, **changes),))  # type: ignore[arg-type]
    return Session((made,), (judged(alarm_, outcome),))  # type: ignore[arg-type]


def test_an_alarm_names_the_cause_that_its_step_shows_and_its_cure() -> None:
    told = alarm(nan())
    own, origin = told.report.findings
    assert (own.code, own.rule, own.family, own.severity) == ("GC630", "nonfinite", Family.NONFINITE, Severity.ERROR)
    assert own.cause == origin.cause == "sqrt-zero"
    assert own.remedies == origin.remedies
    assert own.source == told.source == BACKWARD
    assert own.why == (
        "nothing was finite in the 87 steps after it; row 6 of the batch carries it; the step was repeated exactly"
    )
    assert (told.samples, told.replay, told.step, told.last_step) == ((6,), Replay.EXACT, 73, 160)
    assert (told.report.status, told.report.exit_code) == (Status.ILL, 1)
    assert told.report.layers[0].status == "GC104"


def test_which_rank_made_it_is_said() -> None:
    told = alarm(ddp())
    assert told.rank == 1
    assert told.message.endswith("(made on rank 1; the all-reduce brought it to rank 0)")
    assert told.report.findings[0].message == told.message


@pytest.mark.parametrize(
    ("kind", "cause", "remedy"),
    [
        (AlarmKind.NONFINITE, "unknown", None),
        (AlarmKind.LOSS_SPIKE, "lr-too-high", "lower-lr"),
        (AlarmKind.GRAD_SPIKE, "grad-spike", "clipping"),
        (AlarmKind.DIVERGING, "lr-too-high", "lower-lr"),
        (AlarmKind.OVERFLOW, "fp16-overflow", "bf16"),
        (AlarmKind.SCALE_COLLAPSE, "fp16-overflow", "bf16"),
    ],
)
def test_where_the_step_shows_no_cause_the_kind_names_it(kind: AlarmKind, cause: str, remedy: str | None) -> None:
    (own,) = alarm(of(replace(NAN, kind=kind))).report.findings
    ids = [each.id for each in own.remedies]
    assert (own.cause, ids[0] if ids else None) == (cause, remedy)
    assert "loss-scaling" not in ids


@pytest.mark.parametrize("outcome", [Outcome.RECOVERED, Outcome.OPEN])
def test_what_the_run_came_back_from_is_a_note_with_all_that_its_step_shows(outcome: Outcome) -> None:
    session = recovered()
    kept = replace(session, verdicts=(replace(session.verdicts[0], outcome=outcome),))
    told = alarm(kept)
    own, shown = told.report.findings
    assert {own.severity, shown.severity} == {Severity.NOTE}
    assert own.remedies == shown.remedies == ()
    assert shown.opinion is not None
    assert shown.opinion.decision is (Decision.REFUTED if outcome is Outcome.RECOVERED else Decision.UNDECIDED)
    assert shown.opinion.told.endswith(": the loss was back at 0.5 within 4 steps")
    assert (told.report.status, told.report.exit_code) == (Status.HEALTHY, 0)
    assert told.report.layers[0].status == "ok"


def test_the_layer_that_moved_before_the_loss_is_named() -> None:
    """Both layers waver by 10 %; from six steps before the alarm on the second one's gradient is a thousandfold."""
    wavers = {step: 1e-3 * (1 + 0.1 * math.sin(step)) for step in range(1, 81)}
    layers = tuple(
        LayerSample(step=step, relative_gradient={"0": value, "2": value * (1e3 if step >= 74 else 1)})
        for step, value in wavers.items()
    )
    made = process(raised=(entry(SPIKE),), layers=layers)
    own = alarm(Session((made,), (judged(SPIKE),))).report.findings[0]
    assert own.why.endswith("`2` moved first: |g|/|w| left its course 6 steps before the loss")
    assert (own.evidence["moved_first"], own.evidence["moved_at_step"]) == ("2", 74)
    stuck = raised(AlarmKind.STUCK, 80, "m", cause="stuck")
    made = process(raised=(entry(stuck),), layers=layers)
    assert "moved first" not in alarm(Session((made,), (judged(stuck),))).report.findings[0].why


def test_a_learning_rate_that_rose_just_before_is_told_and_its_peak_the_first_cure() -> None:
    rise = RateRise(first_step=20, first_rate=1e-3, last_step=70, last_rate=0.1)
    told = alarm(of(replace(SPIKE, kind=AlarmKind.DIVERGING, evidence={**SPIKE.evidence, **rise.evidence})))
    own = told.report.findings[0]
    assert own.why.startswith("the learning rate rose from 0.001 to 0.1 between steps 20 and 70; ")
    assert own.remedies[0].title == "a lower peak of the learning rate"
    assert "let the learning rate rise more slowly" in [each.title for each in own.remedies]


def test_a_rate_that_rose_is_no_reason_where_an_op_is_proven() -> None:
    rise = RateRise(first_step=20, first_rate=1e-3, last_step=70, last_rate=0.1)
    own = alarm(of(replace(NAN, evidence=rise.evidence), finding())).report.findings[0]
    assert "learning rate" not in own.why


def test_an_open_alarm_that_speaks_for_itself_stands() -> None:
    assert alarm(of(NAN, finding(), outcome=Outcome.OPEN)).report.findings[0].severity is Severity.ERROR
    assert alarm(of(SPIKE, outcome=Outcome.OPEN)).report.findings[0].severity is Severity.NOTE


def test_an_alarm_that_stands_confirms_the_suspicion_that_explains_it() -> None:
    recurrent = suspicion(code="GC302", rule="exploding-time", cause="recurrent-gain")
    own, shown = alarm(of(SPIKE, recurrent)).report.findings
    assert (own.cause, own.remedies) == ("recurrent-gain", recurrent.remedies)
    assert shown.severity is Severity.ERROR
    assert shown.opinion is not None and shown.opinion.decision is Decision.CONFIRMED


def test_a_finding_of_another_kind_explains_no_spike() -> None:
    dead = finding(code="GC403", family=Family.NO_GRADIENT, cause="dead-relu", severity=Severity.WARNING)
    own, shown = alarm(of(SPIKE, dead)).report.findings
    assert own.cause == "grad-spike"
    assert (shown.cause, shown.severity) == ("dead-relu", Severity.WARNING)


@pytest.mark.parametrize(
    ("replay", "told"),
    [
        (Replay.INEXACT, "repeated, but not exactly, so that no cause is named: 2 of 6 gradients differ"),
        (Replay.IMPOSSIBLE, "could not be repeated: 2 of 6 gradients differ"),
    ],
)
def test_a_step_that_was_not_repeated_exactly_names_no_cause(replay: Replay, told: str) -> None:
    session = of(NAN, finding(), replay=replay, reason="2 of 6 gradients differ")
    own, shown = alarm(session).report.findings
    assert (own.cause, own.severity, own.remedies) == ("unknown", Severity.ERROR, ())
    assert told in own.why
    assert shown.severity is Severity.NOTE


def test_a_step_that_was_not_repeated_has_a_report_all_the_same() -> None:
    told = alarm(of(NAN, report=None, replay=Replay.IMPOSSIBLE))
    assert (told.report.name, told.report.layers) == ("step 73", ())
    assert [each.code for each in told.report.findings] == ["GC630"]
    assert told.report.versions["torch"] == "2.9.0"


@pytest.mark.parametrize("ignore", ["GC630", "GC63", "nonfinite"])
def test_an_alarm_can_be_ignored(ignore: str) -> None:
    told = alarm(nan(), replace(OPTIONS, ignore=(ignore,)))
    assert [each.code for each in told.report.findings] == ["GC104"]
    assert told.report.hidden == 1


def test_an_alarm_can_be_waived() -> None:
    told = alarm(nan(), replace(OPTIONS, waivers=(RuleWaiver(rule="nonfinite", reason="known"),)))
    assert [(each.code, each.reason) for each in told.report.waived] == [("GC630", "known")]
    assert [each.code for each in told.report.findings] == ["GC104"]


def first(session: Session, *findings: Finding, **changes: object) -> tuple[Diagnosed, list[AlarmEvent]]:
    fields = {"step": 1, "why": Why.FIRST, "replay": Replay.EXACT, "report": step_report(*findings), **changes}
    events = events_of(session.processes, session.judge, 5)
    return first_judged(Diagnosed(**fields), session.processes[0], events, OPTIONS)  # type: ignore[arg-type]


def test_what_looked_extreme_at_the_start_is_a_note_where_the_run_learned() -> None:
    mild = exploding(evidence={})
    told, explains = first(Session((process(),)), mild, suspicion(evidence={}))
    assert explains == []
    assert [each.severity for each in told.report.findings] == [Severity.NOTE] * 2
    opinions = [each.opinion.told for each in told.report.findings if each.opinion]
    assert opinions == ["looked extreme at the start, and the run learned: 2.31 -> 0.139"] * 2
    assert (told.report.status, told.report.exit_code) == (Status.HEALTHY, 0)


def test_what_explodes_at_the_start_explains_a_run_that_blew_up() -> None:
    session = blown()
    told, explains = first(session, exploding(), suspicion())
    assert [event.judged.raised.step for event in explains] == [3]
    sure = [each for each in told.report.findings if each.opinion]
    assert [(each.severity, each.opinion.told) for each in sure if each.opinion] == [
        (Severity.ERROR, "the run blew up at step 3")
    ]
    report = alarm_of(explains[0], (exploding(),), OPTIONS).report
    assert [each.code for each in report.findings] == ["GC630", "GC301", "GC101"]
    assert report.findings[0].cause == "large-init"
    assert report.findings[0].remedies[0].id == "init"


def test_a_run_that_went_wrong_later_is_not_explained_by_its_start() -> None:
    told, explains = first(nan(), suspicion(evidence={}))
    assert explains == []
    (left,) = told.report.findings
    assert left.severity is Severity.NOTE
    assert left.opinion is not None
    assert left.opinion.told == "the run learned at first, 2.31 -> 0.136, and went wrong later"


def test_where_a_run_is_too_short_to_tell_findings_stay_as_a_check_has_them() -> None:
    short = Session((process(vitals=vitals(falling(5))),))
    told, _ = first(short, finding(), suspicion())
    stays, open_ = told.report.findings
    assert stays == finding()
    assert open_.severity is Severity.NOTE
    assert open_.opinion is not None and "too short to tell" in open_.opinion.told


def test_a_run_that_does_not_learn_confirms_nothing_by_that_alone() -> None:
    still = Session((process(vitals=vitals([0.694] * 200)),))
    told, _ = first(still, suspicion(evidence={}))
    assert told.report.findings[0].severity is Severity.NOTE
    assert told.report.status is Status.HEALTHY


@pytest.mark.parametrize("why", [Why.AT, Why.STEPS])
def test_a_step_that_was_asked_for_is_judged_as_a_check_judges(why: Why) -> None:
    told, explains = first(Session((process(),)), exploding(), why=why)
    assert (told.report, explains) == (step_report(exploding()), [])


def test_the_losses_of_the_same_optimiser_count() -> None:
    generator = vitals([0.7] * 160, optimizer=1)
    critic = vitals(falling(160))
    both = tuple(
        replace(vital, step=step)
        for step, vital in enumerate((v for pair in zip(critic, generator, strict=True) for v in pair), start=1)
    )
    session = Session((process(vitals=both),))
    assert first(session, exploding(evidence={}))[0].report.status is Status.HEALTHY
    assert first(session, exploding(evidence={}), step=2)[0].report.status is Status.ILL


def test_a_first_step_that_was_not_repeated_exactly_accuses_nobody() -> None:
    told, _ = first(Session((process(vitals=vitals(falling(5))),)), finding(), replay=Replay.INEXACT)
    assert told.report.findings[0].severity is Severity.NOTE


def test_evidence_and_place_are_the_alarms_own() -> None:
    later = raised(AlarmKind.GRAD_SPIKE, 80, "m", z=18.0)
    told = alarm(of(later, micro_batch=3, optimizer_step=20))
    assert (told.micro_batch, told.optimizer_step, told.evidence["z"]) == (3, 20, 18.0)


def test_a_fault_of_the_loop_is_told_by_its_own_row_with_its_line_and_cure() -> None:
    evidence = {"code": "GC650", "since": 2}
    fault = Raised(kind=AlarmKind.LOOP, step=4, optimizer=0, message="nothing clears them", evidence=evidence)
    told = alarm(of(fault, report=None, replay=Replay.IMPOSSIBLE))
    (finding_,) = told.report.findings
    assert (told.kind, told.report.status) == (AlarmKind.LOOP, Status.ILL)
    assert (finding_.code, finding_.rule, finding_.cause) == ("GC650", "never-cleared", "missing-zero-grad")
    assert finding_.source == BACKWARD
    assert finding_.why == (
        "each update then follows the sum of all gradients since the start: it overshoots, swings, or runs away; "
        "it has been so since step 2, by step 4 too often to be chance"
    )
    assert [remedy.id for remedy in finding_.remedies] == ["zero-grad"]


def test_a_fault_of_the_loop_that_has_passed_is_a_note_that_says_since_when() -> None:
    ignored = raised(AlarmKind.LOOP, 3, "other targets change nothing", code="GC680", since=3)  # type: ignore[arg-type]
    passed = replace(judged(ignored, Outcome.RECOVERED), told="at step 16 that was over")
    own = alarm(Session((process(raised=(entry(ignored),)),), (passed,))).report.findings[0]
    assert own.severity is Severity.NOTE and own.remedies == ()
    assert own.why.endswith("; at step 16 that was over")


def test_targets_that_change_nothing_are_cured_in_the_term_that_compares_them() -> None:
    ignored = raised(AlarmKind.LOOP, 3, "other targets change nothing", code="GC680", since=3)  # type: ignore[arg-type]
    (cure,) = alarm(of(ignored)).report.findings[0].remedies
    assert (cure.id, cure.title.partition(",")[0]) == (
        "loss-fix",
        "give the term that compares with the targets its weight",
    )


def test_updates_below_the_rounding_of_half_precision_are_cured_by_float32() -> None:
    for dtype, first_remedy in (("bfloat16", "fp32"), ("float32", "higher-lr")):
        evidence = {"code": "GC673", "since": 1, "dtype": dtype}
        fault = Raised(kind=AlarmKind.LOOP, step=10, optimizer=0, message="m", evidence=evidence)
        told = alarm(of(fault, report=None, replay=Replay.IMPOSSIBLE))
        assert told.report.findings[0].remedies[0].id == first_remedy


@pytest.mark.parametrize(
    ("evidence", "code"),
    [
        ({"code": "GC650"}, "optimizer.zero_grad()"),
        ({"code": "GC650", "updates": "by hand"}, "model.zero_grad()"),
        ({"code": "GC679"}, "DataLoader("),
        ({"code": "GC679", "batches_cut": "by hand"}, "order = torch.randperm("),
        ({"code": "GC663"}, "for x, y in loader"),
        ({"code": "GC664"}, "torch.manual_seed(0)"),
        ({"code": "GC661"}, "model.train()"),
        ({"code": "GC676"}, "kept = copy.deepcopy("),
        ({"code": "GC678"}, "print(target.unique("),
    ],
    ids=lambda each: str(each.get("code")) if isinstance(each, dict) else None,
)
def test_the_line_to_paste_fits_how_the_loop_is_written(evidence: dict[str, str | int], code: str) -> None:
    known = {**evidence, "since": 1}
    fault = Raised(kind=AlarmKind.LOOP, step=4, optimizer=0, message="m", evidence=known)
    (finding_,) = alarm(of(fault, report=None, replay=Replay.IMPOSSIBLE)).report.findings
    assert finding_.remedies[0].code.startswith(code)


def test_a_fault_of_the_loop_does_not_hide_that_the_run_learned() -> None:
    fault = Raised(kind=AlarmKind.LOOP, step=4, optimizer=0, message="m", evidence={"code": "GC661", "since": 1})
    made = replace(process(), raised=(entry(fault),))
    found, explains = first(Session((made,), (judged(fault),)), exploding(evidence={}))
    assert explains == []
    assert found.report.findings[0].severity is Severity.NOTE


def test_what_its_rows_alone_have_is_told_once_by_the_alarm() -> None:
    known = Apart(name="x", rows=(20,), kind=Kind.ABOVE, value=14538.0, others=0.8)
    sick = replace(finding(), why=f"its input is 774.6; {standing_out(known)}")
    own, shown = alarm(of(NAN, sick, samples=(20,), apart=known)).report.findings
    assert "; row 20 of the batch carries it; row 20 of `x` reaches 14,538 where" in own.why
    assert shown.why == "its input is 774.6"
    assert "reaches" not in alarm(of(NAN, finding(), samples=(20,))).report.findings[0].why


NEW = Apart(name="x", rows=(20,), kind=Kind.ABOVE, value=14538.0, others=2.1, batches=100)


def test_what_the_batches_before_had_not_is_told_in_place_of_what_the_others_have_not() -> None:
    known = replace(NEW, others=0.8, batches=0)
    (own,) = alarm(of(SPIKE, samples=(20,), apart=known, novel=NEW)).report.findings
    assert "row 20 of `x` reaches 14,538; the largest of the last 100 batches was 2.1" in own.why
    assert "the others' largest" not in own.why


def test_what_guilty_rows_do_to_a_step_is_told() -> None:
    without = Without(loss=40.0, norm=900.0, loss_left=0.5, norm_left=2.0)
    (own,) = alarm(of(SPIKE, samples=(20,), without=without)).report.findings
    assert "the others alone have a loss of 0.5 instead of 40, and a gradient norm of 2 instead of 900" in own.why


def test_rows_that_hold_what_no_batch_had_are_the_cause_of_a_jump_and_no_rate() -> None:
    def cause(**changes: object) -> str:
        jump = raised(AlarmKind.LOSS_SPIKE, 80, "the loss jumped")
        return alarm(of(jump, **changes)).report.findings[0].cause  # type: ignore[arg-type]

    assert cause(samples=(20,), novel=NEW) == "grad-spike"
    assert cause(samples=(20,)) == cause(samples=None, novel=NEW) == "lr-too-high"


def test_a_later_step_does_not_blame_how_the_weights_began() -> None:
    first = Diagnosed(step=1, why=Why.FIRST, replay=Replay.EXACT, report=step_report())
    made = process(raised=(entry(SPIKE, exploding()),), diagnosed=(first,))
    told = alarm(Session((made,), (judged(SPIKE, Outcome.CONFIRMED),)))
    assert [finding.cause for finding in told.report.findings] == ["lr-too-high", "lr-too-high"]

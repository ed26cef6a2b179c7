import math
from dataclasses import replace

import pytest

from gradcheck_cli.records.session import Process, Sample
from gradcheck_cli.records.timeline import AlarmKind, Outcome, Raised, Replay
from gradcheck_cli.timeline.events import AlarmEvent, events_of, of_one_job, rejudged
from tests.timeline.sessions import NAN, SPIKE, Session, ddp, entry, falling, finding, judged, nan, process, vitals


def events(session: Session, most: int = 5) -> tuple[AlarmEvent, ...]:
    return events_of(session.processes, session.judge, most)


def test_the_alarms_of_a_process_are_judged_by_its_vitals() -> None:
    losses = [*falling(72), *[math.nan] * 40]
    found = rejudged(process(vitals=vitals(losses)))
    assert [(each.raised.kind, each.raised.step, each.outcome) for each in found] == [
        (AlarmKind.NONFINITE, 73, Outcome.CONFIRMED)
    ]
    assert rejudged(process()) == ()


def test_an_alarm_is_matched_with_what_its_process_made_of_it() -> None:
    (event,) = events(nan())
    assert (event.entry.samples, event.entry.replay, event.among) == ((6,), Replay.EXACT, "")
    assert event.stands and event.shows_fault


@pytest.mark.parametrize(("most", "reason"), [(1, "--max-diagnoses"), (5, "the process ended before")])
def test_an_alarm_of_which_nothing_was_written(most: int, reason: str) -> None:
    made = process(raised=(entry(SPIKE),))
    found = events_of((made,), lambda each: (judged(SPIKE), judged(NAN)), most)
    assert [event.judged.raised.step for event in found] == [73, 80]
    assert found[0].entry.report is None
    assert found[0].entry.reason.startswith(reason)
    assert found[0].entry.optimizer_step == 73


def test_an_alarm_whose_vital_was_never_written_is_open() -> None:
    made = process(raised=(entry(NAN), entry(SPIKE)))
    found = {event.judged.raised.kind: event for event in events_of((made,), lambda each: (), 5)}
    assert {event.judged.outcome for event in found.values()} == {Outcome.OPEN}
    assert found[AlarmKind.NONFINITE].stands
    assert not found[AlarmKind.GRAD_SPIKE].stands


def test_of_several_ranks_the_one_whose_batch_did_it_is_told() -> None:
    (event,) = events(ddp())
    assert event.process.rank == 1
    assert event.entry.samples == (9,)
    assert event.among == "made on rank 1; the all-reduce brought it to rank 0"


def _ranked(world: int, ranks: int, **changes: object) -> Session:
    made = tuple(process(rank=rank, world=world, raised=(entry(NAN, **changes),)) for rank in range(ranks))
    return Session(made, (judged(NAN),))


@pytest.mark.parametrize(
    ("world", "ranks", "among"),
    [(3, 3, "on all 3 ranks"), (4, 3, "also on ranks 1, 2"), (2, 1, "")],
)
def test_where_no_rank_shows_it_alone_the_first_is_told(world: int, ranks: int, among: str) -> None:
    (event,) = events(_ranked(world, ranks))
    assert (event.process.rank, event.among) == (0, among)


def test_where_every_rank_shows_it_none_is_blamed() -> None:
    made = tuple(process(rank=rank, world=2, raised=(entry(NAN, finding()),)) for rank in range(2))
    (event,) = events(Session(made, (judged(NAN),)))
    assert (event.process.rank, event.among) == (0, "on all 2 ranks")


def test_a_rank_that_stayed_bad_is_told_before_one_that_shows_more() -> None:
    well = process(rank=0, world=2, raised=(entry(NAN, finding()),))
    bad = process(rank=1, world=2, raised=(entry(NAN),))
    outcomes = {0: Outcome.RECOVERED, 1: Outcome.CONFIRMED}
    (event,) = events_of((well, bad), lambda each: (judged(NAN, outcomes[each.rank], finding=False),), 5)
    assert event.process.rank == 1


def test_scripts_that_run_one_after_the_other_have_their_own_events() -> None:
    made = tuple(process(raised=(entry(NAN),)) for _ in range(2))
    assert len(events(Session(made, (judged(NAN),)))) == 2
    jobs = tuple(process(rank=rank, world=2, raised=(entry(NAN),)) for _ in range(2) for rank in range(2))
    assert [event.among for event in events(Session(jobs, (judged(NAN),)))] == ["on all 2 ranks"] * 2


def test_ranks_are_of_one_job() -> None:
    one = Process(pid=1)
    assert of_one_job(one, one)
    assert not of_one_job(one, Process(pid=2))
    assert of_one_job(replace(one, world=2), Process(pid=2, rank=1, world=2))


LOOP = Raised(kind=AlarmKind.LOOP, step=90, optimizer=0, message="m", evidence={"code": "GC650", "since": 88})


def test_faults_of_the_loop_stand_as_they_were_told_and_come_first() -> None:
    other = replace(LOOP, evidence={"code": "GC661", "since": 82})
    made = process(vitals=vitals([*falling(72), *[math.nan] * 40]), raised=(entry(LOOP), entry(other)))
    found = events_of((made,), rejudged, 5)
    assert [event.judged.raised.evidence.get("code") for event in found] == ["GC650", "GC661", None]
    assert [event.judged.outcome for event in found] == [Outcome.CONFIRMED] * 3
    assert [event.is_of_the_loop for event in found] == [True, True, False]


def test_a_fault_of_the_loop_on_all_ranks_is_told_once() -> None:
    made = tuple(process(rank=rank, world=2, raised=(entry(LOOP),)) for rank in range(2))
    (event,) = events_of(made, rejudged, 5)
    assert event.among == "on all 2 ranks"


@pytest.mark.parametrize(
    ("loss", "of_the_step", "before", "stands"),
    [
        (32.0, 32.0, (1.9, 1.8, 1.9), True),  # a model that was thrown off gives an answer that is as far off
        (32.0, 32.0, (), False),
        (32.0, 32.0, (40.0, 1.8, 40.0, 41.0), False),  # the last ones count
        (3.0, 32.0, (1.9, 1.8, 1.9), False),  # data that are harder, and a model that knows more than one answer
        (32.0, 1.9, (40.0, 40.0, 40.0), True),
        (32.0, None, (1.9,), False),
    ],
)
def test_an_open_spike_stands_where_the_loss_ends_worse_than_one_answer(
    loss: float, of_the_step: float | None, before: tuple[float, ...], stands: bool
) -> None:
    spike = replace(SPIKE, step=60, evidence={"loss": loss})
    losses = [*[1.8] * 59, *[12.0] * 20]
    samples = tuple(Sample(step=10 + place, loss=1.8, chance=chance) for place, chance in enumerate(before))
    late = Sample(step=70, loss=12.0, chance=0.1)
    made = process(vitals=vitals(losses), raised=(entry(spike, chance=of_the_step),), samples=(*samples, late))
    (event,) = events_of((made,), lambda _: (judged(spike, Outcome.OPEN, finding=False),), 5)
    assert event.judged.finding is stands


def test_what_one_answer_cost_before_says_nothing_in_a_game() -> None:
    spike = replace(SPIKE, step=60, evidence={"loss": 32.0})
    mine = vitals([*[1.8] * 59, *[12.0] * 20])
    theirs = replace(mine[0], optimizer=1)
    samples = tuple(Sample(step=10 + place, loss=1.8, chance=1.9) for place in range(3))
    made = process(vitals=(*mine, theirs), raised=(entry(spike, chance=32.0),), samples=samples)
    (event,) = events_of((made,), lambda _: (judged(spike, Outcome.OPEN, finding=False),), 5)
    assert not event.judged.finding

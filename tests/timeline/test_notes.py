from dataclasses import replace

from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Cost, Process, RaisedEntry, Sample, Stopped
from gradcheck_cli.records.timeline import AlarmKind, Diagnosed, Raised, Replay, Why
from gradcheck_cli.timeline.notes import notes_of
from tests.timeline.sessions import falling, process, step_report, vitals

OPTIONS = RunOptions(command=("train.py",))


def notes(*processes: Process, options: RunOptions = OPTIONS) -> tuple[str, ...]:
    return notes_of(processes, [each for each in processes if each.vitals], options)


def test_a_run_with_nothing_to_say() -> None:
    assert notes(process()) == ()


def test_a_run_in_which_no_step_was_seen_says_where_to_look() -> None:
    (told,) = notes()
    assert told.startswith("no step was seen: no process made a backward pass")
    assert "python -I" in told
    (told,) = notes(process(vitals=()))
    assert "a backward pass began" in told


def test_notes_of_all_ranks_are_said_once_and_those_of_some_with_their_number() -> None:
    ranks = [process(rank=rank, world=2, notes=("budget kept", *([f"only {rank}"] * rank))) for rank in range(2)]
    assert notes(*ranks) == ("budget kept", "rank 1: only 1")


def test_a_watcher_that_stepped_aside_is_told_once() -> None:
    assert notes(process(aside="no tape")) == ("the watcher stepped aside: no tape",)
    assert notes(process(aside="no tape", vitals=())) == ()  # it is the run's error


def test_a_loss_that_still_falls_at_the_end_is_told_of_one_objective_alone() -> None:
    falls = vitals([1.0 - step / 500 for step in range(300)])
    (told,) = notes(process(vitals=falls))
    assert told == "the loss was still falling by 36% in 100 steps when the script ended: more steps would lower it"
    players = (*falls, *(replace(each, step=each.step + 300, optimizer=1) for each in falls))
    assert notes(process(vitals=players)) == ()
    stopped = notes(process(vitals=falls, stopped=Stopped(step=300, why="steps")))
    assert len(stopped) == 1 and "still falling" not in stopped[0]


def test_a_loss_that_never_came_below_chance_is_told_unless_an_alarm_tells_it() -> None:
    level = vitals([1.0] * 100)
    samples = tuple(Sample(step=10 * i, loss=4.0 - i / 10, chance=1.0) for i in range(1, 10))
    (told,) = notes(process(vitals=level, samples=samples))
    assert told == (
        "the loss was never seen below that of one answer for every sample: it was 3.1 times that at step 90"
    )
    assert notes(process(vitals=level, samples=(*samples, Sample(step=100, loss=0.5, chance=1.0)))) == ()
    assert notes(process(vitals=level, samples=samples[:2])) == ()
    stuck = RaisedEntry(
        raised=Raised(kind=AlarmKind.STUCK, step=100, optimizer=0, message="stuck", evidence={}), optimizer_step=100
    )
    assert notes(process(vitals=level, samples=samples, raised=(stuck,))) == ()


def test_vitals_that_could_not_be_had_are_named() -> None:
    told = notes(process(vitals=vitals(falling(100), loss=None)))
    assert told == ("the loss could not be had at any step",)
    some = vitals(falling(100))
    told = notes(process(vitals=(replace(some[0], grad_norm=None), *some[1:])))
    assert told == ("the gradient's norm could not be had at 1 of 100 steps",)


def test_several_scripts() -> None:
    assert notes(process(), process()) == ("2 scripts trained; the curves are those of the one with most steps",)


def test_what_ended_the_script() -> None:
    assert notes(process(stopped=Stopped(step=12, why="steps"))) == (
        "the script was ended after step 12, as --steps asks",
    )
    assert "as --on-alarm stop asks" in notes(process(stopped=Stopped(step=12, why="alarm")))[0]


def test_steps_that_were_not_diagnosed_as_asked() -> None:
    inexact = Diagnosed(
        step=3, why=Why.AT, replay=Replay.INEXACT, report=step_report(notes=("2 of 6 gradients differ",))
    )
    options = replace(OPTIONS, steps=500)
    assert notes(process(diagnosed=(inexact,)), options=options) == (
        "step 3 could not be repeated exactly: 2 of 6 gradients differ",
        "--steps 500: the script ended after 160 steps",
    )


def test_steps_asked_for_that_never_came() -> None:
    options = replace(OPTIONS, at=("7", "500", "0:160", "0:161", "1:3"))
    assert notes(process(), options=options) == (
        "--at 500: the script ended after 160 steps",
        "--at 0:161: optimizer 0 made 160 steps",
        "--at 1:3: optimizer 1 made 0 steps",
    )


def test_a_long_run_whose_watching_took_more_than_its_budget_says_so() -> None:
    dear = Cost(steps=100_000, watching=25.0, total=100.0, diagnoses=5.0)
    (told,) = notes(process(cost=dear))
    assert told.startswith("watching took 36 % of a step of 0.7 ms, more than --budget 5: ")
    assert notes(process(cost=dear), options=replace(OPTIONS, budget=40.0)) == ()
    assert notes(process(cost=Cost(steps=100, watching=2.5, total=10.0))) == (), "too little to want back"
    assert notes(process(cost=Cost(steps=100_000, watching=25.0, total=1000.0))) == ()


def test_updates_that_were_only_glanced_at_are_told() -> None:
    (told,) = notes(process(cost=Cost(steps=100_000, watching=15.0, total=1000.0, glanced=60_000)))
    assert told.startswith("to keep to --budget 5, 60,000 of 100,000 updates were glanced at: they were finite, ")
    assert notes(process(cost=Cost(steps=100, watching=5.0, total=9000.0))) == ()

"""What the reader of a timeline has to know beside its alarms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Process
from gradcheck_cli.records.timeline import Replay, Why
from gradcheck_cli.rules import SLOW
from gradcheck_cli.timeline.opinions import never_below_chance
from gradcheck_cli.timeline.retrying import in_words
from gradcheck_cli.timeline.slope import still_falling
from gradcheck_cli.words import counted

NO_STEP = "no step was seen"
_WORTH_TELLING = 10.0
"""Seconds of watching that somebody may want back."""
_VITALS = {"loss": "the loss", "grad_norm": "the gradient's norm"}


def notes_of(processes: Sequence[Process], seen: Sequence[Process], options: RunOptions) -> tuple[str, ...]:
    """Each said once, those of one of several ranks with its number.

    Args:
        processes: All that wrote into the session.
        seen: Those of them that saw a step, the one whose curves are shown first.
        options: What was asked for.
    """
    found = (*_unseen(processes, seen), *_of_processes(processes), *_of_main(seen, options), *_unkept(seen, options))
    return tuple(dict.fromkeys((*found, *_tried(seen))))


def _unseen(processes: Sequence[Process], seen: Sequence[Process]) -> Iterator[str]:
    if seen or any(process.aside for process in processes):
        return
    if processes:
        yield f"{NO_STEP}: a backward pass began, and no optimiser's step or cleared gradient followed"
    else:
        yield (
            f"{NO_STEP}: no process made a backward pass with torch's autograd; python -I, -E and -S, and a launcher "
            "that clears the environment, keep the watcher out"
        )


def _of_processes(processes: Sequence[Process]) -> Iterator[str]:
    """What the watchers noted: with its rank where not all ranks did."""
    several = len({process.rank for process in processes}) > 1
    told: dict[str, list[int]] = {}
    for process in processes:
        aside = [f"the watcher stepped aside: {process.aside}"] if process.aside and process.vitals else []
        for text in (*process.notes, *aside):
            told.setdefault(text, []).append(process.rank)
    for text, ranks in told.items():
        everyone = len(set(ranks)) == len({process.rank for process in processes})
        yield text if not several or everyone else f"rank {', '.join(map(str, sorted(set(ranks))))}: {text}"


def _of_main(seen: Sequence[Process], options: RunOptions) -> Iterator[str]:
    """What could not be read at every step of the process whose curves are shown, and whose curves are not."""
    if not seen:
        return
    main = seen[0]
    for name, words in _VITALS.items():
        updates, missing = len(main.vitals), sum(getattr(vital, name) is None for vital in main.vitals)
        if main.whole is not None:
            updates, missing = main.whole.updates, main.whole.unread[name]
        if missing:
            steps = "at any step" if missing == updates else f"at {missing} of {updates} steps"
            yield f"{words} could not be had {steps}"
    others = [process for process in seen[1:] if process.rank == main.rank]
    if others:
        yield f"{counted(len(others) + 1, 'script')} trained; the curves are those of the one with most steps"
    yield from _of_the_end(main)
    yield from _of_the_cost(main, options)
    if main.stopped:
        asked = "--steps asks" if main.stopped.why == "steps" else "--on-alarm stop asks"
        yield f"the script was ended after step {main.stopped.step}, as {asked}"


def _of_the_end(main: Process) -> Iterator[str]:
    """A loss that was still on its way down; of players with losses of their own none is what the run is for."""
    if main.stopped or len({vital.optimizer for vital in main.vitals}) > 1:
        return
    if (share := still_falling(main.vitals)) is not None:
        yield f"the loss was still falling by {share:.0%} in 100 steps when the script ended: more steps would lower it"
    found = never_below_chance(main.samples)
    if found is not None and not any(entry.raised.kind in SLOW for entry in main.raised):
        at = f"it was {found[1]:.3g} times that at step {found[0]}"
        yield f"the loss was never seen below that of one answer for every sample: {at}"


def _of_the_cost(main: Process, options: RunOptions) -> Iterator[str]:
    """Watching that took more than its budget: what is read at every step has no room in a very short one."""
    cost = main.cost
    if cost is None:
        return
    own = cost.total - cost.watching - cost.diagnoses
    percent = 100 * cost.watching / own if own > 0 else 0.0
    if cost.watching >= _WORTH_TELLING and percent > options.budget:
        yield (
            f"watching took {percent:.0f} % of a step of {1000 * own / cost.steps:.2g} ms, more than --budget "
            f"{options.budget:g}: what is read at every step takes that, and what is sampled kept to half of the budget"
        )
    if cost.glanced:
        yield (
            f"to keep to --budget {options.budget:g}, {cost.glanced:,} of {cost.steps:,} updates were glanced at: they "
            "were finite, with a loss and a gradient norm within those before, and no more was read of them"
        )
    if cost.slept:
        yield (
            f"to keep to it, {cost.slept:,} more were slept through, some at a time: what begins in one of these is "
            "seen in the next that is watched; `--budget 100` watches them all"
        )


def _unkept(seen: Sequence[Process], options: RunOptions) -> Iterator[str]:
    """Steps that were to be diagnosed and were not, or not exactly."""
    if not seen:
        return
    for each in seen[0].diagnosed:
        if each.replay is not Replay.EXACT:
            how = "exactly" if each.replay is Replay.INEXACT else "at all"
            yield f"step {each.step} could not be repeated {how}" + "".join(
                f": {note}" for note in each.report.notes[:1]
            )
    steps = seen[0].vitals[-1].step
    if options.steps is not None and steps < options.steps:
        yield f"--steps {options.steps}: the script ended after {counted(steps, 'step')}"
    yield from _never_came(seen, options)


def _tried(seen: Sequence[Process]) -> Iterator[str]:
    """Updates of steps that were asked for, made again."""
    if not seen:
        return
    asked = {each.step for each in seen[0].diagnosed if each.why is not Why.FIRST}
    for each in seen[0].retried:
        if each.step in asked and (words := in_words(None, each)):
            yield f"step {each.step}: {words}"


def _never_came(seen: Sequence[Process], options: RunOptions) -> Iterator[str]:
    """Steps asked for by --at that no process made."""
    made = [vital for process in seen for vital in process.vitals]
    for text in options.at:
        optimizer, _, step = text.rpartition(":")
        numbers = (v.optimizer_step if optimizer else v.step for v in made if optimizer in ("", str(v.optimizer)))
        if int(step) > (last := max(numbers, default=0)):
            whose = f"optimizer {optimizer} made" if optimizer else "the script ended after"
            yield f"--at {text}: {whose} {counted(last, 'step')}"

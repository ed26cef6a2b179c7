"""Synthetic series of runs with known answers, from a seed: what the alarms are scored on.

`python -m tests.watch.synthetic [--per-kind N] [--seed S] [-v]` prints, kind by kind, how many runs were ill, found
(confirmed, or open with a finding, within the window), falsely found, and how much was raised at all.

The makers write what a training run looks like from the outside: a trend, a noise, an event. None knows how the alarms
work; the sizes are drawn from what training logs show (a spike of two to a thousand times the loss, noise of 1 to 50 %,
plateaus at any level).
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from gradcheck_cli.records.timeline import Judged, Outcome, Vital
from gradcheck_cli.watch.alarms import Alarms
from tests.watch.drafts import Series
from tests.watch.healthy_runs import HEALTHY, long_run
from tests.watch.ill_runs import ILL

PER_KIND = 90


def series(per_kind: int = PER_KIND, seed: int = 0) -> Iterator[Series]:
    """As many of each kind, and a twentieth as many of 20,000 steps."""
    for make in (*HEALTHY, *ILL):
        # A kind's series stay what they are when another kind is added.
        rng = random.Random(f"{seed} {make.__name__}")
        for _ in range(per_kind):
            yield make(rng)
    rng = random.Random(f"{seed} long_run")
    for _ in range(per_kind // 20):
        yield long_run(rng)


# -- scored


@dataclass
class Score:
    """What one kind of series came to."""

    runs: int = 0
    ill: int = 0
    found: int = 0
    false: int = 0
    raised: int = 0
    missed: list[Series] = field(default_factory=list)


def judged(vitals: tuple[Vital, ...]) -> tuple[Judged, ...]:
    alarms = Alarms()
    for vital in vitals:
        alarms.see(vital)
    return alarms.judged()


def found(run: Series, alarms: tuple[Judged, ...]) -> bool:
    first, last = run.window
    return any(
        alarm.raised.kind in run.ill and first <= alarm.raised.step <= last and is_finding(alarm) for alarm in alarms
    )


def is_finding(alarm: Judged) -> bool:
    return alarm.outcome is Outcome.CONFIRMED or alarm.finding


def false_ones(run: Series, alarms: tuple[Judged, ...]) -> list[Judged]:
    """Findings of a healthy run, or before the window of an ill one."""
    return [each for each in alarms if is_finding(each) and (not run.ill or each.raised.step < run.window[0])]


def scored(runs: Iterator[Series]) -> dict[str, Score]:
    scores: dict[str, Score] = {}
    for run in runs:
        score = scores.setdefault(run.kind, Score())
        alarms = judged(run.vitals)
        score.runs += 1
        score.raised += len(alarms)
        score.false += bool(false_ones(run, alarms))
        score.ill += bool(run.ill)
        score.found += bool(run.ill) and found(run, alarms)
        if false_ones(run, alarms) or (run.ill and not found(run, alarms)):
            score.missed.append(run)
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--per-kind", type=int, default=PER_KIND)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-v", action="store_true", help="the alarms of every series that falls short")
    asked = parser.parse_args()
    scores = scored(series(asked.per_kind, asked.seed))
    print(f"{'kind':28}{'runs':>6}{'ill':>6}{'found':>7}{'false':>7}{'raised a run':>14}")
    for kind, score in scores.items():
        print(f"{kind:28}{score.runs:6}{score.ill:6}{score.found:7}{score.false:7}{score.raised / score.runs:14.2f}")
        for run in score.missed if asked.v else ():
            print("   ", run.window, len(run.vitals))
            for each in judged(run.vitals):
                print("       ", each.raised.kind.value, each.raised.step, each.outcome.value, each.finding, each.told)
    totals = [sum(getattr(score, name) for score in scores.values()) for name in ("runs", "ill", "found", "false")]
    print(f"{'all':28}{totals[0]:6}{totals[1]:6}{totals[2]:7}{totals[3]:7}")


if __name__ == "__main__":
    main()

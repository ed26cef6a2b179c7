"""What came of making an update again, as trials of the remedies that it speaks for, each with its number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.report import Remedy, Trial
from gradcheck_cli.records.retrying import HALF, LOWER_RATES, Retried, ScalesTried, UpdateChange, UpdateVariant
from gradcheck_cli.records.shadow import TENTH, Shadowed
from gradcheck_cli.remedies.catalogue import ROWS

OF_THE_STEP = frozenset(
    "lr-too-high lr-too-low no-warmup grad-spike no-clipping recurrent-gain collapse stuck update-moves-nothing "
    "nan-parameter unknown fp16-overflow fp16-underflow".split()
)
"""Causes for which another update is a cure, so that what was measured of it decides on the order; any other cause has
its own, and one update says nothing of that."""
_GOOD = ("fixed", "helps")
USUAL_GROWTH = 2000
"""Updates after which PyTorch's GradScaler doubles its scale, unless told otherwise."""
_PLACES: Mapping[str, int] = {"fixed": 0, "helps": 1, "not-tried": 2, "no-effect": 3, "worse": 4}
_IDS: Mapping[UpdateChange, str] = {
    UpdateChange.LOWER_RATE: "lower-lr",
    UpdateChange.HIGHER_RATE: "higher-lr",
    UpdateChange.CLIPPED: "clipping",
    UpdateChange.EPS: "eps",
    UpdateChange.ANEW: "new-optimizer",
    UpdateChange.WITHOUT_ROWS: "data-cleaning",
}


def with_trials(remedies: Sequence[Remedy], cause: str, retried: Retried) -> tuple[Remedy, ...]:
    """The remedies of a cause with what was measured of them, and others that were measured to help.

    Where the update itself is the cause the first is the one that came out best. Those that come to the same keep
    their order: one update on its own batch flatters what does least.
    """
    made = {remedy.id: remedy for remedy in _made(retried)}
    told = [made.pop(each.id) if each.id in made else _untried(each, retried) for each in remedies]
    told += [remedy for remedy in made.values() if remedy.trial.outcome in _GOOD and remedy.id != "warmup"]
    if cause in OF_THE_STEP:
        told.sort(key=lambda remedy: _place(remedy.trial.outcome, remedy.trial.after, retried))
    return tuple(told)


def with_shadow(remedies: Sequence[Remedy], cause: str, told: Shadowed) -> tuple[Remedy, ...]:
    """The remedies of a cause, the one that a copy learned with being told with what it ends at (`--shadow`)."""
    trial = Trial(
        outcome="helps",
        before=told.run_ends,
        after=told.copy_ends,
        unit="loss of the last batches",
        note="with a tenth of the learning rate as well" if cause == "missing-zero-grad" else "",
    )
    if cause == "missing-zero-grad":
        return tuple(replace(each, trial=trial) if each.id == "zero-grad" else each for each in remedies)
    lower, used = (
        UpdateVariant(change=UpdateChange.LOWER_RATE, amount=TENTH),
        Retried(step=told.first, kind=told.kind, rate=told.rate),
    )
    best = replace(_worded(ROWS["lower-lr"].remedy, lower, used), trial=trial)
    return tuple(best if each.id == "lower-lr" else each for each in remedies)


def _untried(remedy: Remedy, retried: Retried) -> Remedy:
    """A remedy that nobody tried; a lower rate is told as the mildest of this optimiser that would have been."""
    if remedy.id != "lower-lr":
        return remedy
    return _worded(remedy, UpdateVariant(change=UpdateChange.LOWER_RATE, amount=LOWER_RATES[0]), retried)


def _place(outcome: str, after: float | None, retried: Retried) -> tuple[int, float]:
    """The better, the smaller; of what helps less than twice as much of what an update does wrong is no difference."""
    if outcome != "helps" or after is None or retried.loss is None or not retried.raises:
        return _PLACES[outcome], 0.0
    rest = after - retried.loss
    return _PLACES[outcome], round(math.log(rest, 1 / HALF)) if rest > 0.0 else -math.inf


def _made(retried: Retried) -> Iterator[Remedy]:
    """A remedy for each kind of change, at the dose that is told."""
    for change, name in _IDS.items():
        ways = [tried for tried in retried.tried if tried.change is change]
        if ways:
            best = _dose(ways, retried)
            remedy = replace(_worded(ROWS[name].remedy, best, retried), trial=_trial(best, retried))
            yield remedy
            if change is UpdateChange.LOWER_RATE and retried.step <= ALARMING.warm_up:
                yield _warming(best, remedy.trial)
    if retried.scales is not None and retried.scales.fits is not None:
        yield _scaling(retried.scales, retried.scales.fits)


def _scaling(scales: ScalesTried, fits: float) -> Remedy:
    """The loss scale that fits; where a scaler has one that is left again and again, also when it may grow."""
    remedy, then = ROWS["loss-scaling"].remedy, scales.lost_then or 0.0
    outcome = "fixed" if then == 0.0 < scales.lost else "helps" if then < HALF * scales.lost else "no-effect"
    trial = Trial(outcome=outcome, before=scales.lost, after=then, unit="share of the gradient that float16 loses")
    asked = f"init_scale={fits:.1f}"
    title = f"{remedy.title}: {asked}"
    if scales.growth is not None:
        often = scales.growth < USUAL_GROWTH
        asked += f", growth_interval={USUAL_GROWTH}" if often else ""
        title = f"begin with a loss scale of {fits:,.10g} instead of {scales.now:,.10g}"
        title += f", and let it grow after {USUAL_GROWTH} updates instead of {scales.growth}" if often else ""
    return replace(remedy, title=title, code=f'scaler = torch.amp.GradScaler("cuda", {asked})', trial=trial)


def _dose(ways: Sequence[UpdateVariant], retried: Retried) -> UpdateVariant:
    """Of those that come out best the mildest; of larger rates the one with which the loss falls most."""
    if ways[0].change is UpdateChange.HIGHER_RATE:
        return min(ways, key=lambda each: math.inf if each.loss is None or math.isnan(each.loss) else each.loss)
    return min(ways, key=lambda each: _place(retried.outcome(each), each.loss, retried))


def _trial(tried: UpdateVariant, retried: Retried) -> Trial:
    first, outcome = retried.as_run, retried.outcome(tried)
    if first is None or outcome == "not-tried":
        return Trial()
    if tried.change is UpdateChange.HIGHER_RATE:
        note = f"the loss of this batch falls by {_fall(tried, retried)} instead of {_fall(first, retried)}"
        return Trial(outcome=outcome, before=first.size, after=tried.size, unit="|dw|/|w|", note=note)
    if retried.oversize and not retried.raises:
        note = f"{retried.usual:.2g} is usual"
        return Trial(outcome=outcome, before=first.size, after=tried.size, unit="|dw|/|w|", note=note)
    whose = "the other rows" if retried.rows else "this batch"
    unit, note = f"loss of {whose} after the update", f"it is {retried.loss:.3g} before"
    return Trial(outcome=outcome, before=first.loss, after=tried.loss, unit=unit, note=note)


def _fall(tried: UpdateVariant, retried: Retried) -> str:
    assert tried.loss is not None and retried.loss is not None
    return f"{retried.loss - tried.loss:.2g}"


def _worded(remedy: Remedy, tried: UpdateVariant, retried: Retried) -> Remedy:
    """The remedy with the number that was tried."""
    amount, kind = tried.amount or 0.0, retried.kind
    if tried.change in (UpdateChange.LOWER_RATE, UpdateChange.HIGHER_RATE) and retried.rate:
        rate = f"{retried.rate * amount:.2g}"
        title = f"{remedy.title}: {rate} instead of {retried.rate:.3g}"
        return replace(remedy, title=title, code=f"torch.optim.{kind}(model.parameters(), lr={rate})")
    if tried.change is UpdateChange.CLIPPED:
        shortened = f"At {amount:.2g} it would have shortened {tried.share or 0:.0%} of this run's steps before."
        code = f"torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm={amount:.2g})"
        code = f"scaler.unscale_(optimizer); {code}" if retried.scaled else code
        title = f"{remedy.title} at {amount:.2g}"
        return replace(remedy, title=title, detail=f"{remedy.detail} {shortened}", code=code)
    if tried.change is UpdateChange.EPS:
        return replace(
            remedy,
            title=f"a larger eps for {kind}: {amount:.0e}",
            detail="It bounds what a gradient is divided by, where those before it were next to nothing.",
            code=f"torch.optim.{kind}(model.parameters(), lr={retried.rate:.3g}, eps={amount:.0e})",
            unless="where it comes near the size of the gradients: the step is then small for all",
            source="Choi et al. 2019, On Empirical Comparisons of Optimizers for Deep Learning, arXiv:1910.05446",
        )
    if tried.change is UpdateChange.ANEW:
        return replace(
            remedy,
            title=f"start the averages of {kind} anew",
            detail="They are of gradients that these are not like any more.",
            code="optimizer.state.clear()  # where the data, or the loss, become others",
            unless="at every step: without averages each gradient counts by its sign alone",
        )
    if tried.change is UpdateChange.WITHOUT_ROWS:
        rows = f"{'row' if len(retried.rows) == 1 else 'rows'} {', '.join(map(str, retried.rows))}"
        detail = "Look for others of the kind where the data are made."
        return replace(remedy, title=f"mend or leave out {rows} of this batch", detail=detail, code="")
    return remedy


def _warming(tried: UpdateVariant, trial: Trial) -> Remedy:
    remedy, factor = ROWS["warmup"].remedy, f"{tried.amount:.1g}"
    code = f"torch.optim.lr_scheduler.LinearLR(optimizer, start_factor={factor}, total_iters=500)"
    return replace(remedy, title=f"{remedy.title} from {factor} of itself", code=code, trial=trial)

import math

import pytest

from gradcheck_cli.records.timeline import AlarmKind, Raised, Vital
from gradcheck_cli.watch.usuallevels import UsualLevels


def alarm(kind: AlarmKind, optimizer: int = 0) -> Raised:
    return Raised(kind=kind, step=9, optimizer=optimizer, message="", evidence={})


def test_a_mean_with_a_short_memory_of_each_number_of_each_optimiser() -> None:
    levels = UsualLevels()
    assert levels.before(alarm(AlarmKind.LOSS_SPIKE)) is None
    levels.take(Vital(step=1, loss=1.0, grad_norm=5.0))
    levels.take(Vital(step=2, loss=2.0, grad_norm=math.inf))
    levels.take(Vital(step=3, optimizer=1, loss=7.0))
    assert levels.before(alarm(AlarmKind.LOSS_SPIKE)) == pytest.approx(1.1)
    assert levels.before(alarm(AlarmKind.GRAD_SPIKE)) == 5.0
    assert levels.before(alarm(AlarmKind.NONFINITE, 1)) == 7.0
    assert levels.before(alarm(AlarmKind.GRAD_SPIKE, 1)) is None

import time

import pytest
import torch
from torch.overrides import TorchFunctionMode

from gradcheck_cli.watch.errorshield import ErrorShield


def test_what_goes_wrong_inside_is_told_and_reaches_nobody() -> None:
    failed: list[BaseException] = []
    guard, error = ErrorShield(failed.append), ValueError("ours")
    with guard:
        raise error
    with guard:
        pass
    assert failed == [error]


def test_an_interrupt_reaches_the_script() -> None:
    guard = ErrorShield(lambda error: None)
    with pytest.raises(KeyboardInterrupt), guard:
        raise KeyboardInterrupt


def test_its_time_is_counted_once_where_it_is_entered_twice() -> None:
    guard = ErrorShield(lambda error: None)
    started = time.perf_counter()
    with guard:
        with guard:
            time.sleep(0.02)
        assert guard.seconds == 0.0, "the outer one counts"
    assert 0.02 <= guard.seconds <= time.perf_counter() - started


def test_no_mode_of_the_scripts_sees_what_is_done_inside() -> None:
    seen: list[str] = []

    class Noting(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            seen.append(func.__name__)
            return func(*args, **(kwargs or {}))

    x, guard = torch.ones(2), ErrorShield(lambda error: None)
    with Noting():
        with guard:
            torch.relu(x)
        torch.exp(x)
    assert seen == ["exp"]

"""What is said while a step is repeated is not heard, and all that is said before and after is."""

from __future__ import annotations

import cProfile
import logging
import sys
import warnings
from types import FrameType
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from gradcheck_cli.watch.isolation import unheard, without_modes


def test_prints_are_not_heard_inside_and_are_outside(capsys: pytest.CaptureFixture[str]) -> None:
    print("before")
    with unheard():
        print("inside")
        print("inside", file=sys.stderr)
        sys.stdout.flush()
        assert not sys.stdout.isatty()
    print("after")
    print("after", file=sys.stderr)
    assert capsys.readouterr() == ("before\nafter\n", "after\n")


def test_the_streams_are_the_very_same_again_also_after_an_error() -> None:
    streams = sys.stdout, sys.stderr
    with pytest.raises(KeyError), unheard():
        raise KeyError
    assert (sys.stdout, sys.stderr) == streams


@pytest.mark.parametrize("disabled", [logging.NOTSET, logging.WARNING, 99])
def test_log_records_are_not_heard_inside(disabled: int, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("of a script")
    logging.disable(disabled)
    try:
        with unheard():
            logger.critical("inside")
        assert logging.root.manager.disable == disabled
        logger.critical("outside")
    finally:
        logging.disable(logging.NOTSET)
    assert caplog.messages == ([] if disabled == 99 else ["outside"])


def speak() -> None:
    warnings.warn("one line of code", UserWarning, stacklevel=1)


def test_a_warning_that_was_shown_is_not_shown_again_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, *args, **kwargs: print(f"{message}", file=sys.stderr)
        globals().pop("__warningregistry__", None)
        speak()
        with unheard():
            speak()
        speak()
        assert capsys.readouterr().err == "one line of code\n"


def test_a_warning_that_a_replay_gives_first_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """A step that was diagnosed says first what a later one of the script would have said."""
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, *args, **kwargs: print(f"{message}", file=sys.stderr)
        globals().pop("__warningregistry__", None)
        with unheard():
            speak()
        speak()
        assert capsys.readouterr().err == "one line of code\n"


@pytest.mark.parametrize("action", ["default", "once", "module"])
def test_one_that_was_shown_stays_shown_where_filters_are_changed_inside(
    action: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter(action)
        warnings.showwarning = lambda message, *args, **kwargs: print(f"{message}", file=sys.stderr)
        globals().pop("__warningregistry__", None)
        warnings.onceregistry.clear()  # type: ignore[attr-defined]
        speak()
        with unheard(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            speak()
        speak()
        assert capsys.readouterr().err == "one line of code\n"


def test_a_script_that_makes_errors_of_warnings_hears_them_inside() -> None:
    """The replay then raises as the run does."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning), unheard():
            speak()


class _Function(TorchFunctionMode):
    calls = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        return func(*args, **(kwargs or {}))


class _Dispatch(TorchDispatchMode):
    calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        return func(*args, **(kwargs or {}))


def test_modes_see_nothing_inside_and_are_there_again_in_their_order() -> None:
    with torch.device("meta"), _Function() as one, _Dispatch() as two, _Function() as three:
        with pytest.raises(KeyError), without_modes():
            assert torch.ones(3).is_meta
            raise KeyError
        assert (one.calls, two.calls, three.calls) == (0, 0, 0)
        torch.ones(3)
        assert (one.calls, two.calls, three.calls) == (1, 1, 1)
    assert not torch._C._len_torch_function_stack() and not torch._C._len_torch_dispatch_stack()


def test_who_is_told_of_lines_and_calls_is_not_told_of_ours() -> None:
    told: list[str] = []

    def tracing(frame: FrameType, event: str, argument: Any) -> Any:
        told.append(frame.f_code.co_name)
        return tracing

    was = sys.gettrace(), sys.getprofile()
    sys.settrace(tracing)
    sys.setprofile(tracing)
    try:
        with unheard():
            speak()
        assert (sys.gettrace(), sys.getprofile()) == (tracing, tracing)
    finally:
        sys.setprofile(was[1])
        sys.settrace(was[0])
    assert "speak" not in told


def test_torch_profiler_notes_nothing_inside() -> None:
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        torch.ones(2).sin()
        with unheard():
            torch.ones(2).sin()
        torch.ones(2).sin()
    assert [each.count for each in seen.key_averages() if each.key == "aten::sin"] == [2]


def test_the_profiler_of_python_notes_nothing_inside() -> None:
    profiler = cProfile.Profile()
    profiler.enable()
    with unheard():
        speak()
    abs(-1)
    profiler.disable()
    names = {getattr(entry.code, "co_name", entry.code) for entry in profiler.getstats()}
    assert "speak" not in names and any("abs" in str(name) for name in names)

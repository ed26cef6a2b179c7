"""Every way a check can end without a verdict."""

from __future__ import annotations

import pickle

import pytest

from gradcheck_cli import errors
from gradcheck_cli.errors import GradcheckError, Interrupted, UserCodeError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GradcheckError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_carries_what_to_print(kind: type[GradcheckError]) -> None:
    error = kind("what is wrong", hint="what to do", frames=("  a.py:1 in f",))
    assert (error.message, error.hint, error.frames) == ("what is wrong", "what to do", ("  a.py:1 in f",))
    assert str(error) == "what is wrong"


@pytest.mark.parametrize("kind", KINDS)
def test_hint_and_frames_may_be_left_out(kind: type[GradcheckError]) -> None:
    error = kind("what is wrong")
    assert (error.hint, error.frames) == ("", ())


@pytest.mark.parametrize("kind", KINDS)
def test_the_exit_code_is_never_that_of_findings(kind: type[GradcheckError]) -> None:
    assert kind("x").exit_code == (130 if kind is Interrupted else 2)


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_says_what_it_is_for(kind: type[GradcheckError]) -> None:
    assert kind.__doc__ and kind.__doc__.strip().splitlines()[0].endswith(".")


def test_hint_and_frames_are_named_where_they_are_given() -> None:
    with pytest.raises(TypeError):
        GradcheckError("message", "hint")  # type: ignore[misc]


def test_an_error_comes_through_a_pipe_between_processes_as_it_was() -> None:
    sent = UserCodeError("what is wrong", hint="what to do", frames=("a", "b"))
    got = pickle.loads(pickle.dumps(sent))
    assert type(got) is UserCodeError
    assert (got.message, got.hint, got.frames) == ("what is wrong", "what to do", ("a", "b"))

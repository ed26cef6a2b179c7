import os
import subprocess
import sys

import pytest

from gradcheck_cli.errors import GradcheckError, Interrupted, TargetError, UserCodeError
from gradcheck_cli.target import quiet_stdout, user_code, user_frames


def test_what_is_printed_inside_goes_to_stderr(capfd):
    with quiet_stdout():
        print("from print")
        os.write(1, b"from the descriptor\n")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    print("document")
    sys.stdout.flush()
    out, err = capfd.readouterr()
    assert out == "document\n"
    assert {"from print", "from the descriptor", "from a child"} <= set(err.splitlines())


def test_stdout_comes_back_after_an_error(capfd):
    before = sys.stdout
    with pytest.raises(ValueError), quiet_stdout():
        raise ValueError
    assert sys.stdout is before
    os.write(1, b"x")
    assert capfd.readouterr().out == "x"


@pytest.mark.parametrize(
    ("raised", "kind"),
    [(ValueError("x"), UserCodeError), (KeyboardInterrupt(), Interrupted), (TargetError("x"), TargetError)],
)
def test_user_code_turns_what_is_raised_into_an_error(raised, kind):
    with pytest.raises(GradcheckError) as error, user_code("doing"):
        raise raised
    assert type(error.value) is kind


def recurse():
    recurse()


def test_a_deep_traceback_is_cut_short():
    with pytest.raises(RecursionError) as error:
        recurse()
    frames = user_frames(error.value)
    assert len(frames) == 9
    assert frames[4].endswith("more frames")
    assert all("recurse" in frame for frame in frames[1:4])


def test_library_frames_stand_in_where_the_user_has_none():
    namespace = {}
    exec(compile("import json\ndef f(): json.loads('x')", "<frozen x>", "exec"), namespace)
    try:
        namespace["f"]()
    except ValueError as exc:
        exc.__traceback__ = exc.__traceback__.tb_next
        frames = user_frames(exc)
    assert len(frames) == 2
    assert "decoder.py" in frames[-1]


def test_long_messages_are_cut():
    with pytest.raises(UserCodeError) as error, user_code("doing"):
        raise ValueError("x" * 10_000)
    assert len(error.value.message) < 600

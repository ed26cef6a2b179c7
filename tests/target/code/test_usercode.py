import os
import subprocess
import sys

import pytest
import torch

from gradcheck_cli.errors import GradcheckError, Interrupted, TargetError, UserCodeError
from gradcheck_cli.target import no_hard_exit, quiet_stdout, user_code, user_frames
from gradcheck_cli.target.code.usercode import as_error


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


def test_torchs_own_frames_are_not_shown():
    with pytest.raises(RuntimeError) as raised:
        torch.nn.functional.linear(torch.ones(1, 2), torch.ones(3, 4))
    error = as_error("the loss", raised.value)
    assert error.frames and all("torch" not in frame.split(":")[0] for frame in error.frames)


def test_the_traceback_of_a_worker_becomes_frames(write):
    path = write("", "workers.py")
    told = (
        "Caught KeyError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
        f'  File "{torch.__file__}", line 7, in fetch\n    data = dataset[i]\n           ^^^^^^^\n'
        f'  File "{path}", line 7, in __getitem__\n    raise KeyError(i)\nKeyError: 5\n'
    )
    error = as_error("reading a batch", RuntimeError(told))
    assert error.message == "reading a batch raised RuntimeError: 5"
    assert error.frames == ("  workers.py:7 in __getitem__\n    raise KeyError(i)",)


@pytest.mark.parametrize(
    ("raised", "doing", "text"),
    [
        (SystemExit(3), "the forward pass", "called sys.exit(3)"),
        (KeyboardInterrupt(), "the forward pass", "interrupted in the forward pass"),
        (KeyboardInterrupt(), "importing x.py", "interrupted while importing x.py"),
        (
            TypeError('bad size "Overflow\nException raised from f at x.h:7\nframe #0: c10'),
            "drawing",
            'bad size "Overflow',
        ),
    ],
)
def test_what_happened_is_told_in_a_sentence(raised, doing, text):
    error = as_error(doing, raised)
    assert text in error.message
    assert "frame #0" not in error.message
    assert "__main__" not in error.hint


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("Trying to backward through the graph a second time (or ...)", ".backward()"),
        ("a variable has been modified by an inplace operation: ...", "inplace=False"),
    ],
)
def test_torchs_usual_complaints_get_a_hint(message, hint):
    assert hint in as_error("the backward pass", RuntimeError(message)).hint


def test_code_that_closes_its_stdout_ends_quietly(capfd, monkeypatch, tmp_path):
    with (tmp_path / "err").open("w") as err, quiet_stdout():
        monkeypatch.setattr(sys, "stderr", err)
        with quiet_stdout():
            sys.stdout.close()
    print("back")
    assert capfd.readouterr().out == "back\n"


def test_os_exit_in_this_process_is_an_error_and_in_a_child_still_ends_it():
    with no_hard_exit():
        child = os.fork()
        if child == 0:
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        with pytest.raises(UserCodeError, match=r"os\._exit\(0\)"), user_code("the forward pass"):
            os._exit(0)

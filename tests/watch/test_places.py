"""Where in the user's code something is done."""

from __future__ import annotations

import json
import sys
import sysconfig

import torch

from gradcheck_cli.watch import places
from gradcheck_cli.watch.places import Places, kind_of


def test_whose_a_file_is() -> None:
    assert kind_of(torch.__file__) == kind_of(places.__file__) == kind_of("<frozen importlib>") == "torch"
    assert kind_of(json.__file__) == kind_of(f"{sysconfig.get_path('purelib')}/lightning/loop.py") == "library"
    assert kind_of(__file__) == kind_of("<stdin>") == "user"


def test_the_line_is_that_by_which_the_user_called_what_asks() -> None:
    known = Places()

    def asking() -> places.Place | None:
        return known.here()

    def calling() -> places.Place | None:
        return asking()

    place = calling()
    assert place is not None and place[0] is calling.__code__


def test_libraries_are_looked_through_up_to_a_number_of_frames() -> None:
    known = Places()
    space = {"known": known}
    library = f"{sysconfig.get_path('purelib')}/trainer.py"
    text = "def step():\n    return known.here()\ndef loop(deep):\n    return loop(deep - 1) if deep else step()\n"
    exec(compile(text, library, "exec"), space)
    near, far = space["loop"](1), space["loop"](20)  # type: ignore[operator]
    assert near[0] is sys._getframe().f_code
    assert far[0] is space["loop"].__code__  # type: ignore[attr-defined]

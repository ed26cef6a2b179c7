"""Small scripts of every form: each is left bit for bit as it is, and each step is repeated exactly or told why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradcheck_cli.records.timeline import Replay
from tests.sweeping import sampled
from tests.watch.running import FORMS, bare, taped

SCRIPTS = sorted(FORMS.glob("*.py"))
EXACT = {Replay.EXACT}
EXPECTED = {
    "drawn": {Replay.IMPOSSIBLE},  # what an iterator gave cannot be put back, so that nothing is taken again
    "in_backward": {Replay.IMPOSSIBLE},  # the gradients are used up by the time that the backward pass is over
    "own_generators": {Replay.INEXACT},  # their states before the forward pass are not known; they come back
    "raw_weights": {Replay.EXACT, Replay.IMPOSSIBLE},  # the first step is over before anything could be seen
}


def test_there_are_scripts_of_every_form() -> None:
    assert len(SCRIPTS) >= 40 and EXPECTED.keys() <= {path.stem for path in SCRIPTS}


NOTED = 24
"""Scripts whose steps do for notes, at the least."""


@pytest.mark.sweep
def test_steps_of_many_forms_do_for_notes() -> None:
    assert sum(taped(path, drafts=True).late > 0 for path in SCRIPTS) >= NOTED


@pytest.mark.parametrize("drafts", [False, True], ids=["taped", "noted"])
@pytest.mark.parametrize("path", sampled(SCRIPTS, 4, lambda path: path.stem))
def test_a_script_is_as_without_us_and_its_steps_are_repeated(path: Path, drafts: bool) -> None:
    one, two = bare(path), taped(path, drafts=drafts)
    assert not two.failed
    assert two.digest == one.digest
    assert two.printed == one.printed
    assert two.replayed and two.outcomes == EXPECTED.get(path.stem, EXACT), two.replayed


def test_the_first_step_of_raw_weights_is_told_and_the_others_are_exact() -> None:
    replayed = taped(FORMS / "raw_weights.py").replayed
    assert "not made by anything that was seen" in replayed[0].why
    assert [each.outcome for each in replayed[1:]] == [Replay.EXACT] * 2

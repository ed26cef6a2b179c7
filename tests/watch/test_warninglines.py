"""Warnings of torch's are told of the lines of the script, as often as without us."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.watch.watching import watching

SCRIPT = """
import torch
from torch import nn
from torch.nn import functional

net = nn.Sequential(nn.Linear(4, 1))
net[0].register_full_backward_hook(lambda module, given, out: None)


def other(out):
    return functional.mse_loss(out, torch.zeros(6))


for step in range(3):
    out = net(torch.ones(6, 4))
    loss = functional.mse_loss(out, torch.ones(6)) + functional.softmax(out).sum() + other(out)
    (out * 2).grad
    torch.zeros(2, 2, 2).T
    net.zero_grad()
    loss.backward()
"""


def told(folder: Path, code: str) -> list[str]:
    """The warnings of a script, and their lines as they are shown."""
    (folder / "train.py").write_text(code)
    ran = subprocess.run([sys.executable, "train.py"], cwd=folder, capture_output=True, text=True, check=True)
    return ran.stderr.splitlines()


def test_a_script_is_warned_as_without_us(tmp_path: Path) -> None:
    plain = told(tmp_path, SCRIPT)
    watched = told(
        tmp_path, f"import gradcheck_cli.watch.warninglines as w; w.retelling(); import torch; {_INSTALL}{SCRIPT}"
    )
    assert len(plain) >= 10
    assert watched == plain


_INSTALL = (
    "from tests.watch.running import Verifier, Tape, install; "
    "verifier = Verifier(0); verifier.tape = Tape(verifier); install(verifier.tape)"
)


def test_a_filter_that_makes_errors_of_warnings_still_does(tmp_path: Path) -> None:
    net = nn.Linear(4, 1)
    with watching(tmp_path), warnings.catch_warnings(), pytest.raises(UserWarning, match="target size"):
        warnings.simplefilter("error")
        functional.mse_loss(net(torch.ones(6, 4)), torch.ones(6))


def test_all_is_as_it_was_afterwards(tmp_path: Path) -> None:
    before = list(warnings.filters), warnings._showwarnmsg  # type: ignore[attr-defined]
    with watching(tmp_path):
        assert list(warnings.filters) != before[0]
    assert (list(warnings.filters), warnings._showwarnmsg) == before  # type: ignore[attr-defined]

"""Every way in which a foreign file is seen to fail says what to type next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from gradcheck_cli.target.code.advice import TABLE, advice
from tests.hostile.unseen import FOREIGN


def _raised(code: str) -> BaseException:
    try:
        exec(code, {"torch": torch, "nn": nn, "os": os, "F": nn.functional})
    except Exception as exc:
        return exc
    raise AssertionError(f"nothing was raised by {code}")


AT_IMPORT = [
    ("open('data/train.csv')", "in the folder from which it finds that file"),
    ("torch.load('best.pt')", "in the folder from which it finds that file"),
    ("os.listdir('none')", "in the folder from which it finds that file"),
    ("import os.path as p; from torch.nn import Linnear", "pip install --upgrade torch"),
    ("os.environ['DATA_ROOT_OF_NOBODY']", "DATA_ROOT_OF_NOBODY=VALUE gradcheck check"),
    ("compile('print 1', 'f.py', 'exec')", "python -m py_compile"),
    ("compile('if x:\\ny', 'f.py', 'exec')", "python -m py_compile"),
    ("exec('from .layers import x', {'__package__': None, '__name__': 'f'})", "gradcheck check package.module"),
    ("raise EOFError('EOF when reading a line')", "under `if __name__ == '__main__':`"),
    ("raise ValueError('no')", "under `if __name__ == '__main__':`"),
    ("raise RuntimeError('Found no NVIDIA driver on your system.')", "torch.cuda.is_available()"),
    ("raise RuntimeError('Attempting to deserialize object on a CUDA device but')", 'map_location="cpu"'),
]
IN_FORWARD = [
    ("nn.Linear(4, 3)(torch.randn(8, 5))", "Mend the layer or the batch"),
    ("nn.Conv2d(3, 8, 3)(torch.randn(8, 1, 9, 9))", "Mend the layer or the batch"),
    ("nn.Conv2d(3, 8, 3)(torch.randn(8, 9))", "Mend the layer or the batch"),
    ("nn.LSTM(4, 3)(torch.randn(2, 8, 5))", "Mend the layer or the batch"),
    ("nn.LayerNorm(4)(torch.randn(8, 5))", "Mend the layer or the batch"),
    ("torch.randn(8, 4) + torch.randn(8, 5)", "Mend the layer or the batch"),
    ("torch.randn(8, 4).view(7, 9)", "Mend the layer or the batch"),
    ("nn.Linear(4, 3)(torch.randn(8, 4).double())", "x.float()"),
    ("nn.Conv2d(3, 8, 3)(torch.zeros(1, 3, 9, 9, dtype=torch.uint8))", "x.float()"),
    ("nn.Embedding(10, 4)(torch.tensor([57]))", "Raise num_embeddings"),
    ("F.cross_entropy(torch.randn(8, 3), torch.full((8,), 7))", "Number the classes from 0"),
    ("F.binary_cross_entropy(torch.full((2,), 2.0), torch.ones(2))", "nn.BCEWithLogitsLoss"),
    ("nn.BatchNorm1d(8)(torch.randn(1, 8))", "--eval"),
    ("nn.Linear(4, 3)()", "give each: --input"),
    ("x = torch.ones(2, requires_grad=True).exp().sum(); x.backward(); x.backward()", "drop it"),
    ("y = (torch.ones(2, requires_grad=True) * 2).exp(); z = y * y; y += 1; z.sum().backward()", "inplace=False"),
    ("torch.randn(2).cuda()", "torch.cuda.is_available()"),
]


@pytest.mark.parametrize(("code", "hint"), AT_IMPORT)
def test_what_fails_at_import_says_what_to_do(code: str, hint: str) -> None:
    raised = _raised(code)
    assert hint in advice(raised, str(raised), importing=True)


@pytest.mark.parametrize(("code", "hint"), IN_FORWARD)
def test_what_fails_in_a_pass_says_what_to_do(code: str, hint: str) -> None:
    if "cuda" in code and torch.cuda.is_available():
        pytest.fail("this machine has CUDA, so the row cannot be tried")
    raised = _raised(code)
    assert hint in advice(raised, str(raised), importing=False)


def test_what_nobody_knows_says_nothing() -> None:
    assert advice(ValueError("no"), "no", importing=False) == ""


def test_every_row_is_tried() -> None:
    """But for one, which needs a file that nobody may read: root may."""
    errors = [
        (_raised(code), importing) for table, importing in ((AT_IMPORT, True), (IN_FORWARD, False)) for code, _ in table
    ]
    untried = {row.kinds for row in TABLE if not any(row.fits(e, str(e), importing=now) for e, now in errors)}
    assert untried == {("PermissionError",)}


def test_twenty_ways_to_fail_on_a_foreign_file_are_run() -> None:
    """Each is a case of `tests.hostile`, with a hint that must be there."""
    assert sum(case.hint for case in FOREIGN) >= 35


def test_a_script_that_trains_is_told_of_where_its_time_is_over(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import time\nloss = None\nwhile True:\n    time.sleep(0.1)\nloss.backward()\n")
    command = [sys.executable, "-m", "gradcheck_cli", "check", "train.py", "--timeout", "1"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "`gradcheck run train.py` watches it as it is" in ended.stderr

"""Which line of the user's built a module."""

from pathlib import Path

import torch
from torch import nn

from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.target import load_target
from gradcheck_cli.target.code.construction import watched_construction

FILE = """\
import torch
from torch import nn


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        return self.out(x)


def build_model():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.Sequential(
        nn.Linear(4, 8),
        nn.ReLU(),
        nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
        Head(),
    )


batch = (torch.randn(2, 3, 4), torch.zeros(2, 3, 2))
loss = nn.functional.mse_loss
"""


def line_of(code: str) -> int:
    return next(i for i, line in enumerate(FILE.splitlines(), 1) if code in line)


def test_each_module_is_noted_at_the_users_line_that_built_it(tmp_path: Path):
    path = tmp_path / "model.py"
    path.write_text(FILE)
    built = load_target(CheckSpec(model=str(path))).built
    assert built["0"] == (str(path), line_of("nn.Linear(4, 8)"))
    assert built["1"] == (str(path), line_of("nn.ReLU()"))
    assert built["3"] == (str(path), line_of("        Head()"))
    assert built["3.out"] == (str(path), line_of("nn.Linear(8, 2)"))
    assert "2.layers.0.linear1" not in built  # a deep copy: it was built nowhere


def test_nothing_stays_behind():
    before = nn.Module.__init__
    with watched_construction() as noted:
        model = nn.Sequential(nn.Linear(2, 2))
    assert nn.Module.__init__ is before
    assert noted.of(model)["0"][0] == __file__
    with torch.no_grad():
        assert noted.of(nn.Sequential(nn.Linear(2, 2))) == {}

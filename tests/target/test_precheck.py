"""What is wrong with a spec that can be told without torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gradcheck_cli
from gradcheck_cli.errors import TargetError, UsageError
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.target.precheck import CASTS, DEVICES, precheck

BATCH = "def batch(): return torch.randn(4, 3), torch.randint(0, 2, (4,))\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("m.py", "d.csv", "x.npy", "w.pt"):
        (tmp_path / name).write_text("")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch": "d.csv", "target_column": "y"},
        {"batch": "D.CSV", "target_column": "y"},
        {"batch": "make_batch"},
        {"batch": "m.py:make_batch"},
        {"inputs": ("x.npy", "float32[2]", "a=int64[2] in 0..3"), "target": "x.npy"},
        {"loss": "cross_entropy"},
        {"step": "m.py:step"},
        {"weights": "w.pt"},
        {"settings": (("a", "1"),)},
        {"lr": 1e-9},
        {"lr": 1e9},
        *({"device": device} for device in DEVICES),
        {"device": "cuda:1"},
        *({"dtype": dtype} for dtype in CASTS),
    ],
    ids=str,
)
def test_a_spec_that_can_be_is_passed_on(options, tmp_path):
    (tmp_path / "D.CSV").write_text("")
    assert precheck(CheckSpec(model="m.py", **options)) is None


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"model": "n.py"}, TargetError, "no file `n.py`; did you mean `m.py`"),
        ({"model": "a b"}, UsageError, "neither a Python file nor a module"),
        ({"device": "cdua"}, UsageError, "did you mean `cuda`"),
        ({"device": "cuda:"}, UsageError, "`cuda:` is not a device"),
        ({"device": "cuda:x"}, UsageError, "`cuda:x` is not a device"),
        ({"device": "cuda:-1"}, UsageError, "`cuda:-1` is not a device"),
        ({"device": ""}, UsageError, "`` is not a device"),
        ({"device": "meta"}, UsageError, "no values to measure"),
        ({"dtype": "half"}, UsageError, "--dtype `half` is not known"),
        ({"dtype": "int8"}, UsageError, "--dtype `int8` is not known"),
        ({"loss": "a", "step": "b"}, UsageError, "--loss and --step exclude each other"),
        ({"batch": "b", "inputs": ("float32[1]",)}, UsageError, "--batch and --input exclude each other"),
        ({"target_column": "y"}, UsageError, "--target-column needs a .csv file"),
        ({"batch": "x.npy", "target_column": "y"}, UsageError, "--target-column needs a .csv file"),
        ({"lr": 0.0}, UsageError, "--lr 0 is no learning rate"),
        ({"lr": -1.0}, UsageError, "--lr -1 is no learning rate"),
        ({"lr": float("inf")}, UsageError, "--lr inf is no learning rate"),
        ({"lr": float("nan")}, UsageError, "--lr nan is no learning rate"),
        ({"batches": 0}, UsageError, "--batches 0 asks for no batch"),
        ({"batch": "none.pt"}, TargetError, "--batch: there is no file `none.pt`"),
        ({"batch": "m.py"}, UsageError, "--batch `m.py` names no object"),
        ({"inputs": ("none.npy",)}, TargetError, "--input: there is no file `none.npy`"),
        ({"inputs": ("flaot32[2]",)}, UsageError, "did you mean `float32`"),
        ({"target": "int64[2"}, UsageError, "--target"),
        ({"inputs": ("a=float32[1]", "b=float32[1]", "a=int64[1]")}, UsageError, "--input gives `a` twice"),
        ({"weights": "none.pt"}, TargetError, "--weights: there is no file `none.pt`"),
        ({"loss": "a b"}, UsageError, "--loss `a b` is not a name"),
        ({"settings": (("a-b", "1"),)}, UsageError, "not an argument's name"),
    ],
)
def test_what_cannot_be_is_told_at_once(options, error, told):
    with pytest.raises(error, match=told) as raised:
        precheck(CheckSpec(**{"model": "m.py", **options}))
    assert raised.value.hint


def test_a_model_that_raises_is_not_run(tmp_path):
    (tmp_path / "m.py").write_text("raise SystemExit('imported')")
    precheck(CheckSpec(model="m.py", loss="m.py:loss", batch="m.py:batch"))
    assert "m" not in sys.modules


def test_a_usage_error_costs_no_torch(tmp_path):
    code = (
        "import sys\n"
        "from gradcheck_cli.errors import GradcheckError\n"
        "from gradcheck_cli.records.spec import CheckSpec\n"
        "from gradcheck_cli.target import load_target\n"
        "try: load_target(CheckSpec(model='nothing.py'))\n"
        "except GradcheckError as e: print('torch' in sys.modules, 'numpy' in sys.modules, e.exit_code)"
    )
    root = str(Path(gradcheck_cli.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.stdout == "False False 2\n", done.stderr


def test_a_missing_file_is_told_under_its_option(load):
    with pytest.raises(TargetError, match="--loss: there is no file `nothere"):
        load(BATCH + "model = nn.Linear(3, 2)", loss="nothere.py:f")
    with pytest.raises(UsageError, match="is neither a Python file"):
        precheck(CheckSpec(model=""))

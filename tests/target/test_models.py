import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import gradcheck_cli
from gradcheck_cli.errors import Interrupted, ProbeError, TargetError, UsageError, UserCodeError
from gradcheck_cli.records.choices import Mode
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.target import load_target
from gradcheck_cli.target.models import check_model

BATCH = "def batch(): return torch.randn(4, 3), torch.randint(0, 2, (4,))\n"
NET = "class Net(nn.Linear):\n    def __init__(self, wide=2): super().__init__(3, wide)\n"


@pytest.mark.parametrize(
    ("code", "picked"),
    [
        ("model = nn.Linear(3, 2)", "`model` in user.py"),
        ("def model(): return nn.Linear(3, 2)", "`model()` in user.py"),
        ("def build_model(): return nn.Linear(3, 2)", "`build_model()` in user.py"),
        ("net = nn.Linear(3, 2)\ncriterion = nn.CrossEntropyLoss()", "`net` in user.py"),
        ("clf = nn.Linear(3, 2)\ncriterion = nn.CrossEntropyLoss()", "`clf` in user.py"),
        (NET, "`Net()` in user.py"),
        (
            NET + "class Block(nn.Module):\n    def __init__(self, n): super().__init__()",
            "`Net()` in user.py",
        ),
        ("model = 'resnet'\n" + NET, "`Net()` in user.py"),
    ],
)
def test_the_usual_names_are_tried_in_order(load, code, picked):
    target = load(BATCH + code)
    assert target.picked[0] == f"model: {picked}"
    assert target.batch_size == 4
    assert target.forward(target.model, target.batches[0]).loss.item() > 0


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (NET, "Net"),
        ("class Outer:\n    @staticmethod\n    def build(): return nn.Linear(3, 2)", "Outer.build"),
        (
            "class Outer:\n    class Inner(nn.Linear):\n        def __init__(self): super().__init__(3, 2)",
            "Outer.Inner",
        ),
        ("import functools\nmade = functools.partial(nn.Linear, 3, 2)", "made"),
    ],
)
def test_a_name_may_be_dotted_a_class_or_a_factory(load, code, name):
    assert isinstance(load(BATCH + code, name).model, nn.Linear)


def test_settings_are_yaml_and_reach_the_factory(load):
    code = BATCH + (
        "def build_model(width, scale=1.0, kind='a', act=None):\n"
        "    m = nn.Linear(3, width)\n"
        "    m.got = (scale, kind, act)\n"
        "    return m"
    )
    settings = (("width", "5"), ("scale", "1e-7"), ("kind", "relu"), ("act", "[1e3, x]"))
    target = load(code, settings=settings)
    assert target.model.out_features == 5
    assert target.model.got == (1e-7, "relu", [1000.0, "x"])


def test_a_setting_of_no_parameter_is_a_usage_error_with_a_suggestion(load):
    with pytest.raises(UsageError, match="no argument `wdie`; did you mean `wide`") as error:
        load(BATCH + NET, "Net", settings=(("wdie", "5"),))
    assert "`wide`" in error.value.hint


def test_required_arguments_are_listed_with_the_flags(load):
    with pytest.raises(TargetError, match="needs `width`, `depth`") as error:
        load(BATCH + "def build_model(width, depth, p=0.1): return nn.Linear(3, 2)")
    assert "--set width=... --set depth=..." in error.value.hint


@pytest.mark.parametrize(
    ("code", "name", "error", "text"),
    [
        (NET, "Nett", TargetError, "has no `Nett`; did you mean `Net`"),
        ("class Config: pass", "Config", TargetError, "a class but not a torch.nn.Module"),
        (
            "def build_model(): return {}",
            "build_model",
            TargetError,
            "returned a dict, not a torch.nn.Module",
        ),
        ("size = 3", "size", TargetError, "is a int, not a model"),
        ("a = nn.Linear(1, 1)\nb = nn.Linear(1, 1)", "", TargetError, "holds 2 models: `a`, `b`"),
        ("def helper(x): return x", "", TargetError, "no model is found in user.py"),
        ("model = nn.ReLU()", "", ProbeError, "has no parameters"),
        ("model = nn.Linear(3, 2).requires_grad_(False)", "", ProbeError, "none of the model's 2 parameters"),
        ("def build_model(): raise ValueError('boom')", "", UserCodeError, "raised ValueError: boom"),
        ("import sys\ndef build_model(): sys.exit(3)", "", UserCodeError, r"called sys.exit\(3\)"),
        ("raise SystemExit", "", UserCodeError, r"importing user.py called sys.exit"),
        ("raise KeyboardInterrupt", "", Interrupted, "interrupted while importing user.py"),
        ("def build_model(): return build_model()", "", UserCodeError, "recursed without end"),
        ("def build_model(): raise MemoryError", "", UserCodeError, "ran out of memory"),
        ("import not_there_at_all", "", UserCodeError, "needs the module `not_there_at_all`"),
        ("from torch import not_there", "", UserCodeError, "raised ImportError"),
        ("def f(:\n", "", UserCodeError, "raised SyntaxError"),
        (
            "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
            "",
            UserCodeError,
            "cannot be read",
        ),
    ],
)
def test_what_can_be_wrong_with_a_model_is_said(load, code, name, error, text):
    with pytest.raises(error, match=text) as raised:
        load(BATCH + code, name)
    assert "\n" not in raised.value.hint


def test_the_frames_of_an_error_are_the_users_own(load):
    with pytest.raises(UserCodeError) as error:
        load(BATCH + "def build_model(): return inner()\ndef inner(): return nn.Linear('a', 2)")
    assert error.value.frames == (
        "  user.py:5 in build_model\n    def build_model(): return inner()",
        "  user.py:6 in inner\n    def inner(): return nn.Linear('a', 2)",
    )


def test_a_syntax_error_shows_its_line(load):
    with pytest.raises(UserCodeError) as error:
        load("x = = 1")
    assert error.value.frames[-1] == "  user.py:4\n    x = = 1"


@pytest.mark.parametrize(
    ("model", "error", "text"),
    [
        ("usr.py", TargetError, "no file `usr.py`; did you mean `user.py`"),
        ("nowhere/user.py", TargetError, "nor a folder `nowhere`"),
        ("sub", UsageError, "is a folder|not a Python file"),
        ("weights.pt", UsageError, "holds weights, not code"),
        ("notes.txt", UsageError, "not a Python file"),
        ("not-a-module", UsageError, "neither a Python file nor a module"),
        ("no_such_module.net", TargetError, "there is no module `no_such_module`"),
        ("user", None, ""),
        ("user.missing:model", TargetError, "there is no module `user.missing`"),
    ],
)
def test_module_and_file_names_are_told_apart(write, model, error, text):
    folder = write(BATCH + "model = nn.Linear(3, 2)").parent
    (folder / "sub").mkdir()
    (folder / "weights.pt").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    sys.modules.pop("user", None)
    try:
        if error is None:
            assert load_target(CheckSpec(model=model)).name == "user:model"
        else:
            with pytest.raises((error, TargetError), match=text):
                load_target(CheckSpec(model=model))
    finally:
        sys.modules.pop("user", None)


def test_a_file_sees_its_neighbours_and_not_gradchecks_arguments(write, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gradcheck", "check", "--bogus"])
    write("WIDTH = 7", name="proj/neighbour_a.py")
    write(
        BATCH + "import argparse\nargparse.ArgumentParser().parse_args()\n"
        "def build_model():\n    from neighbour_a import WIDTH\n    return nn.Linear(3, WIDTH)\n"
        "if __name__ == '__main__': raise ValueError",
        name="proj/train.py",
    )
    assert load_target(CheckSpec(model="proj/train.py")).model.out_features == 7
    assert sys.argv == ["gradcheck", "check", "--bogus"]


def test_a_file_in_a_package_uses_relative_imports(write):
    write("", name="mypkg/__init__.py")
    write("WIDTH = 9", name="mypkg/sizes.py")
    write(BATCH + "from .sizes import WIDTH\nmodel = nn.Linear(3, WIDTH)", name="mypkg/net.py")
    assert load_target(CheckSpec(model="mypkg/net.py")).model.out_features == 9
    assert load_target(CheckSpec(model="mypkg.net:model")).model.out_features == 9


def test_dataclasses_and_pickle_find_the_users_module(load):
    code = (
        "import dataclasses, pickle\n"
        "@dataclasses.dataclass\n"
        "class C:\n"
        "    n: 'int' = 3\n"
        "n = pickle.loads(pickle.dumps(C())).n\n"
        "model = nn.Linear(n, 2)"
    )
    assert load(BATCH + code).model.in_features == 3


def test_the_same_seed_builds_the_same_model_and_batch(load):
    code = BATCH + "def build_model(): return nn.Linear(3, 2)"
    first, second, other = load(code), load(code), load(code, seed=1)
    assert torch.equal(first.model.weight, second.model.weight)
    assert torch.equal(first.batches[0][0], second.batches[0][0])
    assert not torch.equal(first.model.weight, other.model.weight)


def test_modes_are_kept_unless_asked_for(load):
    code = BATCH + "model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))\nmodel[1].eval()"
    assert [m.training for m in load(code).model.modules()] == [True, True, False]
    assert all(m.training for m in load(code, mode=Mode.TRAIN).model.modules())
    assert not any(m.training for m in load(code, mode=Mode.EVAL).model.modules())


def test_dtype_reaches_parameters_and_inputs_but_not_integers(run, load):
    code = BATCH + "model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))"
    target = load(code, dtype="float64")
    assert target.model[0].weight.dtype is torch.float64
    assert target.model[1].num_batches_tracked.dtype is torch.int64
    assert target.batches[0][0].dtype is torch.float64
    assert target.batches[0][1].dtype is torch.int64
    assert target.forward(target.model, target.batches[0]).loss.dtype is torch.float64


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"device": "cdua"}, UsageError, "not a device; did you mean `cuda`"),
        ({"device": "meta"}, UsageError, "no values to measure"),
        ({"dtype": "flaot32"}, UsageError, "did you mean `float32`"),
        ({"loss": "x", "step": "y"}, UsageError, "exclude each other"),
        ({"settings": (("a b", "1"),)}, UsageError, "not an argument's name"),
        ({"settings": (("a", "[1"),)}, UsageError, "cannot be read as YAML"),
        ({"batches": 0}, UsageError, "asks for no batch"),
    ],
)
def test_options_that_cannot_be_are_usage_errors(load, options, error, text):
    with pytest.raises(error, match=text):
        load(BATCH + "model = nn.Linear(3, 2)", **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a device that is absent")
def test_cuda_asked_for_and_absent_is_said(load):
    with pytest.raises(TargetError, match=r"--device cuda: PyTorch .* sees no CUDA device") as error:
        load(BATCH + "model = nn.Linear(3, 2)", device="cuda")
    assert "--device cpu" in error.value.hint


def test_lazy_modules_are_materialised_by_the_batch(load):
    target = load(BATCH + "model = nn.Sequential(nn.LazyLinear(5), nn.Linear(5, 2))")
    assert target.model[0].weight.shape == (5, 3)
    assert target.model[0].weight.grad is None


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


def test_a_usual_name_that_is_no_module_is_told(load):
    with pytest.raises(TargetError, match="its `model` is the class Plain, not") as error:
        load(BATCH + "class Plain: pass\nmodel = Plain\nloss_fn = nn.CrossEntropyLoss()")
    assert "loss_fn" not in error.value.hint


def test_parameters_that_raise_are_the_users_own(load):
    with pytest.raises(UserCodeError, match="listing the parameters of the model"):
        load(
            BATCH
            + "class Net(nn.Linear):\n    def parameters(self, recurse=True): raise OSError('no')\nmodel = Net(3, 2)"
        )


def test_a_missing_file_is_told_under_its_option(load):
    with pytest.raises(TargetError, match="--loss: there is no file `nothere"):
        load(BATCH + "model = nn.Linear(3, 2)", loss="nothere.py:f")
    with pytest.raises(UsageError, match="is neither a Python file"):
        load_target(CheckSpec(model=""))


def test_parameters_that_can_never_get_a_gradient_are_refused():
    with torch.inference_mode():
        model = nn.Linear(2, 2)
    with pytest.raises(ProbeError, match="inference_mode"):
        check_model(model)

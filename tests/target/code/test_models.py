import pytest
import torch
from torch import nn

from gradcheck_cli.errors import Interrupted, ProbeError, TargetError, UserCodeError
from gradcheck_cli.target.code.models import check_model

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


def test_parameters_that_can_never_get_a_gradient_are_refused():
    with torch.inference_mode():
        model = nn.Linear(2, 2)
    with pytest.raises(ProbeError, match="inference_mode"):
        check_model(model)

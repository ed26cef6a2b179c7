"""A training script where a model was asked for: an error names `gradcheck run`, and a model says its past."""

import pytest

from gradcheck_cli.errors import GradcheckError, TargetError, UserCodeError
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.target import load_target
from gradcheck_cli.target.code.scripts import as_a_script

ADVICE = "It is a script that trains: `gradcheck run user.py` watches it as it is."
LOOP = """
    def main():
        net = nn.Linear(3, 2)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        loss = net(torch.ones(4, 3)).sum()
        loss.backward()
        optimizer.step()
"""
MAIN = "    if __name__ == '__main__':\n        main()\n"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (LOOP + MAIN, TargetError),
        (LOOP + "    main()", TargetError),
        (LOOP + "    raise ValueError('no data here')", UserCodeError),
        (LOOP + "    import argparse\n    argparse.ArgumentParser().parse_args(['--epochs'])", UserCodeError),
        (
            LOOP + "    class Net(nn.Linear):\n        def __init__(self): super().__init__(3, 2)",
            TargetError,
        ),  # no batch
        ("def main():\n    accelerator.backward(loss)", TargetError),
        ("def main():\n    Trainer(model=None).train()", TargetError),
        ("def main():\n    pl.Trainer().fit(None)", TargetError),
    ],
    ids=["main", "at import", "raises", "arguments", "no batch", "accelerate", "transformers", "lightning"],
)
def test_a_script_that_cannot_be_checked_is_for_run(write, code, error):
    write(code)
    with pytest.raises(error) as raised:
        load_target(CheckSpec(model="user.py"))
    assert raised.value.hint.endswith(ADVICE)


@pytest.mark.parametrize(
    ("code", "model"),
    [
        ("x = 1", "user.py"),
        ("class F(torch.autograd.Function):\n    @staticmethod\n    def backward(ctx, g): return g", "user.py"),
        ("trainer = 'Trainer'\ndef fit(): ...", "user.py"),
        ("def f(:", "user.py"),
        (LOOP, "user.py:Nett"),
    ],
    ids=["no model", "function", "words", "syntax", "named"],
)
def test_what_is_no_script_or_is_named_is_not(write, code, model):
    write(code)
    with pytest.raises(GradcheckError) as raised:
        load_target(CheckSpec(model=model))
    assert "gradcheck run" not in raised.value.hint


def test_a_model_that_was_trained_when_it_was_imported_says_so(load):
    code = """
    net = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(3):
        net(torch.ones(4, 3)).sum().backward()
        optimizer.step()
    batch = torch.ones(4, 3), torch.zeros(4, dtype=torch.long)
    """
    told = "`net` in user.py, trained for 3 steps when it was imported; `gradcheck run user.py` watches that"
    assert load(code).picked[0] == f"model: {told}"


def test_a_model_that_was_not_does_not(load):
    code = "    net = nn.Linear(3, 2)\n    batch = torch.ones(4, 3)\n    def train(loss): loss.backward()"
    assert load(code).picked[0] == "model: `net` in user.py"


@pytest.mark.parametrize(("text", "told"), [("loss.backward()\n", True), ("x = 1\n", False), ("(", False)])
def test_what_to_type_for_a_script_that_trains(text: str, told: bool, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.py").write_text(text)
    assert ("`gradcheck run t.py` watches it" in as_a_script("t.py")) is told
    assert as_a_script("t.py:model") == as_a_script("none.py") == as_a_script("no such: thing") == ""

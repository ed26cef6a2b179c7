from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gradcheck_cli.errors import ProbeError, TargetError, UsageError, UserCodeError
from gradcheck_cli.target import wrap_target

FILE = "model = nn.Linear(3, 2)\ndef batch(): return torch.randn(4, 3), torch.randint(0, 2, (4,))\n"
LABELS = torch.tensor([0, 2, 1, 1])


@pytest.mark.parametrize(
    ("code", "options", "source"),
    [
        ("", {}, "guessed: cross_entropy"),
        ("criterion = nn.CrossEntropyLoss()", {}, "found: criterion in user.py"),
        ("loss_fn = nn.CrossEntropyLoss", {}, "found: loss_fn in user.py"),
        ("loss = 3.0\ndef loss_fn(o, t): return F.cross_entropy(o, t)", {}, "found: loss_fn in user.py"),
        ("def loss(o): return o\n", {}, "guessed: cross_entropy; loss of user.py does not take (output, target)"),
        ("def step(model, batch): return model(batch[0]).mean()", {}, "found: step in user.py"),
        (
            "def step(model, batch, optimizer): return 1",
            {},
            "guessed: cross_entropy; step of user.py does not take (model, batch)",
        ),
        ("def compute_loss(m, b): return {'loss': m(b[0]).mean()}", {}, "found: compute_loss in user.py"),
        ("def training_step(m, b): return m(b[0]).mean(), {'acc': 1}", {}, "found: training_step in user.py"),
        ("criterion = nn.CrossEntropyLoss()", {"loss": "nll_loss"}, "given: nll_loss"),
        ("def mine(o, t): return F.cross_entropy(o, t)", {"loss": "mine"}, "given: mine"),
        ("def mse_loss(o, t): return o.mean()", {"loss": "user.py:mse_loss"}, "given: user.py:mse_loss"),
        ("def go(m, b): return m(b[0]).mean()", {"step": "go"}, "given: go"),
    ],
)
def test_the_loss_is_given_found_or_guessed_in_this_order(run, code, options, source):
    result = run(FILE + code, **options)
    assert result.loss_source == source
    result.loss.backward()


def test_found_losses_get_output_and_target(run):
    result = run(FILE + "def loss(output, target): return F.cross_entropy(output, target) * 3")
    torch.testing.assert_close(result.loss, 3 * F.cross_entropy(result.output, result.target))


@pytest.mark.parametrize(
    ("code", "options", "error", "text"),
    [
        ("", {"loss": "CrossEntropy"}, UsageError, "did you mean `cross_entropy`"),
        ("", {"loss": "relu"}, UsageError, "`relu` is not a loss"),
        ("", {"loss": "user.py:lss"}, TargetError, "has no `lss`"),
        ("", {"loss": "a b"}, UsageError, "not a name"),
        ("def bad(x): return x", {"loss": "bad"}, UsageError, r"cannot be called with \(output, target\)"),
        ("def bad(x): return x", {"step": "bad"}, UsageError, r"cannot be called with \(model, batch\)"),
        (
            "def loss(o, t): return F.cross_entropy(o, t, reduction='none')",
            {},
            ProbeError,
            r"shape \[4\], not one number",
        ),
        ("def loss(o, t): return F.cross_entropy(o, t).item()", {}, ProbeError, "is a float, not a tensor"),
        ("def loss(o, t): return o.argmax()", {}, ProbeError, "is int64, which has no gradient"),
        ("def step(m, b): return None", {}, ProbeError, "is a NoneType"),
        (
            "def loss(o, t): return F.mse_loss(o, t[:3])",
            {},
            UserCodeError,
            r"on output float32\[4, 2\] and target int64\[4\]",
        ),
        ("def batch(): return torch.randn(4, 3)", {"loss": "mse_loss"}, TargetError, "the batch has none"),
        (
            "def batch(): return torch.randn(4, 3), torch.tensor([0, 1, 9, 0])",
            {},
            UserCodeError,
            "the guessed loss",
        ),
    ],
)
def test_what_can_be_wrong_with_a_loss_is_said(run, code, options, error, text):
    with pytest.raises(error, match=text) as raised:
        run(FILE + code, **options)
    assert raised.value.exit_code == 2


def test_a_models_own_loss_comes_before_a_guess():
    class Own(nn.Linear):
        kind = "attribute"

        def forward(self, x, labels=None):
            out = super().forward(x)
            loss = None if labels is None else F.cross_entropy(out, labels)
            pair = {"loss": loss, "logits": out}
            return {
                "attribute": SimpleNamespace(**pair),
                "mapping": pair,
                "tuple": (out, loss),
                "scalar": loss,
            }[self.kind]

    model = Own(3, 2)
    for kind, source in [
        ("attribute", "the output's .loss"),
        ("mapping", "the output's ['loss']"),
        ("tuple", "the output's element 1, a scalar"),
        ("scalar", "the output itself, a scalar"),
    ]:
        model.kind = kind
        for batch in ((torch.randn(4, 3), LABELS % 2), {"x": torch.randn(4, 3), "labels": LABELS % 2}):
            target = wrap_target(model, batch)
            assert target.forward(model, target.batches[0]).loss_source == source


def test_no_gradient_is_asked_for_under_no_grad():
    target = wrap_target(nn.Linear(3, 2), (torch.randn(4, 3), LABELS % 2))
    with torch.no_grad():
        assert not target.forward(target.model, target.batches[0]).loss.requires_grad


@pytest.mark.parametrize(
    "code",
    ["def step(env): return env\ndef compute_loss(model, batch): return model(batch[0]).sum()", "def f(x): return x"],
)
def test_nothing_is_told_of_what_has_no_usual_name_or_where_a_loss_is_found(run, code):
    assert ";" not in run(FILE + code).loss_source

"""A target put together: the model, its batches and the way from one to a loss."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from gradcheck_cli.errors import ProbeError, TargetError, UsageError, UserCodeError
from gradcheck_cli.records.choices import Mode
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.target import load_target, wrap_target

X, Y = torch.randn(4, 3), torch.tensor([0, 1, 1, 0])
BATCH = "def batch(): return torch.randn(4, 3), torch.randint(0, 2, (4,))\n"


def test_the_same_seed_builds_the_same_model_and_batch(load):
    code = BATCH + "def build_model(): return nn.Linear(3, 2)"
    first, second, other = load(code), load(code), load(code, seed=1)
    assert torch.equal(first.model.weight, second.model.weight)
    assert torch.equal(first.batches[0][0], second.batches[0][0])
    assert not torch.equal(first.model.weight, other.model.weight)


def test_a_file_that_goes_while_it_is_imported_is_still_the_models(load):
    target = load(BATCH + "import os\nos.remove(__file__)\nmodel = nn.Linear(3, 2)")
    assert target.model.weight.shape == (2, 3)


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


def test_lazy_modules_are_materialised_by_the_batch(load):
    target = load(BATCH + "model = nn.Sequential(nn.LazyLinear(5), nn.Linear(5, 2))")
    assert target.model[0].weight.shape == (5, 3)
    assert target.model[0].weight.grad is None


def test_wrapping_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2).eval())
    state, version = copy.deepcopy(model.state_dict()), torch.random.get_rng_state()
    target = wrap_target(model, lambda: (X, Y), loss=nn.CrossEntropyLoss(), name="mine")
    assert target.model is model and target.name == "mine" and target.loss_source == "given: CrossEntropyLoss"
    assert [m.training for m in model.modules()] == [True, True, False]
    assert all(torch.equal(a, b) for a, b in zip(state.values(), model.state_dict().values(), strict=True))
    assert torch.equal(version, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("model", "options", "error", "text"),
    [
        ("text", {}, TargetError, "is a str, not a torch.nn.Module"),
        (nn.ReLU(), {}, ProbeError, "no parameters"),
        (nn.Linear(3, 2), {"loss": "mse", "step": print}, UsageError, "exclude each other"),
        (nn.Linear(3, 2), {"loss": "mes_loss"}, UsageError, "did you mean `mse_loss`"),
    ],
)
def test_what_cannot_be_wrapped_is_said(model, options, error, text):
    with pytest.raises(error, match=text):
        wrap_target(model, (X, Y), **options)


def test_what_was_picked_is_told_in_three_lines(load):
    target = load(BATCH + "def build_model(): return nn.Linear(3, 2)")
    assert target.name == "user.py:build_model"
    assert target.picked == (
        "model: `build_model()` in user.py",
        "batch: `batch` in user.py",
        "loss: the model's own, or guessed",
    )


def test_the_root_is_the_working_folder_or_that_of_a_file_elsewhere(write, tmp_path, monkeypatch):
    write(BATCH + "model = nn.Linear(3, 2)", name="deep/net.py")
    assert load_target(CheckSpec(model="deep/net.py")).root == str(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_target(CheckSpec(model="../deep/net.py")).root == str(tmp_path / "deep")


def test_weights_are_loaded_before_the_cast_and_the_seed_after(load, tmp_path):
    torch.save({"weight": torch.full((2, 3), 0.1), "bias": torch.zeros(2)}, tmp_path / "w.pt")
    target = load(BATCH + "model = nn.Linear(3, 2)", weights="w.pt", dtype="float64", seed=5)
    assert target.model.weight.dtype is torch.float64
    assert torch.equal(target.model.weight.float(), torch.full((2, 3), 0.1))
    torch.manual_seed(5)
    assert torch.equal(target.batches[0][0].float(), torch.randn(4, 3))


def test_parameters_without_values_are_refused(load):
    with pytest.raises(TargetError, match="on the meta device and hold no values"):
        load(BATCH + "model = nn.Linear(3, 2, device='meta')")


def test_a_lazy_model_that_the_batch_does_not_fit_is_explained(load):
    with pytest.raises(UserCodeError, match=r"the forward pass of `1` \(Linear\) raised RuntimeError"):
        load(BATCH + "model = nn.Sequential(nn.LazyLinear(5), nn.Linear(7, 2))")


def test_the_tensors_of_a_loss_go_to_the_models_device(load):
    code = BATCH + "model = nn.Linear(3, 2)\nloss = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 3.0]))"
    target = load(code)
    result = target.forward(target.model, target.batches[0])
    expected = nn.functional.cross_entropy(result.output, result.target, weight=torch.tensor([1.0, 3.0]))
    torch.testing.assert_close(result.loss, expected)


def named_loss(output, target):
    return output.mean()


class Trained(nn.Linear):
    def __init__(self):
        super().__init__(3, 2)

    def training_step(self, batch, batch_idx):
        return self(batch[0]).mean() + batch_idx


@pytest.mark.parametrize(
    ("model", "options", "source"),
    [
        (nn.Linear(3, 2), {}, ""),
        (nn.Linear(3, 2), {"loss": "mse_loss"}, "given: mse_loss"),
        (nn.Linear(3, 2), {"loss": named_loss}, "given: named_loss"),
        (nn.Linear(3, 2), {"loss": partial(partial(nn.functional.mse_loss), reduction="sum")}, "given: mse_loss"),
        (nn.Linear(3, 2), {"loss": nn.CrossEntropyLoss()}, "given: CrossEntropyLoss"),
        (nn.Linear(3, 2), {"step": lambda model, batch: model(batch[0]).mean()}, "given: <lambda>"),
        (Trained(), {}, "Trained.training_step"),
        (Trained(), {"loss": "cross_entropy"}, "given: cross_entropy"),
    ],
)
def test_a_live_model_is_wrapped_with_the_loss_that_is_given_or_its_own(model, options, source):
    target = wrap_target(model, (X, Y), **options)
    assert target.loss_source == source
    assert target.model is model
    assert target.name == type(model).__name__
    assert (target.batch_size, len(target.batches), target.picked) == (4, 1, ())


def test_a_live_batch_follows_the_model_and_is_not_altered():
    batch = {"input": X.double(), "labels": Y}
    target = wrap_target(nn.Linear(3, 2).double(), batch)
    assert target.batches[0] is not batch
    assert target.batches[0]["input"] is batch["input"]
    assert target.forward(target.model, target.batches[0]).loss.dtype is torch.float64


LIT = """
class Lit(nn.Linear):
    def __init__(self): super().__init__(3, 2)
    def training_step(self, batch, batch_idx): return self.share(batch[0]).mean()
    def share(self, x): return {body}
"""


@pytest.mark.parametrize(
    ("body", "more", "source"),
    [
        ("self(x)", "", "Lit.training_step"),
        ("self(x)", "def compute_loss(m, b): return m(b[0]).pow(2).mean()", "found: compute_loss in user.py"),
        ("self(x)", "def step(m, b): return m(b[0]).pow(2).mean()", "found: step in user.py"),
        ("self(x)", "criterion = nn.CrossEntropyLoss()", "found: criterion in user.py"),
        ("criterion(self(x), x)", "def criterion(o, y): return o", "Lit.training_step"),
    ],
)
def test_what_a_file_says_of_its_loss_beats_the_models_own_step(load, body, more, source):
    assert load(BATCH + LIT.format(body=body) + more).loss_source == source

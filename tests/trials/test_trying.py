"""Whole trials on small models: outcomes, the budget, interrupts, and the user's model as it was."""

import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import gradcheck_cli
from gradcheck_cli import trials
from gradcheck_cli.records.report import Finding, Remedy, Report, Trial
from gradcheck_cli.reports.jsonfile import read_saved
from gradcheck_cli.trials import budget, edittrials, trying
from gradcheck_cli.trials.outcome import Yardstick, ranked, trains_well
from gradcheck_cli.trials.torchcalls import NothingToActOn
from gradcheck_cli.trials.training import LONGER
from tests.corpus import CASES
from tests.sweeping import sampled

SAMPLES = Path(__file__).parents[2] / "samples"
BY_NAME = {case.name: case for case in CASES}


def treated_anew(name: str, passes: int = 1000) -> Report:
    model, batch, step = BY_NAME[name].make()
    return gradcheck_cli.check(model, batch, step=step, try_budget=passes)


treated = cache(treated_anew)
"""The report on a case, made once for all tests that change nothing of how it is made."""


def gravest(report: Report) -> Finding:
    return report.findings[0]


def remedy(report: Report, name: str) -> Remedy:
    return next(r for r in gravest(report).remedies if r.id == name)


PASSES = 250
"""A budget in which the best remedies of a small model are tried."""
CURES = [
    ("deep_sigmoid_mlp", "relu"),
    ("small_init_mlp", "init"),
    ("eeg_in_volts", "input-normalization"),
    ("prices_with_mse", "target-normalization"),
    ("softmax_then_cross_entropy", "remove-softmax"),
    ("layer_norm_of_one", "remove-norm"),
    ("lstm_forgets", "forget-bias"),
    ("bce_on_saturated_sigmoid", "scale-logits"),
    ("dead_relu_bias", "bias-init"),
    ("unnormalised_residual_mlp", "residual-scaling"),
    ("stacked_rnn_100_steps", "lstm"),
]
LARGER = [
    ("residual_branch_1e6", "residual-scaling"),
    ("linear_recurrence_15", "orthogonal-init"),
    ("fifty_tanh_layers", "residual"),
    ("deep_sets_sum_pool", "mean-aggregation"),
]
"""Whose plans have tests of their own beside their modules: CI leaves them to the sweep."""


@pytest.mark.parametrize("passes", [PASSES, pytest.param(1000, marks=pytest.mark.sweep)])
@pytest.mark.parametrize(("case", "cure"), [*CURES, *(pytest.param(*row, marks=pytest.mark.sweep) for row in LARGER)])
def test_the_remedy_of_the_textbook_fixes(case: str, cure: str, passes: int) -> None:
    report = treated(case, passes)
    found = remedy(report, cure)
    assert found.trial.outcome == "fixed", found.trial
    assert found.trial.loss_with <= found.trial.loss_without * 1.05
    assert "def apply(model):" in found.trial.patch


def test_remedies_are_ranked_by_what_was_measured() -> None:
    report = treated("deep_sigmoid_mlp", PASSES)
    remedies = gravest(report).remedies
    assert remedies[0].trial.outcome == "fixed" and trains_well(remedies[0].trial)
    assert remedies == ranked(remedies, Yardstick(unit=report.loss))


def test_what_cannot_be_tried_says_why() -> None:
    found = remedy(treated("stacked_rnn_100_steps", PASSES), "attention")
    assert found.trial.outcome == "not-tried" and "only you can choose" in found.trial.note


class Counts(nn.Sequential):
    """A regression of counts whose last ReLU is off for every sample."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1), nn.ReLU())
        nn.init.constant_(self[2].weight, -0.1)  # off without any large bias
        nn.init.zeros_(self[2].bias)


def test_a_last_relu_that_is_off_is_cured_by_a_softplus() -> None:
    x = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    report = gradcheck_cli.check(Counts(), (x, x.abs().sum(1, keepdim=True)), loss=F.mse_loss, try_budget=400)
    best = gravest(report).remedies[0]
    assert (best.id, best.trial.outcome, best.trial.steps) == ("softplus", "fixed", LONGER)
    assert trains_well(best.trial) and "softplus" in best.trial.patch


def test_what_has_nothing_to_act_on_is_left_out_once_it_is_tried() -> None:
    x = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    batch = x, x.abs().sum(1, keepdim=True)
    untried = gradcheck_cli.check(Counts(), batch, loss=F.mse_loss)
    tried = gradcheck_cli.check(Counts(), batch, loss=F.mse_loss, try_budget=400)
    assert "bias-init" in {r.id for r in gravest(untried).remedies}
    assert "bias-init" not in {r.id for r in gravest(tried).remedies}


def test_the_last_remedy_stays_also_where_it_has_nothing_to_act_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*args: object) -> None:
        raise NothingToActOn("there is none")

    monkeypatch.setattr(trying, "edited", nothing)
    monkeypatch.setattr(trying, "practised", nothing)
    (left,) = gravest(treated_anew("dead_relu_bias")).remedies
    assert left.trial == Trial(note="there is none")


def test_what_a_remedy_changes_is_told() -> None:
    report = treated("stacked_rnn_100_steps", PASSES)
    assert "parameters" in remedy(report, "lstm").trial.note
    assert "draws new weights" in remedy(report, "orthogonal-init").trial.note


def test_frozen_parameters_are_left_alone() -> None:
    model, batch, step = BY_NAME["ddpg_actor_saturated"].make()
    report = gradcheck_cli.check(model, batch, step=step, try_budget=1000)
    assert "critic" not in remedy(report, "init").trial.patch


def test_the_model_comes_back_as_it_was() -> None:
    model, batch, step = BY_NAME["deep_sigmoid_mlp"].make()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state, attributes = torch.get_rng_state(), [set(vars(m)) for m in model.modules()]
    gradcheck_cli.check(model, batch, step=step, try_budget=PASSES)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [set(vars(m)) for m in model.modules()] == attributes and all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_two_runs_come_to_the_same() -> None:
    first, second = (gravest(made("deep_sigmoid_mlp", PASSES)).remedies for made in (treated, treated_anew))
    assert first == second


def test_a_healthy_model_costs_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "recorded_calls", lambda *args: pytest.fail("a trial was begun"))
    batch = torch.randn(8, 4), torch.randn(8, 2)
    assert gradcheck_cli.check(nn.Linear(4, 2), batch, loss=F.mse_loss, try_budget=500).ok


def deep(calls: list[int] | None = None) -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    """A deep sigmoid net that counts its forward passes, also those of its copies."""

    class Deep(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            if calls is not None:
                calls.append(1)
            return super().forward(x)

    torch.manual_seed(0)
    layers = [module for _ in range(12) for module in (nn.Linear(16, 16), nn.Sigmoid())][:-1]
    return Deep(*layers), (torch.randn(8, 16), torch.arange(8))


FURTHER = 3
"""Passes that the null predictions and the profile of a collapsed signal take."""


def test_no_more_passes_are_taken_than_the_budget_holds() -> None:
    taken: dict[int, int] = {}
    for passes in (1, 45, 1000):
        calls: list[int] = []
        model, batch = deep(calls)
        report = gradcheck_cli.check(model, batch, loss=F.cross_entropy, try_budget=passes)
        taken[passes] = len(calls)
        assert gravest(report).code == "GC201"
        further = 2 * FURTHER  # of the model as it is, and of the last copy that there were passes for
        assert taken[passes] <= passes + 2 + further, "the measured pass, and one in which the calls are recorded"
        late = [r for r in gravest(report).remedies if r.trial.note == "no passes were left to try it"]
        assert bool(late) == (passes < 1000)
        assert any("--try-budget gives more" in note for note in report.notes) == bool(late)
    assert taken[1] < taken[45] < taken[1000]


def test_how_fast_a_pass_is_changes_nothing() -> None:
    model, batch = deep()
    plain = gradcheck_cli.check(model, batch, loss=F.cross_entropy, try_budget=200)

    def slow(out: Tensor, target: Tensor) -> Tensor:
        time.sleep(0.01)
        return F.cross_entropy(out, target)

    late = gradcheck_cli.check(model, batch, loss=slow, try_budget=200)
    assert [f.remedies for f in late.findings] == [f.remedies for f in plain.findings]


def test_a_clock_that_strikes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "Budget", lambda passes: budget.Budget(passes, clock=0.0))
    model, batch = deep()
    report = gradcheck_cli.check(model, batch, loss=F.cross_entropy, try_budget=1000)
    assert "trials were ended by the clock after 0 s: another run may try more, or fewer" in report.notes


def test_a_pass_that_takes_too_long_begins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "CLOCK", 1e-6)
    model, batch = deep()
    report = gradcheck_cli.check(model, batch, loss=F.cross_entropy, try_budget=1000)
    assert gravest(report).code == "GC201" and "no remedy was tried: one pass takes 0 s" in report.notes[-1]


def test_a_model_too_large_to_copy_begins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "LARGEST", 1000)
    report = treated_anew("deep_sigmoid_mlp")
    assert gravest(report).code == "GC201" and "a copy of the model takes" in report.notes[-1]


def test_a_step_that_uses_another_model_is_no_cure() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(*[module for _ in range(12) for module in (nn.Linear(8, 8), nn.Sigmoid())][:-1])
    batch = torch.randn(8, 8), torch.arange(8)
    report = gradcheck_cli.check(
        model, batch, step=lambda given, batch: F.cross_entropy(model(batch[0]), batch[1]), try_budget=9
    )
    assert gravest(report).code == "GC201"
    assert report.notes[-1] == "no remedy was tried: the step function does not use the model that it is given"
    assert all(r.trial.outcome == "not-tried" for r in gravest(report).remedies)


def test_an_interrupt_keeps_the_diagnosis(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(edittrials, "plan", interrupted)
    report = treated_anew("deep_sigmoid_mlp")
    assert gravest(report).code == "GC201" and report.exit_code == 1
    assert "the trials of remedies were interrupted" in report.notes


def test_an_interrupt_keeps_the_trials_that_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = edittrials.plan

    def interrupted(remedy: str, context: object) -> object:
        if remedy == "init":
            raise KeyboardInterrupt
        return plan(remedy, context)

    monkeypatch.setattr(edittrials, "plan", interrupted)
    report = treated_anew("deep_sigmoid_mlp")
    outcomes = {r.id: r.trial.outcome for r in gravest(report).remedies}
    assert (
        outcomes["relu"] == outcomes["normalization"] == "fixed" and outcomes["init"] == outcomes["gelu"] == "not-tried"
    )


def test_a_model_that_cannot_be_copied_keeps_the_diagnosis() -> None:
    class Single(nn.Sequential):
        def __deepcopy__(self, memo: object) -> object:
            raise TypeError("there is only one of me")

    torch.manual_seed(0)
    model = Single(*[module for _ in range(12) for module in (nn.Linear(8, 8), nn.Sigmoid())][:-1])
    report = gradcheck_cli.check(model, (torch.randn(8, 8), torch.arange(8)), loss=F.cross_entropy, try_budget=500)
    assert gravest(report).code == "GC201"
    assert "no remedy was tried: the model cannot be copied: TypeError: there is only one of me" in report.notes


# -- the exploding recurrence of the samples


def sample(name: str) -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    sys.path.insert(0, str(SAMPLES))
    try:
        module = __import__(name)
    finally:
        sys.path.remove(str(SAMPLES))
    torch.manual_seed(0)
    return module.build_model(), module.make_batch()


def losses(model: nn.Module, batch: tuple[Tensor, Tensor], clip: float, steps: int = 200) -> list[float]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    found = []
    for _ in range(steps):
        loss = F.cross_entropy(model(batch[0]), batch[1])
        found.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
    return found


@cache
def exploding() -> Report:
    model, batch = sample("exploding_rnn")
    return gradcheck_cli.check(model, batch, loss=F.cross_entropy, try_budget=300)


def test_the_recommended_threshold_keeps_the_exploding_rnn_finite() -> None:
    found = remedy(exploding(), "clipping")
    assert found.trial.outcome == "helps" and found.trial.before == float("inf")
    threshold = float(found.code.partition("max_norm=")[2].rstrip(")"))
    assert all(torch.tensor(losses(*sample("exploding_rnn"), clip=threshold)).isfinite())
    assert not all(torch.tensor(losses(*sample("exploding_rnn"), clip=float("inf"))).isfinite())


@pytest.mark.parametrize("name", ["weight-decay", "l1"])
def test_the_recommended_decay_lowers_the_spectral_radius(name: str) -> None:
    model, _ = sample("exploding_rnn")
    _, _, told = remedy(exploding(), name).trial.note.partition("its spectral radius goes from ")
    before, after = (float(word) for word in told.split(" to "))
    radius = float(torch.linalg.eigvals(model.recurrent.detach()).abs().max())
    assert before == pytest.approx(radius, rel=0.01) and after < before


# -- patches

_RUN = """
import runpy, sys
sys.path.insert(0, {samples!r})
import torch
import {sample} as user
import gradcheck_cli
from gradcheck_cli.pipeline import diagnose
from gradcheck_cli.records.spec import Step
from gradcheck_cli.reports.jsonfile import read_saved
from gradcheck_cli.target import wrap_target
names = runpy.run_path({patch!r})
torch.manual_seed(0)
model = names["apply"](user.build_model())
batch = names.get("prepare", lambda batch: batch)(user.make_batch())
step = getattr(user, "compute_loss", None)
loss = None if step else user.criterion
print(gradcheck_cli.check(model, batch, loss=loss, step=step).exit_code)
target = wrap_target(model, batch, loss=loss, step=step, name=None)
finding = read_saved({report!r}).findings[0]
print(diagnose(Step(target=target, batch=batch)).read(finding).value)
"""


PATCHED = "small_init deep_sigmoid_cnn plain_deep_cnn exploding_rnn pixel_rnn dead_relu target_scale unscaled_inputs"


@pytest.mark.parametrize("name", sampled(PATCHED.split(), 8))
def test_a_written_patch_runs_in_a_fresh_process_and_comes_to_the_same(name: str, tmp_path: Path) -> None:
    patch, report = tmp_path / "patch.py", tmp_path / "report.json"
    command = [sys.executable, "-m", "gradcheck_cli", "check", SAMPLES / f"{name}.py", "--write-patch", patch, "-q"]
    command += ["--try-budget", "100"]
    checked = subprocess.run(
        [*command, "--output", f"json={report}"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert checked.returncode == 1, checked.stderr
    script = _RUN.format(samples=str(SAMPLES), sample=name, patch=str(patch), report=str(report))
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    exit_code, after = ran.stdout.split()
    trial = read_saved(str(report)).findings[0].remedies[0].trial
    assert exit_code == "0" and trial.outcome == "fixed", "the patched model is healthy"
    assert float(after) == pytest.approx(trial.after, rel=1e-3, abs=1e-6)


@cache
def lost_in_float16() -> Report:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 4)).half()
    batch = torch.randn(64, 32).half(), torch.randn(64, 4).half() * 1e-4

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return 1e-4 * F.mse_loss(model(batch[0]).float(), batch[1].float())  # as autocast takes losses

    return gradcheck_cli.check(model, batch, step=step, try_budget=1000)


@pytest.mark.parametrize("name", ["loss-scaling", "bf16", "fp32"])
def test_what_float16_loses_is_got_back(name: str) -> None:
    report = lost_in_float16()
    assert gravest(report).code == "GC501"
    trial = remedy(report, name).trial
    assert trial.outcome == "fixed" and trial.before > 0 and trial.after == 0, trial

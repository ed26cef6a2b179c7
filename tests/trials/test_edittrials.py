"""Trials that edit a copy: what is measured again, what training says, and what else is told."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.records.report import Finding, Trial
from gradcheck_cli.remedies import ROWS
from gradcheck_cli.trials import edits
from gradcheck_cli.trials.bench import Bench
from gradcheck_cli.trials.edittrials import EditTrial, confirmed, edited
from gradcheck_cli.trials.planning import Edit, Plan
from gradcheck_cli.trials.torchcalls import NotTriable
from gradcheck_cli.trials.training import LONGER, STEPS
from tests.trials.contexts import bench_of, step_of


def deep_sigmoid(depth: int = 10) -> nn.Module:
    torch.manual_seed(0)
    layers = [module for _ in range(depth) for module in (nn.Linear(8, 8), nn.Sigmoid())]
    return nn.Sequential(*layers, nn.Linear(8, 4))


BATCH = torch.randn(16, 8, generator=torch.Generator().manual_seed(0)), torch.arange(16) % 4


@cache
def sick(passes: int = 1000) -> tuple[Bench, Finding]:
    bench = bench_of(step_of(deep_sigmoid(), BATCH, "cross_entropy"), passes=passes)
    return bench, next(f for f in bench.diagnosed.verdict.findings if f.code == "GC201")


def tried(bench: Bench, ill: Finding, remedy: str) -> EditTrial:
    return edited(bench, ill, ROWS[remedy].remedy)


def test_a_remedy_that_fixes_is_measured_trained_and_written_as_a_patch() -> None:
    bench, ill = sick()
    before = {name: value.clone() for name, value in bench.model.state_dict().items()}
    found = tried(bench, ill, "relu")
    trial = found.remedy.trial
    assert (trial.outcome, trial.unit) == ("fixed", "decades from the typical layer")
    assert trial.before == pytest.approx(ill.evidence["decades_behind_typical"])
    assert trial.after is not None and trial.before is not None and trial.after > trial.before + 3
    assert trial.steps in (STEPS, LONGER)
    assert trial.loss_without == bench.without(bench.recipe, trial.steps)
    assert "draws new weights" in trial.note
    assert "def apply(model):" in trial.patch
    assert (found.remedy.id, [edit.arguments.get("to") for edit in found.plan.edits]) == ("relu", ["relu", None])
    assert all(torch.equal(value, before[name]) for name, value in bench.model.state_dict().items())
    assert all("forward" not in vars(module) for module in bench.model.modules()), "only a copy is edited"


def test_without_passes_to_train_only_the_measurement_counts() -> None:
    bench, ill = sick(passes=1)
    trial = tried(bench, ill, "relu").remedy.trial
    assert (trial.outcome, trial.steps, trial.loss_with) == ("fixed", 0, None)


def test_the_best_are_trained_for_longer_and_only_once() -> None:
    bench, ill = sick()
    untrained = tried(sick(passes=2)[0], ill, "relu")
    longer = confirmed(bench, untrained)
    trial = longer.remedy.trial
    assert (untrained.remedy.trial.steps, trial.steps, trial.outcome) == (0, LONGER, "fixed")
    assert trial.loss_with is not None
    assert trial.loss_with < trial.loss_without == bench.without(bench.recipe, LONGER)
    assert confirmed(bench, longer) is longer


def test_what_ends_at_a_higher_loss_is_worse_although_its_finding_is_gone() -> None:
    """Drawn by these deviations the net is far too large at the start."""
    bench, _ = sick()
    huge = Edit(function=edits.initialise, arguments={"deviations": {"20.weight": 1e3}})
    trial = Trial(outcome="fixed", note="so far")
    unproven = EditTrial(remedy=replace(ROWS["init"].remedy, trial=trial), plan=Plan(edits=(huge,)), start=1.0)
    found = confirmed(bench, unproven)
    assert found.remedy.trial.outcome == "worse"
    assert found.remedy.trial.note == f"{LONGER} steps of training end at a higher loss; so far"


def test_what_finds_nothing_to_act_on_is_raised() -> None:
    bench, ill = sick()
    with pytest.raises(NotTriable, match="no ReLU"):
        tried(bench, ill, "leaky-relu")


def test_a_cell_that_is_put_in_adds_parameters() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.rnn, self.head = nn.RNN(4, 8, batch_first=True), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(x)[0][:, -1])

    batch = torch.randn(8, 40, 4, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 4
    bench = bench_of(step_of(Reader(), batch, "cross_entropy"), passes=1)
    (ill,) = (f for f in bench.diagnosed.verdict.findings if f.code == "GC202")
    trial = tried(bench, ill, "lstm").remedy.trial
    rnn = 8 * 4 + 8 * 8 + 16
    assert trial.note.endswith(f"+{3 * rnn} parameters")
    assert trial.outcome == "fixed"


def test_targets_that_are_scaled_are_told_and_their_losses_not_compared() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)), torch.randn(16, 4)
    bench = bench_of(step_of(model, (x, 1e5 + 1e4 * x[:, :1])))
    (ill,) = (f for f in bench.diagnosed.verdict.findings if f.cause == "target-scale")
    found = tried(bench, ill, "target-normalization")
    assert found.remedy.trial.outcome == "fixed"
    assert found.remedy.trial.note == "scales the targets"
    assert "def prepare(batch):" in found.remedy.trial.patch


# --------------------------------------------------------------------------- low precision


def half() -> Bench:
    """A net in float16, whose loss is taken in float32 as autocast takes it, and is too small for its gradients."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 4)).half()
    batch = torch.randn(64, 32).half(), torch.randn(64, 4).half() * 1e-4

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return 1e-4 * nn.functional.mse_loss(model(batch[0]).float(), batch[1].float())

    return bench_of(step_of(model, batch, step))


@pytest.mark.parametrize(("remedy", "dtype"), [("fp32", "float32"), ("bf16", "bfloat16")])
def test_another_precision_is_taken_by_model_and_batch(remedy: str, dtype: str) -> None:
    bench = half()
    (ill,) = (f for f in bench.diagnosed.verdict.findings if f.code == "GC501")
    seen: list[str] = []

    def watching(step):
        seen.append(str(next(step.target.model.parameters()).dtype))
        seen.extend(str(tensor.dtype) for tensor in step.batch)
        return bench.diagnose(step)

    trial = tried(replace(bench, diagnose=watching), ill, remedy).remedy.trial
    assert (trial.outcome, trial.after, trial.patch) == ("fixed", 0.0, "")
    assert seen == [f"torch.{dtype}"] * 3


def test_a_loss_scale_is_told_and_not_trained_with() -> None:
    bench = half()
    (ill,) = (f for f in bench.diagnosed.verdict.findings if f.code == "GC501")
    found = tried(bench, ill, "loss-scaling")
    trial = found.remedy.trial
    assert (trial.outcome, trial.steps, trial.patch) == ("fixed", 0, "")
    assert trial.note == f"the loss times {ill.evidence['loss_scale']:,.0f}"
    assert found.start == bench.diagnosed.evidence.measurement.loss, "the lower of the two"
    assert confirmed(bench, found) is found


def test_nothing_is_confirmed_without_time() -> None:
    bench, _ = sick(passes=1)
    trial = Trial(outcome="fixed")
    unproven = EditTrial(remedy=replace(ROWS["relu"].remedy, trial=trial), plan=Plan(), start=1.0)
    assert confirmed(bench, unproven) == unproven

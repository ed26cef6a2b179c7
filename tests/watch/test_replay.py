"""A taped step is one that the pipeline takes as any other."""

from __future__ import annotations

import copy
import gc
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.pipeline import diagnose
from gradcheck_cli.records.spec import Step
from gradcheck_cli.runtime.passes import forward_pass
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.replay import NotRepeatable, line_of, step_of
from tests.watch.running import FORMS, Verifier, run_script, watched

BAD_SAMPLE = """
import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3))
optimizer = torch.optim.Adam(net.parameters(), 1e-3)


def distance(a, b):
    d = (a - b).square().sum(1)
    return d.sqrt()


for step in range(4):
    x, goal = torch.randn(16, 4), torch.randn(16, 3)
    out = net(x)
    if step == 2:
        goal[5] = out[5].detach()
    loss = distance(out, goal).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


class Looking(Verifier):
    """Looks at one backward pass right after it has run."""

    def __init__(self, at: int, look: Any) -> None:
        super().__init__(0)
        self.at, self.look, self.seen = at, look, None

    def ended(self, backward: Backward, raised: BaseException | None) -> None:
        super().ended(backward, raised)
        if self.count == self.at:
            with self.tape.quiet():
                self.seen = self.look(step_of(backward, self.tape.naming))


def seen_of(path: Path, at: int, look: Any) -> Any:
    verifier = Looking(at, look)
    with watched(verifier):
        run_script(path)
    assert not verifier.failures
    return verifier.seen


def lost(step: Step) -> Tensor:
    return forward_pass(step).loss.detach()


def test_the_line_and_the_sample_of_a_bad_step_are_found(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(BAD_SAMPLE)
    step, found = seen_of(path, 3, lambda step: (step, diagnose(step).verdict.findings[0]))
    assert (found.code, found.cause) == ("GC104", "sqrt-zero")
    assert found.source is not None and (Path(found.source.file).name, found.source.line) == ("train.py", 11)
    assert "sample 5" in found.message
    assert step.target.batch_size == 16 and step.target.loss_source == "the loss of train.py:21"
    assert step.target.root == str(tmp_path)


def test_a_batch_can_be_made_smaller_and_the_model_be_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(BAD_SAMPLE)

    def look(step: Step) -> Any:
        model = copy.deepcopy(step.target.model)
        with torch.no_grad():
            for p in model.parameters():
                p.zero_()
        whole, rows = step.batch, {name: t[6:] for name, t in step.batch.items()}
        forward = step.target.forward
        return len(whole), forward(model, whole).loss, forward(step.target.model, rows).loss.isfinite(), lost(step)

    count, zeroed, finite, loss = seen_of(path, 3, look)
    assert count == 2 and bool(finite)
    assert zeroed.item() != pytest.approx(loss.item())


def test_several_models_are_named_as_the_script_names_them() -> None:
    names = seen_of(FORMS / "gan.py", 3, lambda step: [n for n, _ in step.target.model.named_parameters()])
    assert names[0] == "netG.0.weight" and names[-1] == "netD.3.bias"


def test_one_model_goes_by_its_own_paths() -> None:
    names = seen_of(FORMS / "actor_critic.py", 1, lambda step: [n for n, _ in step.target.model.named_parameters()])
    assert names[0] == "body.0.weight" and "critic.bias" in names


def test_tensors_that_learn_by_themselves_are_parameters() -> None:
    def look(step: Step) -> Any:
        return [n for n, _ in step.target.model.named_parameters()], [tuple(t.shape) for t in step.batch.values()]

    names, shapes = seen_of(FORMS / "raw_weights.py", 2, look)
    assert names == ["w1", "b1", "w2"] and shapes == [(16, 3), (16, 1)]
    assert seen_of(FORMS / "style.py", 2, look)[0][0] == "image"


def test_the_scale_of_a_scaler_is_taken_out() -> None:
    def look(step: Step) -> Any:
        return forward_pass(step), step.autocast, step.batch

    passed, autocast, batch = seen_of(FORMS / "scaler.py", 2, look)
    assert passed.scale is not None and (passed.scale.factor, passed.scale.backoff) == (1024.0, 0.5)
    assert passed.loss.item() < 10 and autocast is torch.float16
    assert [t.dim() for t in batch.values()] == [2, 1]


def test_autocast_is_off_where_the_step_says_so() -> None:
    def look(step: Step) -> Any:
        low = lost(step)
        return low, step.target.forward(step.target.model, step.batch).loss.detach()

    low, full = seen_of(FORMS / "bf16.py", 2, look)
    assert low != full and low.item() == pytest.approx(full.item(), rel=0.05)


@pytest.mark.parametrize("form", ["compiled", "checkpointing", "left_behind", "gradient_penalty", "vae", "two_losses"])
def test_steps_of_other_forms_are_diagnosed(form: str) -> None:
    def look(step: Step) -> Any:
        found = diagnose(step)
        return found.evidence.measurement.loss, lost(step).item()

    measured, loss = seen_of(FORMS / f"{form}.py", 3, look)
    assert measured == pytest.approx(loss, abs=1e-6)


def test_a_step_that_cannot_be_repeated_is_refused() -> None:
    verifier = Verifier(0)
    with watched(verifier) as tape:
        run_script(FORMS / "raw_weights.py")
    with pytest.raises(NotRepeatable, match="not made by anything"):
        step_of(verifier.backwards[0], tape.naming)


def test_what_a_module_left_behind_and_did_not_make_again_is_told() -> None:
    class Once(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.extra = nn.Linear(3, 3), None

        def forward(self, x: Tensor) -> Tensor:
            if FIRST:
                FIRST.clear()
                self.extra = self.net(x).exp()
            return self.net(x)

    FIRST.append(1)
    net, verifier = Once(), Verifier(1)
    with watched(verifier):
        out = net(torch.randn(2, 3))
        (out.sum() + net.extra.sum()).backward()
    assert verifier.replayed[0].why == "a tensor that a module left behind was not made again"


FIRST: list[int] = []


def test_a_line_is_that_of_the_instruction() -> None:
    def function() -> Any:
        import sys

        frame = sys._getframe()
        return frame.f_code, frame.f_lasti

    place = function()
    line = line_of(place)
    assert line is not None and line.line == place[0].co_firstlineno + 3 + 1
    assert line_of(None) is None


def test_a_step_that_was_repeated_leaves_nothing_behind() -> None:
    """Python's collector may not run for a long time: what only it frees would stay beside the next step."""

    def left(step: Step) -> int:
        gc.collect()
        gc.disable()
        try:
            before = _with_a_graph()
            forward_pass(step)
            return len(_with_a_graph()) - len(before)
        finally:
            gc.enable()

    assert seen_of(FORMS / "dropout.py", 2, left) == 0


def _with_a_graph() -> list[Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of deprecated things that are there
        return [each for each in gc.get_objects() if issubclass(type(each), Tensor) and each.grad_fn is not None]

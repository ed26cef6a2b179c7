import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from gradcheck_cli.records.timeline import Replay
from gradcheck_cli.watch.draft import Draft
from gradcheck_cli.watch.entries import Data, Slot, TapeEntry
from gradcheck_cli.watch.proof import verify
from gradcheck_cli.watch.tape import Tape
from tests.watch.running import Verifier, watched


@pytest.fixture
def verifier() -> Verifier:
    return Verifier(1)


@pytest.fixture
def tape(verifier: Verifier) -> Iterator[Tape]:
    with watched(verifier) as tape:
        yield tape


@pytest.fixture
def model(tape: Tape) -> nn.Module:
    """One that the tape knows: in its first call nothing is known of what a module changes."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 2))
    model(torch.ones(1, 3)).sum().backward()
    model.zero_grad()
    return model


def noting(tape: Tape, model: nn.Module) -> Draft:
    tape.draft = Draft(tape, lambda: list(model.parameters()))
    return tape.draft


def told(entry: TapeEntry) -> list[Any]:
    """What a call is to the tape, by which two runs of the same line agree."""
    kinds = [type(part).__name__ for part in entry.args]
    needs = [slot.index for slot in entry.needs]
    place = entry.place and entry.place[0].co_name
    return [entry.call, kinds, needs, place, entry.grad, entry.training, len(entry.random), len(entry.parameters)]


def step(model: nn.Module, x: Tensor) -> Tensor:
    loss: Tensor = nn.functional.cross_entropy(model(x) * 2, torch.tensor([0, 1]))
    loss.backward()
    return loss


def test_notes_make_the_tape_that_would_have_been(verifier: Verifier, tape: Tape, model: nn.Module) -> None:
    x = torch.randn(2, 3)
    loss = step(model, x)
    model.zero_grad()
    draft = noting(tape, model)
    again = step(model, x)
    assert draft.is_read and draft.loss == again.item() != loss.item()
    draft.write_out()
    _, taped, noted = verifier.backwards
    assert list(map(told, noted.entries)) == list(map(told, taped.entries)) and len(noted.entries) == 3
    assert noted.place is not None and taped.place is not None and noted.place[0] is taped.place[0]
    assert [each.outcome for each in verifier.replayed] == [Replay.EXACT] * 3 and verifier.late_ones == 1
    assert tape.draft is None and not draft.fits and not verifier.failures


def test_its_numbers_are_those_of_the_step(tape: Tape, model: nn.Module) -> None:
    draft = noting(tape, model)
    loss = step(model, torch.randn(2, 3))
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert draft.loss == pytest.approx(loss.item())
    assert draft.norm == pytest.approx(torch.nn.utils.get_total_norm(gradients).item())
    assert draft.norms().values == pytest.approx([g.norm().item() for g in gradients])
    assert draft.standing() == {id(p): (id(p.grad), p.grad._version) for p in model.parameters() if p.grad is not None}


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_numbers_of_other_kinds_are_read_as_well(tape: Tape, dtype: torch.dtype) -> None:
    model = nn.Linear(3, 2, dtype=dtype)
    model(torch.ones(2, 3, dtype=dtype)).sum().backward()
    model.zero_grad()
    draft = noting(tape, model)
    model(torch.ones(2, 3, dtype=dtype)).sum().backward()
    assert draft.is_read and draft.norm == pytest.approx((3 * 2 * 4 + 2 * 4) ** 0.5, rel=1e-2)


def test_what_is_not_finite_is_read(tape: Tape, model: nn.Module) -> None:
    draft = noting(tape, model)
    step(model, torch.full((2, 3), torch.inf))
    assert draft.is_read and draft.norm is not None and draft.norm != draft.norm
    assert draft.loss is not None and draft.loss != draft.loss


def test_it_holds_nothing_of_a_step_once_it_is_cleared(tape: Tape, model: nn.Module) -> None:
    draft, x = noting(tape, model), torch.randn(2, 3)
    held = [weakref.ref(x), weakref.ref(step(model, x))]
    gradients = [weakref.ref(p.grad) for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    del x
    assert held[0]() is not None
    draft.clear()
    assert [ref() for ref in (*held, *gradients)] == [None] * 6


def test_what_calls_return_is_not_held(tape: Tape, model: nn.Module) -> None:
    noting(tape, model)
    out = weakref.ref(model(torch.randn(2, 3)))
    assert out() is None


class Odd(Tensor):
    pass


class Nothing(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class Neither(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def written_into(model: nn.Module, x: Tensor) -> None:
    out = model(x)
    out[:, 0] = out[:, 1] * 2
    out.square().mean().backward()


def of_a_subclass(model: nn.Module, x: Tensor) -> None:
    model(x.as_subclass(Odd)).square().mean().backward()


def under_a_mode(model: nn.Module, x: Tensor) -> None:
    with Nothing():
        model(x).square().mean().backward()


def under_a_dispatch_mode(model: nn.Module, x: Tensor) -> None:
    with Neither():
        model(x).square().mean().backward()


def of_many_calls(model: nn.Module, x: Tensor) -> None:
    out = model(x)
    for _ in range(40):
        out = out * 1.01
    out.mean().backward()


def with_a_kept_graph(model: nn.Module, x: Tensor) -> None:
    model(x).square().mean().backward(retain_graph=True)


def from_a_gradient(model: nn.Module, x: Tensor) -> None:
    model(x).backward(torch.ones(2, 2))


@pytest.mark.parametrize(
    "body",
    [
        written_into,
        of_a_subclass,
        under_a_mode,
        under_a_dispatch_mode,
        of_many_calls,
        with_a_kept_graph,
        from_a_gradient,
    ],
)
def test_a_step_that_notes_do_not_do_for_is_taped_as_ever(
    verifier: Verifier, tape: Tape, model: nn.Module, body: Any
) -> None:
    draft = noting(tape, model)
    body(model, torch.randn(2, 3))
    assert tape.draft is None and not draft.fits and not draft.is_read and verifier.late_ones == 0
    assert verifier.outcomes == {Replay.EXACT} and len(verifier.replayed) == 2 and not verifier.failures


def test_a_second_pass_tells_of_the_first(verifier: Verifier, tape: Tape, model: nn.Module) -> None:
    noting(tape, model)
    for _ in range(2):
        step(model, torch.randn(2, 3))
    assert verifier.late_ones == 1 and [each.outcome for each in verifier.replayed] == [Replay.EXACT] * 3


def test_a_batch_that_was_written_into_since_is_told(verifier: Verifier, tape: Tape, model: nn.Module) -> None:
    draft, x = noting(tape, model), torch.randn(2, 3)
    step(model, x)
    x.zero_()
    draft.write_out()
    assert verifier.replayed[-1].outcome is not Replay.EXACT
    assert "written into" in verifier.replayed[-1].why


def test_gradients_that_were_written_into_since_are_known_again(
    verifier: Verifier, tape: Tape, model: nn.Module
) -> None:
    draft = noting(tape, model)
    step(model, torch.randn(2, 3))
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
    draft.write_out()
    assert verifier.accumulation.changed()
    assert verify(tape, verifier.accumulation, draft.norms()).outcome is Replay.EXACT, "by the norms that were read"


def test_what_a_script_looks_at_is_known_at_its_end(tape: Tape, model: nn.Module) -> None:
    noting(tape, model)
    loss = model(torch.full((2, 3), torch.nan)).mean()
    assert bool(loss.isnan())
    backward = tape.unfinished(None)
    assert backward is not None and backward.values[0].isnan() and len(backward.entries) == 2


def test_a_module_that_raises_is_known_at_the_end(tape: Tape, model: nn.Module) -> None:
    noting(tape, model)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as raised:
        model(torch.ones(2, 5))
    backward = tape.unfinished(raised.value)
    assert backward is not None and backward.entries[-1].call is model
    assert isinstance(backward.entries[-1].args[0], Data)


def test_gradients_are_cleared_in_between(verifier: Verifier, tape: Tape, model: nn.Module) -> None:
    optimizer, draft = torch.optim.SGD(model.parameters(), lr=0.1), noting(tape, model)
    loss = model(torch.ones(2, 3)).mean()
    optimizer.zero_grad()
    loss.backward()
    assert draft.is_read and tape.draft is draft


def test_views_lead_to_what_they_are_of(verifier: Verifier, tape: Tape, model: nn.Module) -> None:
    draft = noting(tape, model)
    out = model(torch.ones(2, 3))
    (out[0, :], out[1, :])[1].sum().backward()
    draft.write_out()
    (index,) = [entry for entry in verifier.backwards[-1].entries if isinstance(entry.args[0], Slot)][:1]
    assert index.args[1] == (1, slice(None, None, None)) and verifier.replayed[-1].outcome is Replay.EXACT


class Given(nn.Module):
    """Takes what it is given in containers, as collators make them."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 2)

    def forward(self, given: Any) -> Tensor:
        found: Tensor = self.inner(given["x"][0])
        return found


def test_containers_that_the_script_changes_later_are_as_they_were(verifier: Verifier, tape: Tape) -> None:
    model = Given()
    model({"x": [torch.ones(2, 3)]}).sum().backward()
    model.zero_grad()
    draft, batch, parts = noting(tape, model), {"x": [torch.randn(2, 3)]}, []
    out = model(batch)
    batch["x"][0] = torch.randn(2, 3)
    batch["y"] = []
    parts += [out, out * 2]
    joined = torch.cat(parts)
    parts.clear()
    joined.square().mean().backward()
    draft.write_out()
    assert verifier.replayed[-1].outcome is Replay.EXACT and verifier.late_ones == 1 and not verifier.failures


def test_what_is_made_in_inference_is_taped_as_ever(verifier: Verifier, tape: Tape, model: nn.Module) -> None:
    draft = noting(tape, model)
    out = model(torch.ones(2, 3))
    with torch.inference_mode():
        best = out.argmax(1) + 0
    (out.square().mean() * (best == best).float().mean()).backward()
    assert tape.draft is None and not draft.fits and not verifier.failures


class Refusing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.refuses = nn.Linear(2, 2), False

    def forward(self, x: Tensor) -> Tensor:
        if self.refuses:
            raise ValueError("no")
        found: Tensor = self.inner(x)
        return found


def test_after_a_module_that_raised_the_rest_is_taped(verifier: Verifier, tape: Tape, model: nn.Module) -> None:
    other = Refusing()
    (other(torch.ones(1, 2)) + model(torch.ones(1, 3))).sum().backward()
    other.zero_grad()
    model.zero_grad()
    noting(tape, model)
    out, other.refuses = model(torch.randn(2, 3)), True
    with pytest.raises(ValueError, match="no"):
        other(out)
    (out - 1).square().mean().backward()
    assert verifier.replayed[-1].outcome is Replay.EXACT and not verifier.failures


def test_it_holds_nothing_once_it_is_written_out(tape: Tape, model: nn.Module) -> None:
    draft, x = noting(tape, model), torch.randn(2, 3)
    held = weakref.ref(x)
    out = weakref.ref(model(x))
    del x
    assert held() is not None
    draft.write_out()
    assert held() is None and out() is None


def test_a_group_that_has_come_is_read_as_well(verifier: Verifier, tape: Tape, model: nn.Module) -> None:
    optimizer, new = torch.optim.SGD(model.parameters(), lr=0.1), nn.Parameter(torch.ones(2))
    tape.draft = draft = Draft(tape, lambda: [p for group in optimizer.param_groups for p in group["params"]])
    optimizer.add_param_group({"params": [new]})
    (model(torch.ones(2, 3)) * new).sum().backward()
    assert tape.draft is None and not draft.is_read and verifier.replayed[-1].outcome is Replay.EXACT


def test_of_a_step_that_is_settled_nothing_is_told(verifier: Verifier, tape: Tape, model: nn.Module) -> None:
    draft = noting(tape, model)
    step(model, torch.randn(2, 3))
    draft.is_settled = True
    draft.write_out()
    assert tape.draft is None and verifier.late_ones == 0

"""The model, the batch and the process come back bit for bit from every kind of change, or the error names it."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gradcheck_cli import check
from gradcheck_cli.errors import GradcheckError, TargetError
from gradcheck_cli.probe import measure
from gradcheck_cli.target import wrap_target
from tests.hostile import kinds
from tests.hostile.kinds import Odd, batch
from tests.hostile.snapshot import unchanged

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def held(model: nn.Module, data: Any, **how: Any) -> Any:
    """The report of a check after which nothing has changed."""
    with unchanged(model, data):
        return check(model, data, **{"loss": "cross_entropy", **how})


@pytest.fixture(autouse=True)
def _fresh_switches() -> Any:
    """A test that fails must not spoil the next."""
    yield
    torch.set_default_device(None)
    torch.set_default_dtype(torch.float32)
    torch.set_flush_denormal(False)
    torch.set_num_threads(1)
    torch.set_autocast_enabled("cpu", False)
    torch.set_autocast_dtype("cpu", torch.bfloat16)
    torch.set_autocast_cache_enabled(True)
    torch.set_warn_always(False)
    torch.utils.deterministic.fill_uninitialized_memory = True
    torch.set_float32_matmul_precision("highest")


def _named(tables: dict[str, dict[str, Any]]) -> list[Any]:
    return [pytest.param(make, id=f"{of}: {name}") for of, table in tables.items() for name, make in table.items()]


@pytest.mark.parametrize(
    "make",
    _named(
        {
            "parameter": kinds.PARAMETERS,
            "buffer": kinds.BUFFERS,
            "attribute": kinds.ATTRIBUTES,
            "batch": kinds.BATCH,
            "switch": kinds.SWITCHES,
        }
    ),
)
def test_what_a_model_changes_comes_back(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model, data = make(), batch()
    try:
        held(model, data)
    except GradcheckError as error:  # a batch that cannot be used is no reason to keep it
        assert error.frames or "backward" in str(error) or "loss" in str(error), error


@pytest.mark.parametrize("make", _named({"make": kinds.MAKES}))
@pytest.mark.parametrize("place", ["buffer", "frozen parameter", "attribute"])
def test_tensors_of_every_make(make: Callable[[], Tensor], place: str) -> None:
    model = Odd()
    if place == "buffer":
        model.register_buffer("odd", make())
    elif place == "attribute":
        model.odd = make()
    else:
        try:
            model.odd = nn.Parameter(make(), requires_grad=False)
        except (RuntimeError, NotImplementedError):
            pytest.skip("torch makes no parameter of it")
    report = held(model, batch())
    assert report.status.value == "healthy", str(report)


class TakesTwo(Odd):
    def forward(self, x: Tensor, odd: Any) -> Tensor:
        return super().forward(x)


@pytest.mark.parametrize("make", _named({"make": kinds.MAKES}))
def test_inputs_of_every_make(make: Callable[[], Tensor]) -> None:
    data = (batch()[0], make())
    if type(data[1]) is Tensor and data[1].is_meta:
        with pytest.raises(GradcheckError, match="no data"):
            held(TakesTwo(), data, loss=None, step=lambda m, b: m(*b).square().mean())
        return
    report = held(TakesTwo(), data, loss=None, step=lambda m, b: m(*b).square().mean())
    assert report.loss is not None


# -- what draws the batch


class Draws(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.rand(4) + random.random() + float(np.random.rand()), index % 3


class OwnGenerator(Draws):
    def __init__(self) -> None:
        self.generator, self.numpy = random.Random(3), np.random.default_rng(3)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.full((4,), self.generator.random() + self.numpy.random()), index % 3


SOURCES: dict[str, Callable[[], Any]] = {
    "a shuffled loader": lambda: DataLoader(Draws(), batch_size=8, shuffle=True),
    "a loader with its own generator": lambda: DataLoader(Draws(), 8, shuffle=True, generator=torch.Generator()),
    "a data set that draws": Draws,
    "a data set with its own generators": OwnGenerator,
    "a function": lambda: lambda: (torch.rand(8, 4), torch.arange(8) % 3),
    "a generator function": lambda: (pair for pair in [(torch.rand(8, 4), torch.arange(8) % 3)] * 3),
}


@pytest.mark.parametrize("source", SOURCES)
def test_drawing_the_batch_leaves_no_trace_and_gives_the_same_twice(source: str) -> None:
    model, data = Odd(), SOURCES[source]()
    with unchanged(model, None):
        first = check(model, data, loss="cross_entropy")
    if "generator function" in source:
        return  # a batch of it is gone, as for anybody who asks it for one
    random.random(), torch.rand(3), np.random.rand()
    assert check(model, data, loss="cross_entropy").loss == first.loss


def test_the_same_seed_gives_the_same_report_wherever_the_generators_are() -> None:
    model, data = Odd(lambda m, x: x.add_(random.random() + float(np.random.rand()))), batch()
    losses = set()
    for _ in range(2):
        random.random(), np.random.rand(), torch.rand(1)
        losses.add(check(model, data, loss="cross_entropy").loss)
    assert len(losses) == 1


# -- passes after the first


def test_a_second_pass_sees_the_batch_as_it_was() -> None:
    seen: list[float] = []

    def act(model: Odd, x: Tensor) -> None:
        seen.append(float(x.sum()))
        x.mul_(2.0)

    model, data = Odd(act), batch()
    with unchanged(model, data):
        check(model, data, step=lambda m, b: (m(b[0]) * 0).log().sum())
    assert len(seen) > 1
    assert len(set(seen)) == 1


def test_a_comparison_with_float32_sees_the_batch_as_it_was() -> None:
    seen: list[float] = []

    def act(model: Odd, x: Tensor) -> None:
        seen.append(float(x.float().sum()))
        x.mul_(2.0)

    model, data = Odd(act).bfloat16(), (batch()[0].bfloat16(), batch()[1])
    with unchanged(model, data):
        check(model, data, loss="cross_entropy")
    assert seen == pytest.approx([seen[0]] * 3, rel=1e-2)


def test_a_model_whose_copy_is_itself_is_not_compared_with_float32() -> None:
    class Same(Odd):
        def __deepcopy__(self, memo: Any) -> Odd:
            return self

    report = held(Same().bfloat16(), (batch()[0].bfloat16(), batch()[1]))
    assert any("not compared with float32: a copy of the model" in note for note in report.notes)


# -- the place where the check is called


def test_under_another_default_device() -> None:
    model, data = Odd(), batch()
    torch.set_default_device("meta")
    with unchanged(model, data):
        report = check(model, data, loss="cross_entropy")
    assert report.status.value == "healthy"


def test_a_mode_of_the_callers_stays() -> None:
    model, data = Odd(), batch()
    with kinds._Mode(), unchanged(model, data):
        check(model, data, loss="cross_entropy")


def test_a_pass_that_leaves_gradients_off_is_told() -> None:
    report = held(Odd(lambda m, x: torch.set_grad_enabled(False)), batch())
    assert [finding.code for finding in report.findings] == ["GC407"]
    assert "no_grad" in report.findings[0].message


def test_a_lazy_layer_that_is_never_called_is_left_out_with_a_note() -> None:
    report = held(Odd(prepare=lambda m: setattr(m, "late", nn.LazyLinear(3))), batch())
    assert any("late.weight" in note for note in report.notes)


def test_a_part_compiled_with_its_full_graph_is_seen_op_by_op() -> None:
    part = torch.compile(lambda x: torch.relu(x) * 2, fullgraph=True, backend="eager")

    class Partly(Odd):
        def forward(self, x: Tensor) -> Tensor:
            return self.b(part(self.a(x)))

    assert held(Partly(), batch()).status.value == "healthy"


ENDLESS: dict[str, Any] = {
    "parameters": nn.Parameter(torch.ones(2)),
    "named_parameters": ("w", nn.Parameter(torch.ones(2))),
    "buffers": torch.ones(2),
    "modules": nn.Linear(2, 2),
    "named_modules": ("w", nn.Linear(2, 2)),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_listing_without_end_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck_cli.target.code.models.MOST_PARTS", 1000)
    model = Odd()
    monkeypatch.setattr(model, name, lambda *_, **__: itertools.repeat(ENDLESS[name]))
    with pytest.raises(TargetError, match="more than 1,000"):
        check(model, batch(), loss="cross_entropy")


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_nested_batches_flow_through(layout: torch.layout) -> None:
    class Pads(Odd):
        def forward(self, x: Tensor) -> Tensor:
            return self.b(torch.relu(self.a(x)).to_padded_tensor(0.0)).mean(1)

    data = torch.nested.nested_tensor([torch.randn(2, 4), torch.randn(5, 4)], layout=layout), torch.tensor([0, 1])
    assert held(Pads(), data).status.value == "healthy"


@pytest.mark.sweep
def test_200_000_tiny_parameters_are_measured_in_linear_time() -> None:
    class Tiny(nn.Module):
        def __init__(self, count: int) -> None:
            super().__init__()
            self.tiny = nn.ParameterList([nn.Parameter(torch.randn(1)) for _ in range(count)])

        def forward(self, x: Tensor) -> Tensor:
            return x * torch.cat(list(self.tiny)).mean()

    def seconds(count: int) -> float:
        target = wrap_target(Tiny(count), torch.randn(3), step=lambda m, x: m(x).sum())
        started = time.process_time()
        measure(target, target.batches[0])
        return time.process_time() - started

    assert seconds(200_000) < 30 * seconds(20_000)
